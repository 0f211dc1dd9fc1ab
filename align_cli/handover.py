"""From what Python is handed to words, files and pictures: the one way up out of the engine.

``Alignment`` and ``Transform`` know arrays only. Their methods that need more (``summary``,
``save``, ``load``, ``plot``, ``report``, ``changed``) come here, when they are called, and nowhere
else: a test holds the engine to it.
"""

from __future__ import annotations

import math
import os
from pathlib import PurePath
from typing import TYPE_CHECKING

from align_cli.files.errors import PathLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from align_cli.engine.arrays import Image, Mask
    from align_cli.engine.result.alignment import Alignment
    from align_cli.engine.result.changed import Changed
    from align_cli.engine.result.transform import Transform


def load(path: PathLike, *, accept_doubtful: bool = False, force: bool = False) -> Transform:
    """Read a transform: a JSON of ``Alignment.save`` or of imalign, or another program's file.

    The content decides the format, which is any of ``imalign convert``. Matrices and covariance of
    a JSON are those that were saved to the last bit, so an image is warped exactly as before.

    Args:
        path: the file; "/dev/stdin" is one.
        accept_doubtful: read the transform of a doubtful alignment too. That is not needed where
            it was accepted when it was saved, or by the command's ``--accept-doubtful``.
        force: read the best guess of a failed one too.

    Raises:
        NotAlignedError: if the alignment in the file failed, unless forced; if it is doubtful,
            unless that is accepted.
        UnreadableError: if the file cannot be read, holds no transform, or one that is singular or
            folds the source.

    Example:
        >>> import numpy as np
        >>> from align_cli import load
        >>> np.savetxt("shift.txt", [[1, 0, 5], [0, 1, -3], [0, 0, 1]])
        >>> load("shift.txt").map_points([[10, 20]])
        array([[15., 17.]])
    """
    from align_cli.engine.errors import NotAlignedError  # noqa: PLC0415
    from align_cli.engine.result.keywords import in_keywords  # noqa: PLC0415
    from align_cli.transform_files import read_guess  # noqa: PLC0415

    transform, objection = read_guess(path)
    if objection is None or objection.usable or force or (objection.doubtful and accept_doubtful):
        return transform
    verdict = "doubtful" if objection.doubtful else "failed"
    raise NotAlignedError(in_keywords(objection.sentence), verdict, os.fspath(path))


def save(
    found: Alignment, path: PathLike, *, accept_doubtful: bool = False, force: bool = False
) -> None:
    """Write an alignment; see ``Alignment.save``."""
    from align_cli.files.documents import write_json  # noqa: PLC0415
    from align_cli.report.document import python_document  # noqa: PLC0415

    if PurePath(path).suffix.lower() == ".json":
        write_json(path, python_document(found, accept_doubtful=accept_doubtful))
        return
    found.require(accept_doubtful=accept_doubtful, force=force)
    save_transform(found.transform, path)


def save_transform(transform: Transform, path: PathLike) -> None:
    """Write a transform; see ``Transform.save``."""
    from align_cli.files.atomic import write_bytes  # noqa: PLC0415
    from align_cli.files.errors import UnknownNameError  # noqa: PLC0415
    from align_cli.transform_files import transform_text  # noqa: PLC0415

    try:
        text = transform_text(path, transform)
    except UnknownNameError as error:
        raise UnknownNameError(error.path, error.cause, "give it a name of one of these") from error
    write_bytes(path, text.encode("utf-8"))


def transform_summary(transform: Transform) -> str:
    """A transform in words; see ``Transform.summary``."""
    from align_cli.report.summary import transform_in_words  # noqa: PLC0415

    return transform_in_words(transform)


def summary(found: Alignment, *, accept_doubtful: bool = False) -> str:
    """What the command says of an alignment; see ``Alignment.summary``."""
    from align_cli.engine.result.keywords import in_keywords  # noqa: PLC0415
    from align_cli.report.summary import python_summary  # noqa: PLC0415

    return in_keywords(python_summary(found, accept_doubtful=accept_doubtful))


def plot(
    found: Alignment,
    target: Image | None = None,
    source: Image | None = None,
    *,
    axes: Axes | None = None,
) -> Axes:
    """Draw an alignment; see ``Alignment.plot``."""
    from align_cli.engine.errors import ImageError  # noqa: PLC0415
    from align_cli.report.plot import plot as draw  # noqa: PLC0415

    if source is not None and target is None:
        raise ImageError("it is drawn over the target: give that too", role="source")
    check_sizes(found, source, target)
    return draw(found, target, source, axes=axes)


def changed(
    found: Alignment,
    images: tuple[Image, Image],
    masks: tuple[Mask | None, Mask | None],
    *,
    above_levels: float,
    channel: str | int,
    ignore_alpha: bool,
) -> Changed | None:
    """Where source and target differ; see ``Alignment.changed``."""
    from dataclasses import replace  # noqa: PLC0415

    from align_cli.engine.aligner import changed as find  # noqa: PLC0415
    from align_cli.engine.options import DEFAULTS  # noqa: PLC0415

    if not above_levels >= 0.0 or math.isinf(above_levels):
        raise ValueError(f"above_levels must be a number of 0 or more, not {above_levels}")
    check_sizes(found, *images)
    return find(
        *images,
        found,
        above_levels=above_levels,
        source_mask=masks[0],
        target_mask=masks[1],
        options=replace(DEFAULTS, channel=channel, ignore_alpha=ignore_alpha),
    )


def check_sizes(found: Alignment, source: Image | None, target: Image | None) -> None:
    """Check that images, those that are given, are of the sizes of those that were aligned.

    Raises:
        ImageError: if one is not, or is no image.
    """
    from align_cli.engine.errors import ImageError  # noqa: PLC0415
    from align_cli.engine.images.luma import check_kind  # noqa: PLC0415

    for role, image, size in (
        ("source", source, found.source_size),
        ("target", target, found.target_size),
    ):
        if image is None:
            continue
        check_kind(image, role)
        height, width = image.shape[:2]
        if (width, height) != size:
            raise ImageError(
                f"the alignment is of one of {size[0]}x{size[1]} px, this one has "
                f"{width}x{height} px",
                role=role,
            )


def report(
    found: Alignment,
    path: PathLike,
    images: tuple[Image, Image],
    masks: tuple[Mask | None, Mask | None],
    *,
    lossless: bool,
    channel: str | int,
) -> None:
    """Write a page to look at; see ``Alignment.report``."""
    from dataclasses import replace  # noqa: PLC0415
    from functools import partial  # noqa: PLC0415

    from align_cli.engine.aligner import residual  # noqa: PLC0415
    from align_cli.engine.options import DEFAULTS  # noqa: PLC0415
    from align_cli.files.atomic import write_bytes  # noqa: PLC0415
    from align_cli.files.errors import UnwritableError  # noqa: PLC0415
    from align_cli.files.images import Picture  # noqa: PLC0415
    from align_cli.report.page import SUFFIXES  # noqa: PLC0415
    from align_cli.report.page.alignment import (  # noqa: PLC0415
        Told,
        ahead,
        alignment_page,
        is_check,
        laid,
    )
    from align_cli.report.page.provenance import array  # noqa: PLC0415
    from align_cli.report.page.render import render  # noqa: PLC0415

    if PurePath(path).suffix.lower() not in SUFFIXES:
        raise UnwritableError(path, "the report is a page", "give it a name in .html")
    source, target = images
    check_sizes(found, source, target)
    of_source, of_target = masks
    if found.changes is None:
        changes = found.changed(
            source, target, source_mask=of_source, target_mask=of_target, channel=channel
        )
        found = replace(found, changes=changes)
    seen = Picture("source", source), Picture("target", target)
    inputs = array("source", source), array("target", target)
    options = replace(DEFAULTS, channel=channel)
    left = partial(
        residual,
        source,
        target,
        found,
        source_mask=of_source,
        target_mask=of_target,
        options=options,
    )
    checked = is_check(found)
    told = Told(
        _told_in_keywords(found),
        *seen,
        ahead=ahead(*seen, inputs, lossless=lossless),
        laid=laid(*seen, found, left, checked=checked, lossless=lossless),
        checked=checked,
        lossless=lossless,
    )
    write_bytes(path, render(alignment_page(told)).encode("utf-8"))


def html(found: Alignment) -> str:
    """What a notebook shows of an alignment."""
    from align_cli.report.page.alignment import alignment_snippet  # noqa: PLC0415
    from align_cli.report.page.render import render_snippet  # noqa: PLC0415

    return render_snippet(alignment_snippet(_told_in_keywords(found)))


def _told_in_keywords(found: Alignment) -> Alignment:
    """The same with what to try in keywords of ``align``."""
    from dataclasses import replace  # noqa: PLC0415

    from align_cli.engine.result.keywords import in_keywords  # noqa: PLC0415

    outcome = found.outcome
    told = replace(
        outcome,
        sentence=in_keywords(outcome.sentence),
        reasons=tuple(map(in_keywords, outcome.reasons)),
        advice=in_keywords(outcome.advice),
    )
    return replace(found, outcome=told)
