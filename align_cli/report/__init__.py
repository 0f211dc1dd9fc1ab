"""Pictures and words made from a finished alignment."""
