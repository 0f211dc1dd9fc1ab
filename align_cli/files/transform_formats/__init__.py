"""One module a file format of transforms; ``align_cli.files.transforms`` has their registry."""
