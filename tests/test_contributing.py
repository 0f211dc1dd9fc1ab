"""CONTRIBUTING.md says where to add things: one of each is added there, to a copy, and used."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from align_cli.engine.options import MODEL_NAMES
from align_cli.files.images import write_image
from tests.scenes import pair

ROOT = Path(__file__).resolve().parents[1]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^## (.*)\n\n((?:(?!^## ).*\n?)*)", CONTRIBUTING, re.MULTILINE))

MODEL = """
        MotionModel(
            "scaling",
            _table(_X, _1, _0),
            _table(_Y, _0, _1),
            lambda p: _similarity(np.array([p[0], 0.0, p[1], p[2]])),
            _scaling_from_points,
        ),
"""

FROM_POINTS = """
def _scaling_from_points(start: Points, end: Points) -> Matrix:
    a, b = start - start.mean(axis=0), end - end.mean(axis=0)
    scale = (a * b).sum() / (a * a).sum()
    x, y = end.mean(axis=0) - scale * start.mean(axis=0)
    return np.array([[scale, 0.0, x], [0.0, scale, y], [0.0, 0.0, 1.0]])


"""

LOSS = """
def _weigh_l1_l2(squared: Plane) -> None:
    np.add(squared, 1.0, out=squared)
    np.sqrt(squared, out=squared)
    np.reciprocal(squared, out=squared)


def _slope_l1_l2(weight: Plane) -> Plane:
    return weight * weight * weight


"""

START = '''"""Forty pixels to the left."""

import numpy as np


def guesses(views):
    """One warp."""
    yield np.array([[1.0, 0.0, -40.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
'''

TRANSFORM_FORMAT = '''"""One line, with a word before it."""

import numpy as np

from align_cli.files.transform_formats.stored import StoredTransform, both

NAMES = ("*.line",)


def recognises(text):
    return text.startswith("matrix")


def parse(text):
    matrix = np.array(text.split()[1:], np.float64).reshape(3, 3)
    return StoredTransform(source_to_target=matrix)


def written(stored, suffix):
    return " ".join(["matrix", *map(str, both(stored)[0].ravel())]) + "\\n"
'''

COMMAND = '''"""``imalign size IMAGE``: how large an image is."""

import click

from align_cli.commands.exit_codes import faults


@click.command(epilog="Example: imalign size a.png")
@click.argument("path")
def size(path):
    """Tell how large an image is."""
    from align_cli.files.images import read_image

    with faults({}):
        picture = read_image(path)
        click.echo(f"{picture.width}x{picture.height}")
'''


class Copy:
    """A copy of the package that a contributor works on, and two images beside it."""

    def __init__(self, folder: Path, section: str) -> None:
        self.folder, self.section = folder, section
        shutil.copytree(
            ROOT / "align_cli",
            folder / "align_cli",
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        self.images = pair("translation", seed=3, dtype="uint8")
        write_image(folder / "a.png", self.images.source)
        write_image(folder / "b.png", self.images.target)

    def _told(self, path: str) -> Path:
        folder = path.rpartition("/")[0] + "/"
        assert path in SECTIONS[self.section] or f"`{folder}`" in SECTIONS[self.section], path
        return self.folder / path

    def add(self, path: str, text: str) -> None:
        """A new file, in a folder that the section names."""
        file = self._told(path)
        assert not file.exists()
        file.write_text(text, "utf-8")

    def insert(self, path: str, before: str, text: str) -> None:
        """Put a text before the first place of another, in a file that the section names."""
        file = self._told(path)
        content = file.read_text("utf-8")
        assert before in content
        file.write_text(content.replace(before, text + before, 1), "utf-8")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "align_cli", *arguments],
            cwd=self.folder,
            env={"PYTHONPATH": str(self.folder), "PATH": ""},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def compile(self) -> None:
        """The native core, of the sources of the copy."""
        shutil.copytree(ROOT / "build_backend", self.folder / "build_backend")
        command = [sys.executable, "-m", "build_backend.compile"]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        subprocess.run(command, cwd=self.folder, env=environment, check=True, timeout=300)

    def passes(self, tests: str, only: str) -> None:
        """Some tests of the project, run on the copy."""
        options = ("-q", "-p", "no:cacheprovider", "--rootdir", str(self.folder))
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, str(self._tests() / tests), "-k", only],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(self.folder)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def _tests(self) -> Path:
        tests = self.folder / "tests"
        if not tests.exists():
            shutil.copytree(ROOT / "tests", tests, ignore=shutil.ignore_patterns("data"))
        return tests

    def works(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def refused(self, *arguments: str, saying: str) -> None:
        """What is not there before it is added."""
        done = self.run(*arguments)
        assert done.returncode != 0
        assert saying in done.stderr


@pytest.fixture
def copy(tmp_path: Path, request: pytest.FixtureRequest) -> Copy:
    return Copy(tmp_path, request.param)


def section(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("copy", [name], indirect=True)


def test_it_is_one_page() -> None:
    assert len(CONTRIBUTING.splitlines()) <= 66


def test_every_path_that_it_names_is_there() -> None:
    paths = re.findall(r"`([a-zA-Z_./0-9-]+(?:/|\.md|\.py|\.json))`", CONTRIBUTING)
    assert len(paths) > 20
    assert [path for path in paths if not (ROOT / path).exists()] == []


@section("A motion model")
def test_a_motion_model(copy: Copy) -> None:
    asked = ("a.png", "b.png", "-m", "scaling", "-o", "o.png", "--json", "o.json")
    copy.refused(*asked, saying="'scaling' is not one of")
    models = "align_cli/engine/geometry/models.py"
    copy.insert(models, '        MotionModel(\n            "similarity"', MODEL.lstrip("\n"))
    copy.insert(models, "MODELS: Final[dict", FROM_POINTS.lstrip("\n"))
    copy.insert(
        "align_cli/engine/options.py", '    "similarity": "a', '    "scaling": "a scaling",\n'
    )
    assert "aligned (scaling)" in copy.works(*asked)
    found = json.loads((copy.folder / "o.json").read_text())
    assert found["model"] == "scaling"
    matrix = np.array(found["source_to_target"])
    assert copy.images.error_px(matrix) < 0.05
    assert matrix[0, 1] == matrix[1, 0] == 0.0
    assert "\nscaling " in copy.works("selftest", "b.png", "b.png")


@pytest.mark.parametrize("name", ["alignment-3", "transform-1"])
def test_the_lists_of_models_in_the_schemas_are_all_of_them(name: str) -> None:
    text = (ROOT / "align_cli/files/schema" / f"{name}.schema.json").read_text()
    lists = [set(found) for found in enums(json.loads(text)) if "rigid" in found]
    assert lists
    assert all(found - {"auto", None} == set(MODEL_NAMES) for found in lists)


def enums(schema: object) -> list[list[object]]:
    """Every list of values in a schema."""
    if isinstance(schema, list):
        return [each for part in schema for each in enums(part)]
    if not isinstance(schema, dict):
        return []
    own = [schema["enum"]] if isinstance(schema.get("enum"), list) else []
    return own + [each for part in schema.values() for each in enums(part)]


@section("A loss")
def test_a_loss(copy: Copy) -> None:
    asked = ("a.png", "b.png", "--loss", "l1-l2", "-m", "translation", "--json", "o.json")
    copy.refused(*asked, saying="'l1-l2' is not one of")
    losses = "align_cli/engine/numerics/losses.py"
    copy.insert(losses, "LOSSES: Final", LOSS)
    rho = "lambda u: u**2 / (np.sqrt(1.0 + u**2) + 1.0)"
    entry = f'        Loss("l1-l2", 1.2871, {rho}, _weigh_l1_l2, _slope_l1_l2),\n'
    copy.insert(losses, '        Loss("huber"', entry)
    copy.insert("align_cli/engine/options.py", '"huber", "tukey"', '"l1-l2", ')
    copy.insert("align_cli/native/rows.py", '"huber", "tukey"', '"l1-l2", ')
    copy.insert(
        "align_cli/native/src/core.h",
        "    IMALIGN_HUBER",
        "    IMALIGN_L1_L2, /* 1 / root(1 + u^2) */\n",
    )
    copy.insert(
        "align_cli/native/src/rows.inc",
        "    case IMALIGN_HUBER:\n",
        "    case IMALIGN_L1_L2:\n"
        "        w = only(inside, 1.0f / root(1.0f + squared));\n"
        "        *slope = w * w * w;\n"
        "        return w;\n",
    )
    copy.insert(
        "align_cli/native/src/rows.inc",
        "    case IMALIGN_HUBER: weigh_by",
        "    case IMALIGN_L1_L2: weigh_by(call, k, to, IMALIGN_L1_L2); break;\n",
    )
    copy.insert(
        "align_cli/files/schema/alignment-3.schema.json",
        '            "huber",\n',
        '            "l1-l2",\n',
    )
    copy.compile()
    copy.passes("engine/numerics/test_losses.py", "l1-l2")
    copy.passes("native/test_rows.py", "test_the_sums_are_those_of_the_book")
    assert "aligned" in copy.works(*asked)
    found = json.loads((copy.folder / "o.json").read_text())
    assert found["options"]["loss"] == "l1-l2"
    truth = copy.images.source_to_target
    np.testing.assert_allclose(found["source_to_target"], truth, atol=0.02)


@section("A start")
def test_a_start(copy: Copy) -> None:
    asked = (
        "a.png",
        "b.png",
        "--init",
        "left",
        "-m",
        "translation",
        "-o",
        "o.png",
        "--json",
        "o.json",
    )
    copy.refused(*asked, saying="is neither a file nor one of")
    copy.add("align_cli/engine/starts/left.py", START)
    copy.insert("align_cli/engine/options.py", '    "tilted",\n', '    "left",\n')
    write_image(copy.folder / "a.png", np.roll(copy.images.target, -40, axis=1))
    write_image(copy.folder / "b.png", copy.images.target)
    assert "aligned" in copy.works(*asked)
    assert json.loads((copy.folder / "o.json").read_text())["start"] == "left"
    assert "features, poses, left, tilted" in " ".join(copy.works("align", "-h").split())


@section("A format")
def test_a_format_of_pictures_that_is_written(copy: Copy) -> None:
    asked = ("a.png", "b.png", "-m", "translation", "-o", "o.raw", "--json", "o.json")
    copy.refused(*asked, saying="is not that of an image format that can be written")
    copy.insert(
        "align_cli/files/encode.py",
        '    Format("BMP"',
        '    Format("RAW", (".raw",), _ALL, (), _UNLIMITED, lambda pixels, _: pixels.tobytes()),\n',
    )
    copy.works(*asked)
    assert (copy.folder / "o.raw").stat().st_size == copy.images.target.size


@section("A format")
def test_a_format_of_pictures_that_is_read(copy: Copy) -> None:
    (copy.folder / "a.raw").write_bytes(b"RAW!" + copy.images.source.tobytes())
    asked = ("a.raw", "b.png", "-m", "translation", "-o", "o.png", "--json", "o.json")
    copy.refused(*asked, saying="not an image in a supported format")
    shape = copy.images.source.shape
    copy.insert(
        "align_cli/files/images.py",
        '    (b"\\xff\\xd8\\xff", b"BM")',
        '    (b"RAW!",): lambda data, _: Decoded(\n'
        f"        np.frombuffer(data[4:], np.uint8).reshape({shape})\n    ),\n",
    )
    assert "aligned" in copy.works(*asked)


@section("A format")
def test_a_format_of_transforms(copy: Copy) -> None:
    (copy.folder / "t.txt").write_text("1 0 5\n0 1 2\n0 0 1\n")
    copy.refused("convert", "t.txt", "t.line", saying="matches no transform format")
    copy.add("align_cli/files/transform_formats/one_line.py", TRANSFORM_FORMAT)
    registry = "align_cli/files/transforms.py"
    copy.insert(registry, ", opencv\n", ", one_line")
    copy.insert(registry, '    "itk": itk', '    "one-line": one_line,\n')
    copy.works("convert", "t.txt", "t.line")
    assert (copy.folder / "t.line").read_text() == "matrix 1.0 0.0 5.0 0.0 1.0 2.0 0.0 0.0 1.0\n"
    assert "5" in copy.works("show", "t.line")
    copy.refused("convert", "t.txt", "x", "--to", "one-line", saying="is not one of")
    copy.insert("align_cli/commands/transform_outputs.py", '"itk", "elastix"', '"one-line", ')
    copy.works("convert", "t.txt", "x", "--to", "one-line")


@section("A command")
def test_an_option(copy: Copy) -> None:
    copy.refused("a.png", "b.png", "--greet", saying="No such option")
    align, groups = "align_cli/commands/align.py", "align_cli/commands/option_groups.py"
    copy.insert(align, "@quiet_opt\n", '@click.option("--greet", is_flag=True, help="Greet.")\n')
    copy.insert(align, "    quiet: bool,\n", "    greet: bool,\n")
    copy.insert(align, "    refuse_both(", '    click.echo("hello" * greet)\n')
    assert "\nOthers:\n  --greet" in copy.works("align", "--help")
    copy.insert(groups, '"--quiet", ', '"--greet", ')
    said = copy.works("align", "--help").split("\nRun (")[1]
    assert "--greet" in said.split("\n\n")[0]
    assert "hello\n" in copy.works("a.png", "b.png", "--greet")


@section("A command")
def test_a_command(copy: Copy) -> None:
    copy.refused("size", "a.png", saying="size: there is no such file")
    copy.add("align_cli/commands/size.py", COMMAND)
    copy.insert("align_cli/commands/group.py", '    "show",\n', '    "size",\n')
    height, width = copy.images.source.shape[:2]
    assert copy.works("size", "a.png") == f"{width}x{height}\n"
    assert "size" in copy.works("--help").replace(",", " ").replace(";", " ").split()
    assert "Tell how large an image is." in copy.works("size", "--help")
    assert "Example" in copy.works("size", "--help")
    assert copy.run("size", "nothing.png").returncode == 3
