"""Reads both images of a pair concurrently."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from align_cli.commands.pages import Pages
from align_cli.commands.pair_command import refuse_folder
from align_cli.workers import Workers

if TYPE_CHECKING:
    from align_cli.files.images import Picture


def read_pair(
    source_path: str, target_path: str, max_megapixels: float, pages: Pages | None = None
) -> tuple[Picture, Picture]:
    """Decode both images, each on a thread of its own.

    Raises:
        click.UsageError: if the source is a folder.
        UnreadableError: for the source first, if both cannot be read.
    """
    refuse_folder(source_path, target_path)
    # Help stays quick. To decode takes cv2: the threads would wait for it, beside other imports.
    import cv2  # noqa: F401, PLC0415

    from align_cli.engine.numerics.threads import limit  # noqa: PLC0415
    from align_cli.files.images import read_image  # noqa: PLC0415

    with Workers(min(2, limit() or 2)) as workers:
        source, target = (
            workers.start(partial(read_image, path, max_megapixels=max_megapixels, page=page))
            for path, page in zip((source_path, target_path), pages or Pages(), strict=True)
        )
        # Meanwhile, because it takes as long as a picture of a megapixel.
        import align_cli.engine.aligner  # noqa: F401, PLC0415

        return source.result(), target.result()
