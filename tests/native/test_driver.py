"""The same bits at every level, from every compiler: the C driver proves it, and can fail.

The answers of ``driver/answers.txt`` are known, and never made by the run that they judge. After a
change of what a kernel computes, or of the calls: ``driver answers`` prints them.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from align_cli.native import library
from align_cli.native.library import SOURCES
from build_backend.compile import (
    LEVELS,
    SANITIZE,
    Compiler,
    Failed,
    build_driver,
    compiled,
    link_driver,
    system_compiler,
    this_machine,
)
from tests.native.proofs import (
    ANSWERS,
    lacking,
    needs,
    needs_any_compiler,
    needs_system_compiler,
    needs_zig,
    objects_by,
)

FUZZED_CALLS = 3000
SANITIZED_CALLS = 1000  # `make sanitize` makes more


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def levels_told(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line.partition(":")[0] for line in done.stderr.splitlines()]


def driver_by(needed: Callable[[], Compiler], path: Path) -> Path:
    return link_driver(path, needed(), [str(each) for each in objects_by(needed)])


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs_any_compiler()
    needed = needs_system_compiler if system_compiler() else needs_zig
    return driver_by(needed, tmp_path_factory.mktemp("driver") / "driver")


@pytest.mark.parametrize("level", LEVELS[this_machine()])
def test_this_processor_has_the_level(level: str, driver: Path) -> None:
    """Else it is not proved here: that is told, not passed over."""
    if level not in library.levels():
        pytest.skip(f"this processor has no {level}")
    assert level in levels_told(run(driver, "check", ANSWERS))


@pytest.mark.parametrize("by", [needs_system_compiler, needs_zig])
def test_every_level_gives_the_known_answers(by: Callable[[], Compiler], tmp_path: Path) -> None:
    done = run(driver_by(by, tmp_path / "driver"), "check", ANSWERS)
    assert done.returncode == 0, done.stdout
    assert levels_told(done) == library.levels()


def test_neon_gives_the_known_answers(tmp_path: Path) -> None:
    qemu = needs("qemu-aarch64", "apt-get install qemu-user")
    compiler = needs_zig("aarch64", "aarch64-linux-musl")
    driver = build_driver(tmp_path / "driver", compiler, "-static")
    for command in (["check", str(ANSWERS)], ["fuzz", "200"]):
        done = run(qemu, driver, *command)
        assert done.returncode == 0, done.stdout
        assert levels_told(done) == ["neon"]


def test_hostile_calls_are_refused_or_answered_alike(driver: Path) -> None:
    done = run(driver, "fuzz", str(FUZZED_CALLS))
    assert done.returncode == 0, done.stdout


def test_the_sanitizers_find_nothing(tmp_path: Path) -> None:
    try:
        driver = build_driver(tmp_path / "driver", needs_system_compiler(), *SANITIZE)
    except Failed as error:
        if "-lasan" not in str(error) and "libclang_rt" not in str(error):
            raise
        lacking("sanitizers", "apt-get install gcc, or compiler-rt for clang")
    for command in (["check", str(ANSWERS)], ["fuzz", str(SANITIZED_CALLS)]):
        done = run(driver, *command)
        assert done.returncode == 0, done.stdout + done.stderr


FAULTS = {
    "heap-buffer-overflow": ("smoothing.inc", "at : period - at", "at : at"),
    "it wrote be": ("smoothing.inc", "room < WIDTH ? room : WIDTH", "WIDTH + 0 * room"),
    "other bits than the first level's": (
        "smoothing.inc",
        "kernel[0] * get(lines[reach] + x)",
        "kernel[0] * get(lines[0] + x)",
    ),
    "it changed the floating-point unit": (
        "dispatch.c",
        "(uint32_t)before",
        "(uint32_t)before ^ 0x8000",
    ),
    "other bits than": ("dispatch.c", "0x1f80", "(uint32_t)before"),
}
"""What is said of a fault: where it is, and what takes the place of what."""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault: str, tmp_path: Path) -> None:
    """The driver is of no use if it passes whatever it is given."""
    if this_machine() != "x86_64":
        pytest.skip("the faults are put into what is compiled for x86-64")
    name, right, wrong = FAULTS[fault]
    sources = tmp_path / "src"
    shutil.copytree(SOURCES, sources)
    text = (sources / name).read_text()
    assert text.count(right) == 1
    (sources / name).write_text(text.replace(right, wrong))
    compiler, flags = needs_system_compiler(), SANITIZE if "heap" in fault else ()
    # One object has the fault; the second level's, for the first is what others are compared with.
    level = "avx2" if name.endswith(".inc") else None
    made = compiled(compiler, level, tmp_path, *flags, sources=sources)
    sound = [path for path in objects_by(needs_system_compiler) if path.name != Path(made).name]
    every = [*map(str, sound), made]
    driver = link_driver(tmp_path / "driver", compiler, every, *flags, sources=sources)
    done = run(driver, "fuzz", "500")
    assert done.returncode != 0
    assert fault in done.stdout + done.stderr


def test_replayed_files_must_be_there(driver: Path, tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(bytes(range(256)) * 40)
    assert run(driver, "replay", "smooth", tmp_path / "bytes").returncode == 0
    assert run(driver, "replay", "smooth", tmp_path / "bytes", tmp_path / "no").returncode == 2
    assert run(driver, "replay", "smooth", tmp_path / "no", tmp_path / "bytes").returncode == 2
    assert run(driver, "replay", "no_kernel", tmp_path / "bytes").returncode == 2
    assert run(driver, "replay", "smooth").returncode == 2


def test_answers_must_be_there_and_agree(driver: Path, tmp_path: Path) -> None:
    known = ANSWERS.read_text()
    other = tmp_path / "answers.txt"
    assert run(driver, "check", other).returncode == 2
    for wrong in ("", known.replace(known.split()[1], "0" * 16), known + "more 0\n"):
        other.write_text(wrong)
        assert run(driver, "check", other).returncode == 1
    other.write_text(known)
    assert run(driver, "check", other).returncode == 0
