"""Everything that is imported has a lower bound: a release that `make test-lowest` tries."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
spec = importlib.util.spec_from_file_location("lowest", ROOT / "tools" / "lowest.py")
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)

NAMES = {
    "cv2": "opencv-python",
    "PIL": "pillow",
    "skimage": "scikit-image",
    "SimpleITK": "simpleitk",
}
OPTIONAL = {"axe_playwright_python", "itk", "matplotlib", "playwright", "ziglang"}
"""What a test skips without."""


def imported(folder: str) -> set[str]:
    """The distributions that the files of a folder import."""
    names = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.partition(".")[0])
    own = {path.stem for path in ROOT.iterdir()} | {
        path.stem for path in (ROOT / folder).rglob("*")
    }
    foreign = names - sys.stdlib_module_names - own
    return {NAMES.get(name, name) for name in foreign}


def bounded(requirements: list[str]) -> set[str]:
    return {pinned.partition("==")[0] for pinned in tool.lowest(requirements)}


def test_what_the_package_imports_is_what_it_asks_for() -> None:
    project = tool.tomllib.loads(tool.PROJECT.read_text("utf-8"))["project"]
    extra = project["optional-dependencies"]["plot"]
    assert imported("align_cli") == bounded([*project["dependencies"], *extra])


def test_the_tests_ask_for_what_they_need_of_the_extras() -> None:
    extras = tool.tomllib.loads(tool.PROJECT.read_text("utf-8"))["project"]["optional-dependencies"]
    assert set(extras["plot"]) <= set(extras["test"])


def test_what_the_tests_import_has_a_bound() -> None:
    assert imported("tests") - OPTIONAL <= bounded(tool.requirements())


@pytest.mark.parametrize("requirement", ["numpy", "numpy<3", "numpy>=2.0,<3", "numpy>=2", "a>=1.*"])
def test_what_has_no_lowest_release_is_refused(requirement: str) -> None:
    with pytest.raises(ValueError, match="not of the form"):
        tool.lowest([requirement])


def test_a_bound_is_a_release() -> None:
    assert tool.lowest(["numpy>=2.0.0", "mypy>=1.11.0"]) == ["numpy==2.0.0"]
