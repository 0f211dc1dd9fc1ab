"""What somebody who has only README.md does in the first quarter of an hour, step by step.

Each step holds the exit code, and that the message names what to type next; what it names is typed,
as it stands. ``make first-quarter`` walks the steps in a new virtual environment, in which the
package is installed as README.md says; ``test_first_quarter_of_an_hour.py`` with what is here.
Needs nothing but the standard library, so that it can be run by the Python that makes the
environment.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Two photographs by one camera that moved in between, one of them darker; what the camera saw in
# infra-red from the first place; and another scene.
PHOTOGRAPHS = """
import cv2
import numpy as np

rng = np.random.default_rng(20)
scene = np.zeros((560, 720, 3))
for size in (3, 9, 27, 81):
    noise = rng.normal(size=(560 // size + 2, 720 // size + 2, 3))
    scene += cv2.resize(noise, (720, 560), interpolation=cv2.INTER_CUBIC) * size**0.4
scene = 127 + 45 * scene / scene.std()
place = np.array([[0.98, -0.05, 30], [0.04, 1.01, -18], [2e-5, -1e-5, 1]])
moved = cv2.warpPerspective(scene, place, (720, 560), flags=cv2.INTER_CUBIC)
other = cv2.resize(rng.normal(127, 90, (200, 260, 3)), (720, 560), interpolation=cv2.INTER_CUBIC)
for name, image in (
    ("left", 0.8 * moved),
    ("right", scene),
    ("infrared", 255 - moved),
    ("unrelated", other),
):
    cropped = image[60:-60, 80:-80] + rng.normal(scale=2, size=(440, 560, 3))
    cv2.imwrite(f"{name}.jpg", np.clip(cropped, 0, 255).astype(np.uint8))
crop = np.array([[1, 0, -80], [0, 1, -60], [0, 0, 1.0]])
np.savetxt("truth.txt", crop @ np.linalg.inv(place) @ np.linalg.inv(crop))
"""

# As in README.md and docs/python.md; SAME stands for what ``imalign apply`` names.
IN_PYTHON = """
import imageio.v3 as iio
import align_cli
from align_cli import NotAlignedError, align

source, target, image, unrelated = (
    iio.imread(f"{name}.jpg") for name in ("left", "right", "infrared", "unrelated")
)
found = align(source, target)
print(found.summary())
assert (SAME == iio.imread("infrared_applied.png")).all()
found.save("python.json")
assert (align_cli.load("python.json").warp(source) == iio.imread("left_aligned.png")).all()
try:
    align(source, unrelated).warp(source)
except NotAlignedError as error:
    print(error)
"""


@dataclass(frozen=True)
class Said:
    """What a line answered."""

    line: str
    code: int
    out: str
    err: str

    def one(self, pattern: str) -> str:
        """The only text of this pattern in the message: its group, if it has one."""
        found = sorted(set(re.findall(pattern, self.err)))
        assert len(found) == 1, f"{self.line}: {found} for {pattern} in:\n{self.err}"
        return str(found[0])


@dataclass(frozen=True)
class Walk:
    """Types lines in a folder.

    Attributes:
        folder: where they are typed.
        programs: what runs for the first word of a line.
        environment: its variables.
    """

    folder: Path
    programs: dict[str, Sequence[str]]
    environment: dict[str, str]

    def answer(self, line: str) -> Said:
        """Type a line."""
        first, *others = shlex.split(line)
        done = subprocess.run(
            [*self.programs[first], *others],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        return Said(line, done.returncode, done.stdout, done.stderr)

    def type(self, line: str, code: int) -> Said:
        """Type a line, which must end with this exit code."""
        said = self.answer(line)
        assert said.code == code, f"{said}\nis not {code}"
        assert "Traceback" not in said.out + said.err, f"{said}"
        return said

    def has(self, *names: str) -> None:
        """Each of these files must be there."""
        for name in names:
            assert (self.folder / name).is_file(), name


def first_words(walk: Walk) -> None:
    """The command alone names what to type; that can be typed, with names of one's own."""
    said = walk.type("imalign", 2)
    for line in re.findall(r"^  (imalign .*?)(?:   .*)?$", said.err, re.M):
        for example, own in (
            ("scan.png", "left.jpg"),
            ("original.png", "right.jpg"),
            ("scan_aligned", "left_aligned"),
            ("other.png", "infrared.jpg"),
        ):
            line = line.replace(example, own)  # noqa: PLW2901
        walk.type(line.split("  ")[0], 0)
    walk.has("left_aligned.json", "infrared_applied.png")
    for line in ("imalign -h", "imalign align --help"):
        assert line in said.err
        walk.type(line, 0)


def own_pair(walk: Walk) -> None:
    """An alignment names the report to look at, and how to resample another image."""
    said = walk.type("imalign left.jpg right.jpg", 0)
    assert said.err.startswith("aligned (homography): ")
    walk.has("left_aligned.png", "left_aligned_error.png", "left_aligned.json")
    option = said.one(r"next: to look at it, add (--report \S+);")
    shown = walk.type(f"imalign left.jpg right.jpg {option}", 0)
    page = shown.one(r"next: to look at it, open (\S+) in a browser;")
    assert f"wrote left_aligned.png, left_aligned_error.png, {page}, left" in shown.err
    assert not re.search(r'(?:src|href)="https?:', (walk.folder / page).read_text("utf-8"))
    for each in (said, shown):
        line = each.one(r"to resample another image, (imalign apply \S+ IMAGE)\n")
        walk.type(line.replace("IMAGE", "infrared.jpg"), 0)
    line = "imalign evaluate left_aligned.json --truth truth.txt --max-error 0.1"
    walk.type(line, 0)


def second_image(walk: Walk) -> None:
    """The resampled image, and the same in Python, as the command says it."""
    said = walk.type("imalign apply left_aligned.json infrared.jpg", 0)
    walk.has(said.one(r"wrote (\S+)"))
    same = said.one(r"next: in Python, (align_cli\.load\(.*\)) does the same")
    script = walk.folder / "look.py"
    script.write_text(IN_PYTHON.replace("SAME", same), "utf-8")
    checked = walk.type("python look.py", 0)
    by_command = walk.type("imalign left.jpg right.jpg", 0)
    summary, _, refused = checked.out.rstrip("\n").rpartition("\n")
    assert by_command.err.startswith(summary), f"{summary}\n{by_command.err}"
    assert "force=True" in refused, refused
    line = "imalign check python.json left.jpg right.jpg"
    shown = walk.type(f"{line} {walk.type(line, 0).one(r'add (--report [a-z.]+)')}", 0)
    walk.has(shown.one(r"open (\S+) in a browser"))
    again = shown.one(r"(imalign apply \S+ IMAGE)\n").replace("IMAGE", "infrared.jpg")
    walk.type(again, 0)


def wrong_words(walk: Walk) -> None:
    """What is mistyped names what was meant, which works; and the help."""
    right = "imalign left.jpg right.jpg --report left.html"
    for line, code, wrong, pattern in (
        (f"{right} --modle homography", 2, "--modle", r"(--model)\b"),
        (f"{right} -m homografy", 2, "homografy", r"Did you mean '(\w+)'\?"),
        (f"{right} --init identiti", 2, "identiti", r"Did you mean '(\w+)'\?"),
        (right.replace("left.jpg", "lfet.jpg"), 3, "lfet.jpg", r"did you mean (\S+)\?"),
        ("imalign apply left_alinged.json infrared.jpg", 3, "left_alinged.json", r"mean (\S+)\?"),
        ("imalign chek left_aligned.json left.jpg right.jpg", 2, "imalign chek", r"mean (.+)\?"),
    ):
        said = walk.type(line, code)
        walk.type(line.replace(wrong, said.one(pattern)), 0)
        if code == 2:
            walk.type(said.one(r"(imalign (?:\w+ )?(?:-h|--help))\b"), 0)
    said = walk.type("imalign left.jpg", 2)
    line = said.one(r"; type (imalign align SRC DST)")
    walk.type(line.replace("SRC", "left.jpg").replace("DST", "right.jpg"), 0)
    said = walk.type("imalign left.jpg right.jpg -o left.jgp", 2)
    suffix = said.one(r"; use (\.\w+)")
    walk.type(f"imalign left.jpg right.jpg -o left{suffix}", 0)
    said = walk.type("imalign left.jpg right.jpg -o right.jpg", 2)
    assert "choose another name" in said.err


def not_to_be_aligned(walk: Walk) -> None:
    """A pair that cannot be aligned names what to try and how to see it; the options work."""
    line = "imalign left.jpg unrelated.jpg --json none.json -o none.png --no-error-map"
    said = walk.type(line, 1)
    assert ": not aligned (homography): " in said.err
    tried = re.findall(r"(?:or try |; )(--[a-z-]+(?: \w+)?),", said.err)
    assert tried == ["--allow-flip", "--similarity auto"], said.err
    for option in tried:
        again = walk.type(f"{line} {option}", 1)
        assert f"{option}, " not in again.err
    option = said.one(r"to see why, add (--report \S+)")
    walk.type(f"{line} {option}", 1)
    walk.has(option.split()[1])
    assert not (walk.folder / "none.png").exists()
    line = "imalign check left_aligned.json left.jpg unrelated.jpg"
    option = walk.type(line, 1).one(r"to see why, add (--report \S+)")
    walk.type(f"{line} {option}", 1)
    walk.has(option.split()[1])
    refused = walk.type("imalign apply none.json left.jpg", 3)
    assert "align the images again" in refused.err


STEPS = (first_words, own_pair, second_image, wrong_words, not_to_be_aligned)


def walk_all(walk: Walk, say: bool = False) -> None:
    """Draw the photographs and take every step."""
    (walk.folder / "draw.py").write_text(PHOTOGRAPHS, "utf-8")
    walk.type("python draw.py", 0)
    for step in STEPS:
        begun = time.monotonic()
        step(walk)
        if say:
            print(f"ok  {time.monotonic() - begun:5.1f} s  {step.__doc__}", flush=True)


def installed(folder: Path) -> Walk:
    """A new environment with the package, from a copy of the clone, as README.md says."""
    clone, environment = folder / "clone", folder / "environment"
    kept_out = (".*", "build", "dist", "demo", "*.egg-info", "__pycache__", "_core.*")
    shutil.copytree(ROOT, clone, ignore=shutil.ignore_patterns(*kept_out))
    venv.create(environment, with_pip=True)
    bin_folder = environment / ("Scripts" if os.name == "nt" else "bin")
    python, variables = str(bin_folder / "python"), dict(os.environ)
    variables.pop("PYTHONPATH", None)
    programs = {
        "imalign": [str(bin_folder / "imalign")],
        "pip": [python, "-m", "pip", "--quiet", "--disable-pip-version-check"],
        "python": [python],
    }
    readme = (clone / "README.md").read_text("utf-8")
    section = readme.split("\n## Install\n")[1].split("```")[1]
    for line in re.findall(r"^pip .*$", section, re.M):
        Walk(clone, programs, variables).type(line, 0)
    own = folder / "photographs"
    own.mkdir()
    walk = Walk(own, programs, variables)
    make_complete(walk)
    return walk


def make_complete(walk: Walk) -> None:
    """Have ``imalign doctor`` find nothing wrong, by what it says: a container may lack libGL."""
    said = walk.answer("imalign doctor")
    if said.code == 5:
        named = r"(pip uninstall -y [\w-]+); (pip install '[^']+')"
        for line in next(iter(re.findall(named, said.out)), ()):
            walk.type(line, 0)
    walk.type("imalign doctor", 0)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        begun = time.monotonic()
        walk = installed(Path(name))
        print(f"ok  {time.monotonic() - begun:5.1f} s  Installed, as README.md says.", flush=True)
        walk_all(walk, say=True)


if __name__ == "__main__":
    sys.exit(main())
