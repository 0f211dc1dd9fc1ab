"""The displacement field: how far each textured tile lies from where it fits best."""
