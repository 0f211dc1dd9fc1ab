from __future__ import annotations

from pathlib import Path

import numpy as np

from align_cli.engine.options import LOSS_NAMES, MODEL_NAMES
from align_cli.files.images import write_image
from tests.commands.conftest import Imalign


def test_passes_on_a_good_pair(imalign: Imalign, pair: tuple[Path, Path]) -> None:
    result = imalign("selftest", "a.png", "b.png")
    assert result.returncode == 0, result.stdout
    assert "every check passed" in result.stdout
    assert result.stdout.count(" ok\n") == len(MODEL_NAMES) * len(LOSS_NAMES) + len(MODEL_NAMES)


def test_fails_where_a_known_warp_cannot_be_found(
    imalign: Imalign, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    stripes = np.tile(np.arange(160) // 8 % 2 * 200, (120, 1)).astype(np.uint8)
    write_image(tmp_path / "stripes.png", stripes)
    result = imalign("selftest", "stripes.png", "b.png")
    assert result.returncode == 1, result.stdout
    assert "FAILED" in result.stdout


def test_unreadable_input(imalign: Imalign, pair: tuple[Path, Path]) -> None:
    result = imalign("selftest", "a.png", "none.png")
    assert result.returncode == 3
    assert "none.png" in result.stderr
