"""The names of outputs, which are checked before the work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from align_cli.files.images import read_image
from tests.commands.conftest import Imalign


@pytest.mark.parametrize("command", ["align", "apply"])
@pytest.mark.parametrize("name", ["v.jpg", "v.JPEG"])
def test_a_mask_is_not_written_with_loss(
    imalign: Imalign, pair: tuple[Path, Path], tmp_path: Path, command: str, name: str
) -> None:
    assert imalign("a.png", "b.png", "-m", "rigid", "-q").returncode == 0
    before = sorted(tmp_path.iterdir())
    line = {
        "align": ("a.png", "b.png", "-m", "rigid", "-o", "o.png", "--json", "o.json"),
        "apply": ("apply", "a_aligned.json", "a.png", "-o", "o.png"),
    }[command]
    result = imalign(*line, "--valid-mask", name)
    assert result.returncode == 2, result.stderr
    assert f"--valid-mask {name}: a JPEG does not keep the values 0 and 255" in result.stderr
    assert "give it a name in .png or .tif" in result.stderr
    assert sorted(tmp_path.iterdir()) == before
    for other in ("v.png", "v.tif", "v.bmp", "v.pgm"):
        assert imalign(*line, "--valid-mask", other).returncode == 0
        assert set(np.unique(read_image(tmp_path / other).pixels)) == {0, 255}
    unknown = imalign(*line, "--valid-mask", "v.xyz")
    assert unknown.returncode == 2
    assert "use .png" in unknown.stderr
