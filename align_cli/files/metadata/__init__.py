"""What a picture's file says beside its pixels: EXIF, colour profile, XMP, resolution.

``containers`` has the registry of formats; nothing here decodes a pixel.
"""
