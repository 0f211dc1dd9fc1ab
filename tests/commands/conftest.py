"""The command as a user runs it: a real process, real files, a folder of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from align_cli.engine.geometry.coordinates import map_points
from align_cli.files.images import write_image

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "sample_data"

Imalign = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def imalign(tmp_path: Path) -> Imalign:
    """Run ``imalign`` with some arguments, in ``tmp_path``; ``stdin`` is what it reads there."""

    def run(*arguments: object, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", "align_cli", *map(str, arguments)],
            cwd=tmp_path,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


TRUTH = np.array([[0.9993, -0.0349, 5.25], [0.0349, 0.9993, -3.5], [0.0, 0.0, 1.0]])


def scene(points: np.ndarray) -> np.ndarray:
    """Grey values 0..1 of a smooth scene at (n, 2) points."""
    x, y = points.T
    waves = (
        np.sin(x / 6.1 + y / 9.7)
        + np.sin(x / 11.3 - y / 5.3 + 1.0)
        + np.cos(x / 23.0 + y / 31.0)
        + np.sin((x * y) / 900.0)
    )
    return 0.5 + waves / 9.0


def rendered(to_scene: np.ndarray, size: tuple[int, int] = (160, 120)) -> np.ndarray:
    """The scene seen by an image whose pixel p shows the scene's point ``to_scene`` p."""
    width, height = size
    x, y = np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float))
    points = map_points(to_scene, np.column_stack([x.ravel(), y.ravel()]))
    return scene(points).reshape(height, width)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """``a.png`` and ``b.png``: 8 bit grey, ``TRUTH`` maps the first to the second."""
    for name, to_scene in (("a.png", TRUTH), ("b.png", np.eye(3))):
        write_image(tmp_path / name, np.rint(255.0 * rendered(to_scene)).astype(np.uint8))
    return tmp_path / "a.png", tmp_path / "b.png"
