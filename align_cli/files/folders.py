"""The pictures of a folder, in the order in which people count."""

from __future__ import annotations

import re
from pathlib import Path

from align_cli.files.encode import BY_SUFFIX
from align_cli.files.errors import PathLike, UnreadableError, reading

_DIGITS = re.compile(r"(\d+)")


def pictures_in(folder: PathLike) -> list[str]:
    """Return the paths of the pictures in a folder, by suffix, frame 2 before frame 10.

    Folders inside it and hidden files are left out.

    Raises:
        UnreadableError: if it cannot be listed or holds no picture.
    """
    with reading(folder):
        found = [
            path
            for path in Path(folder).iterdir()
            if path.suffix.lower() in BY_SUFFIX and not path.name.startswith(".") and path.is_file()
        ]
    if not found:
        raise UnreadableError(
            folder, f"contains no image ({' '.join(BY_SUFFIX)})", "check the name"
        )
    return [str(path) for path in sorted(found, key=_natural)]


def _natural(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Digits by value, the rest by letter; what is the same by that, by its name."""
    parts = _DIGITS.split(path.name.casefold())
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts], path.name
