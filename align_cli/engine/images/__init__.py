"""Properties of single images, and of two images at the same raw pixels."""
