"""Files in and out: pictures, transforms, JSON. Knows formats, no mathematics.

Nothing here imports the engine, click or tqdm. What goes wrong is raised as an
:class:`~align_cli.files.errors.UnreadableError` or ``UnwritableError`` that names the file, the
cause and the next thing to try.
"""
