"""What a picture's file says beside its pixels: EXIF, colour profile, XMP, resolution.

The decoder of a format reads it and the encoder writes it. Libraries do so where they can: Pillow
for JPEG, BMP and WebP, tifffile and Pillow for TIFF. What is left by hand says why.
"""
