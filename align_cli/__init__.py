"""imalign: align one image to another with sub-pixel accuracy.

    >>> from align_cli import align
    >>> found = align(source, target)          # doctest: +SKIP
    >>> warped = found.warp(source)            # doctest: +SKIP

Everything is imported when first used: ``import align_cli`` loads neither numpy nor cv2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from align_cli.version import __version__

if TYPE_CHECKING:
    from align_cli.commands.transform_files import read_transform
    from align_cli.engine.aligner import Aligner, align
    from align_cli.engine.check import check
    from align_cli.engine.errors import ImageError
    from align_cli.engine.records import Outcome, Quality, Status, Uncertainty, Verdict
    from align_cli.engine.result.alignment import Alignment
    from align_cli.engine.result.transform import Transform

__all__ = [
    "Aligner",
    "Alignment",
    "ImageError",
    "Outcome",
    "Quality",
    "Status",
    "Transform",
    "Uncertainty",
    "Verdict",
    "__version__",
    "align",
    "check",
    "read_transform",
]

_HOMES = {
    "align": "align_cli.engine.aligner",
    "Aligner": "align_cli.engine.aligner",
    "Alignment": "align_cli.engine.result.alignment",
    "ImageError": "align_cli.engine.errors",
    "Outcome": "align_cli.engine.records",
    "Quality": "align_cli.engine.records",
    "Status": "align_cli.engine.records",
    "Transform": "align_cli.engine.result.transform",
    "Uncertainty": "align_cli.engine.records",
    "Verdict": "align_cli.engine.records",
    "check": "align_cli.engine.check",
    "read_transform": "align_cli.commands.transform_files",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415  (nothing is loaded before it is used)

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
