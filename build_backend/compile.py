"""Compile the native core, with gcc, clang or the ``ziglang`` package.

    python -m build_backend.compile            puts the core in place, in a working copy

One object a level, each with the flags of its instructions and no others; never the flags of the
machine that compiles.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import os
import platform
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

from align_cli.native.library import HERE, SOURCES, library_path, source_hash
from align_cli.workers import available_cores

ZIG_REQUIREMENT: Final = "ziglang>=0.14"

FLAGS: Final = (
    "-std=c11",
    "-O3",
    "-fPIC",
    "-fvisibility=hidden",
    # The promise about bits, see core.h. Traps are off, so comparisons may run ahead of branches.
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-g0",
)

WARNINGS: Final = (
    "-Wall",
    "-Wextra",
    "-Wconversion",
    "-Wshadow",
    "-Wstrict-prototypes",
    "-Wundef",
)

QUIET: Final = ("-Wno-psabi",)
"""Vectors wider than the registers are passed in another way by gcc 4; ours never leave a file."""

SANITIZE: Final = (
    "-g",
    "-O1",  # what the checks take is compiled in a third of the time
    "-fno-omit-frame-pointer",
    "-fsanitize=address,undefined,float-cast-overflow",
    "-fno-sanitize-recover=all",
)

DRIVER: Final = Path(__file__).parent.parent / "tests" / "native" / "driver" / "driver.c"

BASELINE: Final[dict[str, tuple[str, ...]]] = {
    "x86_64": ("-march=x86-64",),
    "aarch64": ("-march=armv8-a",),
}

LEVELS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "x86_64": {
        "sse2": ("-msse2",),
        "avx2": ("-mavx2",),
        "avx512": ("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl"),
    },
    "aarch64": {"neon": ()},
}
"""By machine: the levels, and the flags of each beside the baseline's."""

MACHINES: Final = {"amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64"}
"""Other names of the machines."""

TRIAL: Final = """
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
typedef float floats __attribute__((vector_size(64)));
typedef int32_t ints __attribute__((vector_size(64)));
static atomic_int calls;
int trial(const float *data) {
    floats values;
    memcpy(&values, data, sizeof values);
    ints whole = __builtin_convertvector(values + values, ints);
    return whole[atomic_fetch_add(&calls, 1) & 15];
}
"""
"""What a compiler must know: the vector extension as of gcc 9, C11 atomics, a libc's headers."""


class Failed(Exception):  # noqa: N818  (it is the compiler that erred)
    """A compiler refused; the message is what it said."""


class Compiler(NamedTuple):
    """A command that compiles C, and for which machine."""

    command: tuple[str, ...]
    machine: str
    platform: str = sys.platform

    @property
    def is_zig(self) -> bool:
        """Whether it is zig's clang, which needs to be told what the others take for granted."""
        return "ziglang" in self.command or Path(self.command[0]).stem == "zig"

    def run(self, *arguments: str) -> None:
        """Run it.

        Raises:
            Failed: if it fails or cannot be run.
        """
        command = [*self.command, *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            raise Failed(f"{command[0]}: {error}") from error
        if done.returncode:
            raise Failed(f"{shlex.join(command)}\n{done.stdout}{done.stderr}")

    def flags(self, level: str | None = None) -> tuple[str, ...]:
        """The flags of a level's object, or of what belongs to none."""
        own = LEVELS[self.machine][level] if level else ()
        if self.is_zig:
            # Its default is the processor at hand, and without -O its runtime checks.
            features = "".join(
                "+" + flag.removeprefix("-m") for flag in own if flag.startswith("-m")
            )
            base = {"x86_64": "x86_64", "aarch64": "generic"}[self.machine]
            return (*FLAGS, *QUIET, f"-mcpu={base}{features}", "-fno-sanitize=all")
        return (*FLAGS, *QUIET, *BASELINE[self.machine], *own)


def this_machine() -> str:
    """x86_64 or aarch64: what Python runs on, or what its wheels are cross-built for.

    Raises:
        Failed: if there are no kernels for it.
    """
    wheels_for = os.environ.get("_PYTHON_HOST_PLATFORM", sysconfig.get_platform())
    name = wheels_for.rpartition("-")[2].lower()
    if name.startswith("universal"):
        name = platform.machine().lower()
    machine = MACHINES.get(name, name)
    if machine not in LEVELS:
        raise Failed(f"imalign's native core is for {' and '.join(LEVELS)}, not for {machine}")
    return machine


def zig(machine: str | None = None, target: str | None = None) -> Compiler:
    """The compiler of the ``ziglang`` package, for this machine or another."""
    machine = machine or this_machine()
    if target is None:
        # glibc 2.17 is what manylinux2014 promises, the oldest that anyone has.
        musl = "musl" in (sysconfig.get_config_var("SOABI") or "")
        target = {
            "linux": f"{machine}-linux-" + ("musl" if musl else "gnu.2.17"),
            "darwin": f"{machine}-macos",
            "win32": f"{machine}-windows-gnu",
        }[sys.platform]
    return Compiler((sys.executable, "-m", "ziglang", "cc", "-target", target), machine)


def system_compilers() -> Iterator[Compiler]:
    """The compilers that may be on this machine, the one that ``CC`` names first."""
    machine = this_machine()
    # Apple's compile for whichever processor they are told.
    names = {"x86_64": "x86_64", "aarch64": "arm64"}
    target = ("-arch", names[machine]) if sys.platform == "darwin" else ()
    if named := os.environ.get("CC"):
        yield Compiler((*shlex.split(named), *target), machine)
    if sys.platform != "win32":
        for name in ("cc", "gcc", "clang"):
            yield Compiler((name, *target), machine)


def works(compiler: Compiler) -> bool:
    """Whether it makes a shared library of ten lines, with the instructions of every level."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "trial.c"
        source.write_text(TRIAL)
        objects = []
        try:
            for level in LEVELS[compiler.machine]:
                objects.append(str(Path(folder) / f"{level}.o"))
                compiler.run(*compiler.flags(level), "-c", str(source), "-o", objects[-1])
            link(compiler, objects[-1:], Path(folder) / "trial")
        except Failed:
            return False
    return True


@functools.cache
def system_compiler() -> Compiler | None:
    """The first compiler of this machine that works."""
    return next(filter(works, system_compilers()), None)


def compiler() -> Compiler:
    """A compiler that works: this machine's own, or else ziglang.

    Raises:
        Failed: if there is none.
    """
    if found := system_compiler():
        return found
    if importlib.util.find_spec("ziglang"):
        return zig()
    raise Failed(
        "no C compiler works here; install gcc (9 or newer) or clang, or: "
        f"{sys.executable} -m pip install '{ZIG_REQUIREMENT}'"
    )


def link(compiler: Compiler, objects: Sequence[str], path: Path, *flags: str) -> None:
    """Make a shared library of objects."""
    kind = "-dynamiclib" if compiler.platform == "darwin" else "-shared"
    target = compiler.flags()[-2:] if compiler.is_zig else ()
    compiler.run(kind, *target, *flags, *objects, "-o", str(path))


def compiled(
    compiler: Compiler,
    level: str | None,
    folder: Path,
    *flags: str,
    sources: Path = SOURCES,
    strict: bool = False,
) -> str:
    """Compile one source.

    Args:
        compiler: which.
        level: whose source; None for the dispatch.
        folder: for the object.
        flags: more of them.
        sources: the folder of the sources.
        strict: warnings are errors. Not where users install: their compiler may be newer than
            this file, and know warnings that it does not.

    Returns:
        The object's path.
    """
    name = f"level_{level}" if level else "dispatch"
    path = str(folder / f"{name}.o")
    own = (*compiler.flags(level), *((*WARNINGS, "-Werror") if strict else ()), *flags)
    hashed = f'-DIMALIGN_SOURCE_HASH="{source_hash(sources)}"'
    compiler.run(*own, hashed, "-c", str(sources / f"{name}.c"), "-o", path)
    return path


def objects(compiler: Compiler, folder: Path, *flags: str, strict: bool = False) -> list[str]:
    """``compiled``, of the dispatch and of every level, worst first, as many at a time as cores."""
    with ThreadPoolExecutor(available_cores()) as pool:
        levels = (None, *LEVELS[compiler.machine])
        one = functools.partial(compiled, compiler, strict=strict)
        return list(pool.map(lambda level: one(level, folder, *flags), levels))


def build(
    folder: Path = HERE, compiled_by: Compiler | None = None, *, strict: bool = False
) -> Path:
    """Compile the core into a folder.

    Returns:
        The shared library's path.

    Raises:
        Failed: if there is no compiler, or it refuses.
    """
    compiled_by = compiled_by or compiler()
    path = library_path(folder, compiled_by.platform)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        made = Path(scratch) / path.name
        link(compiled_by, objects(compiled_by, Path(scratch), strict=strict), made)
        # In one step: who has the old one loaded keeps it, who loads now gets a whole one.
        try:
            made.replace(path)
        except OSError as error:  # Windows does not let go of one that is loaded
            raise Failed(f"{path} is in use: {error}") from error
    return path


def link_driver(
    path: Path, compiler: Compiler, made: Sequence[str], *flags: str, sources: Path = SOURCES
) -> Path:
    """Compile the program that tries every kernel at every level, and put it together.

    Args:
        path: of the program.
        compiler: which.
        made: the core's objects.
        flags: more of them, such as ``SANITIZE``.
        sources: the folder of the core's sources.

    Returns:
        ``path``.
    """
    own = (*compiler.flags(), *WARNINGS, "-Werror", *flags)
    compiler.run(*own, f"-I{sources}", str(DRIVER), *made, "-o", str(path))
    return path


def build_driver(path: Path, compiled_by: Compiler | None = None, *flags: str) -> Path:
    """``link_driver``, and the objects for it, warnings being errors.

    Raises:
        Failed: if there is no compiler, or it refuses.
    """
    compiled_by = compiled_by or compiler()
    with tempfile.TemporaryDirectory() as scratch:
        made = objects(compiled_by, Path(scratch), *flags, strict=True)
        return link_driver(path, compiled_by, made, *flags)


def main() -> None:
    """Compile the core of a working copy."""
    parser = argparse.ArgumentParser(prog="python -m build_backend.compile", description=__doc__)
    parser.add_argument("--strict", action="store_true", help="warnings are errors")
    parser.add_argument("--zig", action="store_true", help="by ziglang, whatever else is there")
    parser.add_argument("--driver", type=Path, help="the program that tries it, there, instead")
    parser.add_argument("--sanitize", action="store_true", help="have it look for undefined acts")
    options = parser.parse_args()
    compiled_by = zig() if options.zig else None
    try:
        if options.driver:
            flags = SANITIZE if options.sanitize else ()
            path = build_driver(options.driver, compiled_by, *flags)
        else:
            path = build(compiled_by=compiled_by, strict=options.strict)
    except Failed as error:
        sys.exit(str(error))
    print(path)


if __name__ == "__main__":
    main()
