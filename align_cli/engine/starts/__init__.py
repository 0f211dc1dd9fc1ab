"""Starts: initial transforms for the solver, in the order of their cost.

All candidates are warps ``W``: target pixel -> source pixel, at full size. A start only proposes;
``align_cli.engine.search`` evaluates its candidates and decides. To add one, add a file with
``guesses``, and its name to ``options.START_NAMES``, which imports no numpy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Final

from align_cli.engine.arrays import Matrix
from align_cli.engine.options import POSES, START_NAMES
from align_cli.engine.starts.given import GIVEN, chosen_starts, starting_warp
from align_cli.engine.starts.views import Views

__all__ = ["GIVEN", "IDENTITY", "STARTS", "Views", "chosen_starts", "starting_warp"]

IDENTITY: Final = "identity"
"""The start of every search: the images as given."""

Guesses = Callable[[Views], Iterator[Matrix]]


STARTS: Final[dict[str, Guesses]] = {
    name: import_module(f"{__name__}.{name}").guesses for name in START_NAMES
}
"""All starts by name, which is also that of their file."""

COSTLY: Final = (POSES,)
"""Starts that are tried after the cheap ones, with any similarity measure."""

LAST_RESORTS: Final = ("tilted",)
"""Starts so costly that they are tried last, and only if no estimate of the others is aligned."""
