"""First guesses: where the solver may begin, in the order of what they cost.

All guesses are warps ``W``: target pixel -> source pixel, at full size. A start only proposes;
``align_cli.engine.search`` tries what it proposes and decides. Adding one means adding a file with
``guesses``, and its name, without numpy, to ``options.START_NAMES``.
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
"""Where every search begins: the images as they lie."""

Guesses = Callable[[Views], Iterator[Matrix]]


STARTS: Final[dict[str, Guesses]] = {
    name: import_module(f"{__name__}.{name}").guesses for name in START_NAMES
}
"""Every start by name, which is that of its file too."""

COSTLY: Final = (POSES, "tilted")
"""Those that are asked after all others, whatever is compared."""

LAST_RESORTS: Final = ("tilted",)
"""Those that cost so much that they are asked only where no answer of the others is aligned."""
