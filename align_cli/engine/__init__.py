"""The engine: arrays in, an ``Alignment`` out. No files, no click, no printing."""
