"""What the caller is handed: the alignment, the transform, the warped image."""
