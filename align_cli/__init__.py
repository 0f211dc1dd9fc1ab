"""imalign: align one image to another with sub-pixel accuracy.

    >>> import numpy as np
    >>> import align_cli
    >>> y, x = np.mgrid[:80, :100]
    >>> target = np.sin(x / 5) + np.cos(y / 7 + x / 20)
    >>> source = np.sin((x + 1) / 5) + np.cos(y / 7 + (x + 1) / 20)
    >>> found = align_cli.align(source, target, model="translation")
    >>> warped = found.warp(source)
    >>> print(found.summary())  # doctest: +ELLIPSIS
    aligned (translation): shifted 1.00 px right...
    >>> found.save("pair.json")
    >>> (align_cli.load("pair.json").warp(source) == warped).all()
    np.True_
    >>> align_cli.__version__.count(".")
    2

Everything is imported when first used: ``import align_cli`` loads neither numpy nor cv2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from align_cli.version import __version__

if TYPE_CHECKING:
    from align_cli.engine.aligner import Aligner, align
    from align_cli.engine.check import check
    from align_cli.engine.errors import ImageError, NotAlignedError
    from align_cli.engine.records import Outcome, Quality, Status, Uncertainty, Verdict
    from align_cli.engine.result.alignment import Alignment
    from align_cli.engine.result.transform import Transform
    from align_cli.files.errors import UnreadableError, UnwritableError
    from align_cli.handover import load
    from align_cli.transform_files import read_transform

__all__ = [
    "Aligner",
    "Alignment",
    "ImageError",
    "NotAlignedError",
    "Outcome",
    "Quality",
    "Status",
    "Transform",
    "Uncertainty",
    "UnreadableError",
    "UnwritableError",
    "Verdict",
    "__version__",
    "align",
    "check",
    "load",
    "read_transform",
]

_HOMES = {
    "align": "align_cli.engine.aligner",
    "Aligner": "align_cli.engine.aligner",
    "Alignment": "align_cli.engine.result.alignment",
    "ImageError": "align_cli.engine.errors",
    "NotAlignedError": "align_cli.engine.errors",
    "Outcome": "align_cli.engine.records",
    "Quality": "align_cli.engine.records",
    "Status": "align_cli.engine.records",
    "Transform": "align_cli.engine.result.transform",
    "Uncertainty": "align_cli.engine.records",
    "UnreadableError": "align_cli.files.errors",
    "UnwritableError": "align_cli.files.errors",
    "Verdict": "align_cli.engine.records",
    "check": "align_cli.engine.check",
    "load": "align_cli.handover",
    "read_transform": "align_cli.transform_files",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415  (nothing is loaded before it is used)

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
