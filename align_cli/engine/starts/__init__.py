"""First guesses: where the solver may begin, in the order of what they cost.

All guesses are warps ``W``: target pixel -> source pixel, at full size. A start only proposes;
``align_cli.engine.search`` tries what it proposes and decides. Adding one means adding a file, an
entry here, and its name to ``options.START_NAMES``, which has the names without numpy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from align_cli.engine.arrays import Matrix
from align_cli.engine.options import POSES
from align_cli.engine.starts import features, fourier, poses, template, tilted, translation
from align_cli.engine.starts.given import GIVEN, chosen_starts, starting_warp
from align_cli.engine.starts.views import Views

__all__ = ["GIVEN", "IDENTITY", "STARTS", "Views", "chosen_starts", "starting_warp"]

IDENTITY: Final = "identity"
"""Where every search begins: the images as they lie."""

Guesses = Callable[[Views], Iterator[Matrix]]


def _identity(_: Views) -> Iterator[Matrix]:
    yield np.eye(3)


STARTS: Final[dict[str, Guesses]] = {
    IDENTITY: _identity,
    "translation": translation.guesses,
    "template": template.guesses,
    "fourier": fourier.guesses,
    "features": features.guesses,
    POSES: poses.guesses,
    "tilted": tilted.guesses,
}
"""Every start by name."""

COSTLY: Final = (POSES, "tilted")
"""Those that are asked after all others, whatever is compared."""

LAST_RESORTS: Final = ("tilted",)
"""Those that cost so much that they are asked only where no answer of the others is aligned."""
