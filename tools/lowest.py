"""Print the least of everything that is imported, by the package and its tests, for ``pip -r``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

try:
    import tomllib
except ImportError:  # Python 3.10
    from pip._vendor import tomli as tomllib

PROJECT: Final = Path(__file__).resolve().parents[1] / "pyproject.toml"

NOT_IMPORTED: Final = ("mypy", "ruff", "types-setuptools")
"""What only looks at the code: `make lint` runs the newest."""

BOUND: Final = re.compile(r"([A-Za-z0-9-]+)>=([0-9]+(?:\.[0-9]+)+)")


def lowest(requirements: list[str]) -> list[str]:
    """Return ``name==version`` for each ``name>=version``.

    Raises:
        ValueError: if one is of another form, so that it has no lowest version.
    """
    found = []
    for requirement in requirements:
        bound = BOUND.fullmatch(requirement)
        if bound is None:
            raise ValueError(f"{requirement!r} is not of the form name>=version")
        if bound[1] not in NOT_IMPORTED:
            found.append(f"{bound[1]}=={bound[2]}")
    return found


def requirements() -> list[str]:
    """What the package and its tests ask for, in pyproject.toml."""
    project = tomllib.loads(PROJECT.read_text("utf-8"))["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["test"]]


if __name__ == "__main__":
    print("\n".join(lowest(requirements())))
