"""What ``imalign doctor`` looks at, each by itself: one that fails does not hide the others."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from importlib import import_module, metadata
from pathlib import Path
from typing import Final, NamedTuple

from align_cli.version import DISTRIBUTION

PURPOSES: Final = {
    "test": "run the tests",
    "plot": "draw an alignment in Python",
    "browser": "open reports in a browser, in the tests",
    "coverage": "measure what the tests reach",
    "mutants": "change the code and see whether a test notices",
    "zig": "prove the native core by a second compiler",
    "bench": "benchmarks against other programs",
}
"""What the extras of ``pyproject.toml`` are for; a test keeps both equal."""

OK: Final = "ok"
FAILED: Final = "FAILED"
ABSENT: Final = "-"


MOST_OFF_PX: Final = 0.01
"""Error of the estimated shift of a noiseless pair that no working installation has: it is 1e-4."""


class Finding(NamedTuple):
    """A line of the report.

    Attributes:
        name: what was looked at.
        text: what was found; where it failed, the cause and what to do.
        state: ``OK``, ``FAILED``, or ``ABSENT`` for what nobody needs.
    """

    name: str
    text: str
    state: str = OK

    @property
    def failed(self) -> bool:
        """Whether nothing can be aligned without it."""
        return self.state == FAILED


def examine() -> list[Finding]:
    """Look at everything, in the order in which one thing needs the others."""
    parts: tuple[tuple[str, Callable[[], str]], ...] = (
        ("click", lambda: _version("click")),
        ("numpy", lambda: _version("numpy")),
        ("OpenCV", _opencv),
        ("imageio", lambda: _version("imageio")),
        ("Pillow", lambda: _version("PIL", "pillow")),
        ("tifffile", lambda: _version("tifffile")),
        ("tqdm", lambda: _version("tqdm")),
        ("Jinja2", lambda: _version("jinja2")),
        ("native core", _core),
        ("threads", _threads),
        ("reads", _reads),
        ("writes", _writes),
        ("alignment", _alignment),
    )
    return [*(_tried(name, look) for name, look in parts), *extras()]


def _tried(name: str, look: Callable[[], str]) -> Finding:
    """What a look finds; anything that goes wrong is the finding."""
    try:
        return Finding(name, look())
    except Exception as error:
        return Finding(name, _advice(name, error), FAILED)


def _advice(name: str, error: Exception) -> str:
    from align_cli.commands.run import CV2_ADVICE  # noqa: PLC0415  (it imports the commands)
    from align_cli.native.library import CoreError  # noqa: PLC0415

    cause = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, CoreError):
        return cause
    if name == "OpenCV":
        return CV2_ADVICE.format(error=cause)
    again = f"{sys.executable} -m pip install --force-reinstall {DISTRIBUTION}"
    return f"{cause}; if no line above has FAILED, run {again}"


def _version(module: str, distribution: str | None = None) -> str:
    """The version of a package that can be imported.

    Raises:
        ImportError: if it cannot.
    """
    loaded = import_module(module)
    try:
        return metadata.version(distribution or module)
    except metadata.PackageNotFoundError:
        return str(getattr(loaded, "__version__", "of unknown version"))


def _opencv() -> str:
    """Version and build of OpenCV: which of its wheels, and with what it decodes files."""
    import cv2  # noqa: PLC0415

    build = cv2.getBuildInformation()
    wheels = ("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless")
    wheel = next((name for name in wheels if _installed(name)), "not a wheel of opencv-python")
    found = [f"{cv2.__version__} ({wheel})"]
    for title in ("Baseline", "Dispatched code generation", "GUI"):
        line = re.search(rf"^ *{title}: *(\S.*)$", build, re.MULTILINE)
        if line:
            found.append(f"{title.split()[0].lower()} {' '.join(line[1].split())}")
    return ", ".join(found)


def _core() -> str:
    """The level of the native core, which is loaded and checked against its sources."""
    from align_cli.native import library  # noqa: PLC0415

    return (
        f"CPU level {library.level()}, of {', '.join(library.levels())} "
        f"(set {library.LEVEL_VARIABLE} to choose), {library.library_path()}"
    )


def _threads() -> str:
    from align_cli.engine.numerics.threads import MOST_THREADS  # noqa: PLC0415
    from align_cli.workers import available_cores  # noqa: PLC0415

    cores = available_cores()
    return f"{min(cores, MOST_THREADS)}, of {cores} available cores (--threads N to choose)"


def _writes() -> str:
    """The formats that are written: each of them is, and read back, in a temporary folder.

    Raises:
        ImportError: naming those that do not give the same pixels.
    """
    import tempfile  # noqa: PLC0415

    import numpy as np  # noqa: PLC0415

    from align_cli.files.encode import FORMATS  # noqa: PLC0415
    from align_cli.files.errors import FilesError  # noqa: PLC0415
    from align_cli.files.images import read_image, write_image  # noqa: PLC0415

    flat = np.full((16, 16, 3), 128, np.uint8)  # JPEG too gives it back
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        for each in FORMATS:
            pixels = flat if each.holds(flat) else flat[..., 0]
            path = Path(folder) / f"a{each.suffixes[0]}"
            try:
                write_image(path, pixels)
                same = bool((read_image(path).pixels == pixels).all())
            except (FilesError, ImportError):
                same = False
            if not same:
                wrong.append(each.name)
    if wrong:
        raise ImportError(f"{', '.join(wrong)} cannot be written and read back")
    return " ".join(suffix for each in FORMATS for suffix in each.suffixes) + " (each tried)"


def _reads() -> str:
    from align_cli.files.images import READ_FORMATS  # noqa: PLC0415

    return READ_FORMATS


def _alignment() -> str:
    """A small pair, aligned.

    Raises:
        ImportError: if the result is wrong.
    """
    import numpy as np  # noqa: PLC0415

    from align_cli.engine.aligner import align  # noqa: PLC0415

    y, x = np.mgrid[:80, :100]
    target = np.sin(x / 5) + np.cos(y / 7 + x / 20)
    source = np.sin((x + 1) / 5) + np.cos(y / 7 + (x + 1) / 20)
    found = align(source, target, model="translation")
    off = float(np.hypot(*(found.source_to_target[:2, 2] - (1.0, 0.0))))
    if not (found.outcome.aligned and off < MOST_OFF_PX):
        raise ImportError(f"a shift of 1 px was found {off:.3g} px off")
    return f"a shift of 1 px is found to {off:.1g} px"


def extras() -> list[Finding]:
    """The extras of the distribution, and what installs each that is not complete."""
    try:
        about = metadata.metadata(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        how = f"{sys.executable} -m pip install -e"
        return [
            Finding(f"[{name}]", f"{purpose}: in the clone run {how} '.[{name}]'", ABSENT)
            for name, purpose in PURPOSES.items()
        ]
    required = about.get_all("Requires-Dist") or []
    return [_extra(name, required) for name in about.get_all("Provides-Extra") or []]


def _extra(name: str, required: list[str]) -> Finding:
    """An extra, of the requirements of the distribution as their metadata has them."""
    own = [each for each in required if re.search(rf"extra *== *['\"]{re.escape(name)}['\"]", each)]
    packages = [re.split(r"[^A-Za-z0-9._-]", each, maxsplit=1)[0] for each in own]
    missing = [package for package in packages if not _installed(package)]
    purpose = PURPOSES.get(name, "")
    title = f"[{name}]"
    if not missing:
        return Finding(title, f"{purpose}: installed")
    how = f"{sys.executable} -m pip install '{DISTRIBUTION}[{name}]'"
    return Finding(title, f"{purpose}: without {', '.join(missing)}; to get it, {how}", ABSENT)


def _installed(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True
