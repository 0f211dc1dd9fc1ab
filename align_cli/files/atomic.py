"""Outputs that are complete or absent: written beside their final name, then renamed.

Whatever happens in between (an error, Ctrl-C, a kill), the final name holds the old file, the
complete new one, or nothing.

There is no ``fsync``: a rename needs none to be safe against the death of this process, which is
what is promised. It would guard against a power cut, at a cost of tens of milliseconds per file
on a disk, more than the alignment takes; what a power cut destroys can be computed again.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from align_cli.files.errors import PathLike, UnwritableError, writing

# Names of streams that this process has open: even where a regular file stands behind one, it is
# the open file that must be written, not a new one.
_STREAMS = ("/dev/stdout", "/dev/stderr", "/dev/fd/", "/proc/")


@contextlib.contextmanager
def atomic_write(path: PathLike) -> Iterator[BinaryIO]:
    """Open ``path`` for writing bytes; it is replaced as a whole when the block ends well.

    The new file has the permissions that a plain ``open()`` would leave: those of the file that
    it replaces, or the umask's. A symbolic link is followed and stays a link. What is not a
    regular file (/dev/null, a FIFO, a terminal) is written straight.

    Raises:
        UnwritableError: if the file cannot be created, written or renamed. Any other exception
            of the block passes through; the temporary file is removed in every case.
    """
    with writing(path):
        ensure_writable(path)
        straight = _written_straight(path)
        final = Path(path) if straight else Path(os.path.realpath(path))
        with final.open("wb") if straight else _replacement(final) as handle:
            yield handle


def write_bytes(path: PathLike, data: bytes | bytearray | memoryview) -> None:
    """Make ``path`` hold ``data``, atomically; errors as :func:`atomic_write`."""
    with atomic_write(path) as handle:
        handle.write(data)


@contextlib.contextmanager
def _replacement(final: Path) -> Iterator[BinaryIO]:
    """Yield a new hidden file in the folder of ``final``; rename it when the block ends well."""
    # Short and independent of the final name, which may be as long as the file system allows.
    temporary = final.parent / f".imalign-{os.urandom(8).hex()}.tmp"
    try:
        with temporary.open("xb") as handle:
            yield handle
        with contextlib.suppress(FileNotFoundError):
            temporary.chmod(stat.S_IMODE(final.stat().st_mode))
        temporary.replace(final)
    except BaseException:  # KeyboardInterrupt and SystemExit too
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def ensure_writable(path: PathLike) -> None:
    """Check, before long work, that ``path`` can be written at its end; writes nothing.

    Raises:
        UnwritableError: if ``path`` is a folder or a write-protected file, or if its folder does
            not exist, is not a folder or is not writable. (What only the write can tell, such as
            a full disk, is not found here.)
    """
    name = os.fspath(path)
    if not name:
        raise UnwritableError("''", "the name is empty", "name a file")
    if name.endswith((os.sep, os.altsep or os.sep)):
        raise UnwritableError(path, "is the name of a folder", "name a file inside it")
    with writing(path):
        mode = _mode(path)
        if mode is not None and stat.S_ISDIR(mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        if mode is not None and not os.access(path, os.W_OK):
            raise UnwritableError(
                path, "is write-protected", "choose another name or change its permissions"
            )
        if _written_straight(path):
            return
        folder = Path(os.path.realpath(path)).parent
        if not stat.S_ISDIR(folder.stat().st_mode):
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UnwritableError(path, f"the folder {folder} is not writable", "choose another folder")


def same_file(first: PathLike, second: PathLike) -> bool:
    """Tell whether writing ``second`` would overwrite ``first``, or the other way round.

    True through symbolic links, hard links, relative names, and names that differ in case on a
    file system that ignores case. Files need not exist. Always false for what is not a regular
    file: nothing is lost by reading and writing one terminal, or by writing /dev/null twice; and
    for a name that cannot be one, which reading or writing it tells better.
    """
    try:
        modes = [_mode(path) for path in (first, second)]
    except OSError:  # too long, a link to itself, a folder that may not be searched
        return False
    if any(mode is not None and not stat.S_ISREG(mode) for mode in modes):
        return False
    if None not in modes:
        return Path(first).samefile(second)
    if modes != [None, None]:
        return False  # one exists, the other does not
    return _comparable(first) == _comparable(second)


def _mode(path: PathLike) -> int | None:
    """Return the mode of the file behind ``path``, or None where there is none yet."""
    try:
        return Path(path).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None


def _written_straight(path: PathLike) -> bool:
    """Tell whether ``path`` exists and is something that a rename would wrongly replace."""
    mode = _mode(path)
    if mode is None:
        return False
    return not stat.S_ISREG(mode) or str(Path(path).absolute()).startswith(_STREAMS)


def _comparable(path: PathLike) -> str:
    """Return the absolute name without links, folded where names usually ignore case."""
    name = os.path.normcase(os.path.realpath(path))
    return name.casefold() if sys.platform in ("darwin", "win32") else name
