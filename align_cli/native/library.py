"""The compiled core: found beside this file, checked against its sources, loaded once.

Nothing is loaded before the first call, and importing this module is cheap.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from numpy.typing import NDArray

HERE: Final = Path(__file__).parent

SOURCES: Final = HERE / "src"

SUFFIXES: Final = {"win32": "dll", "darwin": "dylib"}
"""Suffix of a shared library, by ``sys.platform``; "so" elsewhere."""

LANES: Final = 16
"""Values of a block of the core's sums: rows of scratch are padded to whole blocks."""

LEVEL_VARIABLE: Final = "IMALIGN_CPU_LEVEL"
"""The environment variable that selects a level: sse2, avx2, avx512 or neon."""


class CoreError(ImportError):
    """The core cannot be used; the message is one line with what to do."""


class Plane(ctypes.Structure):
    """``imalign_plane``: a grid of pixels that is read."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("width", ctypes.c_int64),
        ("height", ctypes.c_int64),
        ("step_x", ctypes.c_int64),
        ("step_y", ctypes.c_int64),
    )


class Output(ctypes.Structure):
    """``imalign_output``: a grid of pixels that is written."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("width", ctypes.c_int64),
        ("height", ctypes.c_int64),
        ("step_y", ctypes.c_int64),
    )


def plane(array: NDArray[Any], dtype: type) -> Plane:
    """A (height, width) array as a kernel reads it: of any strides, never copied.

    The structure does not keep the array alive; the caller does.
    """
    if array.ndim != 2 or array.dtype != dtype:
        raise TypeError(
            f"expected a 2-D {dtype.__name__} array, got a {array.ndim}-D {array.dtype} one"
        )
    height, width = array.shape
    step_y, step_x = array.strides
    return Plane(array.__array_interface__["data"][0], width, height, step_x, step_y)


def packed(array: NDArray[Any]) -> NDArray[Any]:
    """The array, or a copy of it if the pixels of its rows are not contiguous."""
    return array if array.strides[1] == array.itemsize else array.copy()


def round_to_lanes(count: int) -> int:
    """A number of values, rounded up to whole blocks of ``LANES``."""
    return -(-count // LANES) * LANES


def output(array: NDArray[Any], dtype: type) -> Output:
    """A (height, width) array as a kernel writes it: writeable, the pixels of a row contiguous.

    The structure does not keep the array alive; the caller does.
    """
    whole = plane(array, dtype)
    if not array.flags.writeable or (whole.width > 1 and whole.step_x != array.itemsize):
        raise ValueError("an output must be writeable, and the pixels of a row contiguous")
    return Output(whole.data, whole.width, whole.height, whole.step_y)


def source_hash(folder: Path = SOURCES) -> str:
    """A hash of the core's sources, 8 hexadecimal digits.

    A checksum, since it guards against an outdated build, not against malice, and hashlib takes 4
    ms of every start. Line endings are ignored: git may change them.
    """
    checksum = 0
    for path in sorted(folder.iterdir()):
        text = path.read_bytes().replace(b"\r\n", b"\n")
        checksum = zlib.crc32(b"%s %d\n%s" % (path.name.encode(), len(text), text), checksum)
    return f"{checksum:08x}"


def library_path(folder: Path = HERE, platform: str = sys.platform) -> Path:
    """The path of the compiled core."""
    return folder / f"_core.{SUFFIXES.get(platform, 'so')}"


def load(folder: Path = HERE) -> ctypes.CDLL:
    """Load and check the core of a folder.

    Raises:
        CoreError: if it is missing, cannot be loaded, or was built from other sources; or if
            ``LEVEL_VARIABLE`` names an unsupported level.
    """
    path = library_path(folder)
    if not path.exists():
        raise CoreError(f"the native core {path} is missing; {_advice(folder)}")
    try:
        library = ctypes.CDLL(str(path))
        library.imalign_source_hash.restype = ctypes.c_char_p
        made_of = library.imalign_source_hash().decode()
    except (OSError, AttributeError) as error:
        cause = " ".join(str(error).split())
        raise CoreError(
            f"the native core {path} cannot be loaded on this machine ({cause}); {_advice(folder)}"
        ) from error
    wanted = source_hash(folder / "src")
    if made_of != wanted:
        raise CoreError(
            f"the native core {path} was built from different sources "
            f"({made_of}, expected {wanted}); {_advice(folder)}"
        )
    for name in ("imalign_level", "imalign_level_name", "imalign_kernel_name", "imalign_message"):
        getattr(library, name).restype = ctypes.c_char_p
    library.imalign_set_level.argtypes = (ctypes.c_char_p,)
    library.imalign_kernel_bytes.restype = ctypes.c_int64
    if forced := os.environ.get(LEVEL_VARIABLE):
        _set_level(library, forced)
    return library


def _advice(folder: Path) -> str:
    root = folder.parent.parent
    if (root / "build_backend" / "compile.py").exists():
        return (
            f"in {root} run {sys.executable} -m build_backend.compile, or "
            f"{sys.executable} -m pip install -e . (in any other folder Python finds an installed "
            f"package instead of this one)"
        )
    from align_cli.version import DISTRIBUTION  # noqa: PLC0415  (the build needs this file alone)

    return f"run {sys.executable} -m pip install --force-reinstall --no-deps {DISTRIBUTION}"


core = functools.cache(load)


def call(kernel: str, arguments: ctypes.Structure) -> None:
    """Call a kernel, without the interpreter's lock.

    Raises:
        ValueError: with the core's objection to the arguments.
    """
    library = core()
    code = getattr(library, f"imalign_{kernel}")(ctypes.byref(arguments))
    if code:
        raise ValueError(f"{kernel}: {library.imalign_message(code).decode()}")


def level() -> str:
    """The level in use."""
    name: bytes = core().imalign_level()
    return name.decode()


def levels() -> list[str]:
    """The levels that this processor supports, slowest first."""
    return _levels(core())


def _levels(library: ctypes.CDLL) -> list[str]:
    names: list[str] = []
    while name := library.imalign_level_name(len(names)):
        names.append(name.decode())
    return [name for i, name in enumerate(names) if library.imalign_has_level(i)]


@contextmanager
def forced(name: str) -> Iterator[None]:
    """Use a level within the context, in all threads.

    Raises:
        CoreError: if there is no such level, or this processor does not support it.
    """
    before = level()
    _set_level(core(), name)
    try:
        yield
    finally:
        _set_level(core(), before)


def _set_level(library: ctypes.CDLL, name: str) -> None:
    if library.imalign_set_level(name.encode()):
        raise CoreError(
            f"{LEVEL_VARIABLE}: this processor does not support {name!r}; choose one of "
            f"{', '.join(_levels(library))}"
        )
