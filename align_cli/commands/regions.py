"""Options for the pixels and the channel that are used, and reading of masks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from align_cli.commands.choices import did_you_mean
from align_cli.commands.options import meaning, path_opt
from align_cli.engine.options import CHANNEL_NAMES, DEFAULTS, LEAST_LAST_SIDE

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from align_cli.files.images import Picture

Roi = tuple[int, int, int, int]
"""First column, first row, width and height, in pixels."""


def roi_in_px(text: str) -> Roi:
    """The four numbers of a text such as 9,5,64,48."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 4 or not all(_is_whole(part) for part in parts):
        raise ValueError(
            f"{text!r} is not x,y,w,h: four integers in pixels, from 0, such as 100,50,640,480."
        )
    x, y, width, height = map(int, parts)
    if not (width and height):
        raise ValueError(f"{text!r} is empty; w and h must be at least 1.")
    return x, y, width, height


def channel_or_name(text: str) -> str | int:
    """A name of ``CHANNEL_NAMES``, or the number of a channel."""
    if text in CHANNEL_NAMES:
        return text
    if not _is_whole(text):
        raise ValueError(
            f"{text!r} is neither one of {', '.join(CHANNEL_NAMES)} nor a channel number "
            f"(0, 1, ...).{did_you_mean(text, CHANNEL_NAMES)}"
        )
    return int(text)


def _is_whole(text: str) -> bool:
    return re.fullmatch("[0-9]{1,9}", text) is not None


source_mask_opt, target_mask_opt = (
    path_opt(name, help=f"Mask image of {of}'s size: pixels of {of} where it is zero are ignored.")
    for name, of in (("--source-mask", "SRC"), ("--target-mask", "DST"))
)
roi_opt = click.option(
    "--roi",
    callback=meaning(roi_in_px),
    metavar="X,Y,W,H",
    help="Use only this rectangle of DST: first column, first row, width, height, in pixels.",
)
channel_opt = click.option(
    "--channel",
    callback=meaning(channel_or_name),
    default=str(DEFAULTS.channel),
    show_default=True,
    metavar="luma|all|N",
    help="Channel to align by: luma; all, the mean of all channels; or a channel number N from 0. "
    "Every channel is warped.",
)
ignore_alpha_opt = click.option(
    "--ignore-alpha",
    is_flag=True,
    help="Use transparent pixels too. Without it, an image of a single colour is aligned by its "
    "alpha channel.",
)


class Masks(NamedTuple):
    """(height, width) bool of each image; None if all pixels are used."""

    source: npt.NDArray[np.bool_] | None
    target: npt.NDArray[np.bool_] | None


def read_masks(
    source: Picture,
    target: Picture,
    *,
    source_mask: str | None,
    target_mask: str | None,
    roi: Roi | None,
    max_megapixels: float,
) -> Masks:
    """Read the masks; that of the target is the intersection of its mask and the rectangle.

    Pixels without data (nodata) are excluded from both.

    Raises:
        UnreadableError: if a mask cannot be read.
        ImageError: if there is no data, or a mask does not fit, or the rectangle is not within the
            target or too small, or they have nothing in common. (The rest of the source's mask is
            checked with the source.)
    """
    from align_cli.engine.errors import ImageError  # noqa: PLC0415  (help stays quick)
    from align_cli.engine.images.luma import SMALLEST_SIDE  # noqa: PLC0415
    from align_cli.engine.images.masks import Region, check_mask, region_mask  # noqa: PLC0415
    from align_cli.files.masks import read_mask  # noqa: PLC0415

    of_source, of_target = (
        None if path is None else read_mask(path, max_megapixels=max_megapixels)
        for path in (source_mask, target_mask)
    )
    if roi is not None:
        inside = region_mask(Region(*roi), (target.width, target.height), role="roi")
        if min(roi[2:]) < SMALLEST_SIDE:
            raise ImageError(
                f"a region of {roi[2]}x{roi[3]} px is too small to align; each side needs "
                f"{SMALLEST_SIDE} px, and {LEAST_LAST_SIDE} px for a reliable result",
                role="roi",
            )
        if of_target is not None:
            check_mask(of_target, inside.shape, "target")
            inside &= of_target
            if not inside.any():
                raise ImageError(
                    "the target's mask is zero in the whole region; choose a region that overlaps "
                    "the mask",
                    role="roi",
                )
        of_target = inside
    return Masks(_of_data(of_source, source, "source"), _of_data(of_target, target, "target"))


def _of_data(
    mask: npt.NDArray[np.bool_] | None, picture: Picture, role: str
) -> npt.NDArray[np.bool_] | None:
    """The mask without pixels that have no data; None if there is neither."""
    from align_cli.engine.errors import ImageError  # noqa: PLC0415
    from align_cli.engine.images.masks import check_mask  # noqa: PLC0415

    if picture.valid is None:
        return mask
    if mask is not None:
        check_mask(mask, picture.valid.shape, role)
    left = picture.valid if mask is None else picture.valid & mask
    if not left.any():
        where = "" if mask is None else " within its mask or region"
        raise ImageError(
            f"every pixel{where} has the file's no-data value (GDAL_NODATA); correct that value"
            + ("" if mask is None else ", or enlarge the mask or region"),
            role=role,
        )
    return left


def roi_text(roi: Roi | None) -> str:
    """The option as typed, for messages."""
    return "--roi" if roi is None else "--roi " + ",".join(map(str, roi))


def regions_record(
    source_mask: str | None, target_mask: str | None, roi: Roi | None
) -> dict[str, Any]:
    """The options, for the document."""
    names = ("x", "y", "width", "height")
    return {
        "source_mask": source_mask,
        "target_mask": target_mask,
        "roi_px": None if roi is None else dict(zip(names, roi, strict=True)),
    }
