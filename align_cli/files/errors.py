"""What can be wrong with a file, in words for the person who named it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, TypeAlias

PathLike: TypeAlias = "str | os.PathLike[str]"

STDIN: Final = "-"
"""The name by which stdin is read."""


class FilesError(Exception):
    """A file could not be read or written. ``str()`` of it is one line for people.

    Attributes:
        path: the file as the user named it.
        cause: what is wrong, so that "<path>: <cause>" reads well.
        advice: the next thing to try.
    """

    def __init__(self, path: PathLike, cause: str, advice: str) -> None:
        # All three go to Exception, so that the error survives pickling between processes.
        super().__init__(os.fspath(path), cause, advice)
        self.path = os.fspath(path)
        self.cause = cause
        self.advice = advice

    def __str__(self) -> str:
        return f"{printable(self.path)}: {printable(self.cause)}; {printable(self.advice)}"


class UnreadableError(FilesError):
    """An input that cannot be read, or that holds something this program cannot use.

    Example:
        >>> from align_cli import UnreadableError, load
        >>> try:
        ...     load("nowhere.json")
        ... except UnreadableError as error:
        ...     print(error)
        nowhere.json: there is no such file; check the name and the folder
    """


class UnwritableError(FilesError):
    """An output that cannot be written where, or in the format, that was asked for.

    Example:
        >>> from align_cli import Transform, UnwritableError
        >>> try:
        ...     Transform.from_matrix([[1, 0, 5], [0, 1, -3], [0, 0, 1]]).save("nowhere/shift.json")
        ... except UnwritableError as error:
        ...     print(error)
        nowhere/shift.json: its folder does not exist; create the folder first
    """


class UnknownNameError(UnwritableError):
    """An output whose name, by its suffix, means nothing that is written there."""


class ContentError(Exception):
    """The bytes of an input are not usable: raised by decoders, which do not know the path."""

    def __init__(self, cause: str, advice: str) -> None:
        super().__init__(cause, advice)
        self.cause = cause
        self.advice = advice


def damaged(what: str) -> ContentError:
    """Return the error for content that breaks its own format's rules."""
    return ContentError(f"is damaged ({what})", "copy or download it again")


def truncated(what: str) -> ContentError:
    """Return the error for a file that ends before its content does."""
    return ContentError(f"is truncated ({what})", "copy or download it again")


def printable(text: str) -> str:
    """Return ``text`` on one line: a file may be named with a newline or with broken UTF-8."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


_READ_CAUSES: dict[int | None, tuple[str, str]] = {
    errno.ENOENT: ("there is no such file", "check the name and the folder"),
    errno.ENOTDIR: ("there is no such file", "a part of the path before it is not a folder"),
    errno.EISDIR: ("is a folder", "name a file inside it"),
    errno.EACCES: ("permission denied", "make it readable, for example with chmod +r"),
    errno.EPERM: ("permission denied", "make it readable, for example with chmod +r"),
    errno.ELOOP: ("is a circular symbolic link", "name the file itself"),
    errno.ENAMETOOLONG: ("the name is too long", "check the name"),
}

_WRITE_CAUSES: dict[int | None, tuple[str, str]] = {
    errno.ENOENT: ("its folder does not exist", "create the folder first"),
    errno.ENOTDIR: ("a part of the path before it is not a folder", "check the path"),
    errno.EISDIR: ("is a folder", "name a file inside it"),
    errno.EACCES: ("permission denied", "choose another folder or change its permissions"),
    errno.EPERM: ("permission denied", "choose another folder or change its permissions"),
    errno.EROFS: ("the file system is read-only", "choose another folder"),
    errno.ENOSPC: ("no space is left on the device", "free some space or choose another folder"),
    errno.EDQUOT: ("the disk quota is exceeded", "free some space or choose another folder"),
    errno.EFBIG: ("the file would be too large for the file system", "choose another folder"),
    errno.ELOOP: ("is a circular symbolic link", "choose another name"),
    errno.ENAMETOOLONG: ("the name is too long", "choose a shorter name"),
    errno.EPIPE: ("the reader closed this pipe", "check the program that reads it"),
}


def unreadable(path: PathLike, error: OSError) -> UnreadableError:
    """Translate what the operating system said about reading ``path``."""
    if os.fspath(path) == STDIN and isinstance(error, FileNotFoundError):
        advice = "give /dev/stdin, or a file"
        return UnreadableError(path, "does not stand for stdin here", advice)
    cause, advice = _READ_CAUSES.get(
        error.errno,
        (f"cannot be read ({error.strerror or error})", "check the file and its disk"),
    )
    near = _nearest_name(path) if error.errno == errno.ENOENT else None
    advice = advice if near is None else f"did you mean {near}?"
    return UnreadableError(path, cause, advice)


def _nearest_name(path: PathLike) -> str | None:
    """A file of nearly this name in the same folder, as it would be typed; None if none is."""
    from difflib import get_close_matches  # noqa: PLC0415  (only a mistake needs it)

    folder, name = os.path.split(os.fspath(path))
    try:
        names = sorted(os.listdir(folder or os.curdir))  # noqa: PTH208  (which may be no UTF-8)
    except (OSError, ValueError):
        return None
    # By what stands before the suffix: short names of one suffix are all alike.
    stem, suffix = os.path.splitext(name)  # noqa: PTH122  (the name may be no UTF-8)
    others = [each for each in names if each != name]  # itself: a link that leads nowhere
    of_suffix = [each for each in others if each.lower().endswith(suffix.lower())]
    by_stem = {os.path.splitext(each)[0].lower(): each for each in of_suffix}  # noqa: PTH122
    near = get_close_matches(stem.lower(), by_stem, n=1)
    return os.path.join(folder, by_stem[near[0]]) if near else None  # noqa: PTH118


def unwritable(path: PathLike, error: OSError) -> UnwritableError:
    """Translate what the operating system said about writing ``path``."""
    if error.errno == errno.ENOENT and Path(os.path.realpath(path)).parent.is_dir():
        return UnwritableError(path, "cannot be created in this folder", "choose another folder")
    cause, advice = _WRITE_CAUSES.get(
        error.errno,
        (f"cannot be written ({error.strerror or error})", "choose another folder"),
    )
    return UnwritableError(path, cause, advice)


def reading(path: PathLike) -> AbstractContextManager[None]:
    """Turn what goes wrong with an input inside into an UnreadableError that names it."""
    return _named(path, UnreadableError, unreadable)


def writing(path: PathLike) -> AbstractContextManager[None]:
    """Turn what goes wrong with an output inside into an UnwritableError that names it."""
    return _named(path, UnwritableError, unwritable)


@contextmanager
def _named(
    path: PathLike, kind: type[FilesError], of_system: Callable[[PathLike, OSError], FilesError]
) -> Iterator[None]:
    try:
        yield
    except ContentError as error:
        raise kind(path, error.cause, error.advice) from error
    except MemoryError as error:
        raise kind(path, "does not fit into memory", "reduce the image") from error
    except OSError as error:
        raise of_system(path, error) from error
    except ValueError as error:
        if "null" not in str(error):  # a NUL in the name
            raise
        raise kind(path, "is not a valid file name", "check the name") from error
