"""What is known of the images themselves, before any of them is laid over another."""
