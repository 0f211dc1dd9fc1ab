from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from align_cli.commands.group import cli
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.options import LOSS_NAMES, MODEL_NAMES
from align_cli.files.images import write_image
from tests.commands.conftest import Imalign


def test_passes_on_a_good_pair(imalign: Imalign, pair: tuple[Path, Path]) -> None:
    result = imalign("selftest", "a.png", "b.png")
    assert result.returncode == 0, result.stdout
    assert "every check passed" in result.stdout
    assert result.stdout.count(" ok\n") == len(MODEL_NAMES) * len(LOSS_NAMES) + len(MODEL_NAMES)


def test_quiet_says_nothing_where_nothing_failed(imalign: Imalign, pair: tuple[Path, Path]) -> None:
    result = imalign("selftest", "-q", "a.png", "b.png")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


X, Y = np.meshgrid(np.arange(160), np.arange(120))


@pytest.mark.parametrize(
    ("values", "open_ended"),
    [(X, 5), (X // 8 % 2 * 200, 5), (Y // 8 % 2 * 200, 5), ((X // 10 + Y // 10) % 2 * 255, 0)],
    ids=["ramp", "stripes", "lying stripes", "chessboard"],
)
def test_no_false_alarm_for_an_image_and_itself(
    imalign: Imalign, tmp_path: Path, values: np.ndarray, open_ended: int
) -> None:
    write_image(tmp_path / "a.png", values.astype(np.uint8))
    result = imalign("selftest", "a.png", "a.png")
    assert result.returncode == 0, result.stdout
    assert result.stderr == ""
    assert "FAILED" not in result.stdout
    assert result.stdout.count(" open\n") == open_ended
    assert ("too little texture" in result.stdout) == bool(open_ended)


@pytest.mark.parametrize("quiet", [[], ["-q"]])
def test_a_broken_model_fails(
    tmp_path: Path,
    pair: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    quiet: list[str],
) -> None:
    rigid = MODELS["rigid"]
    broken = dataclasses.replace(rigid, jacobian_x=-rigid.jacobian_x)
    monkeypatch.setitem(MODELS, "rigid", broken)
    result = CliRunner().invoke(cli, ["selftest", *quiet, *map(str, pair)])
    assert result.exit_code == 1, result.output
    assert f"{2 * len(LOSS_NAMES)} checks of derivatives FAILED: a bug" in result.output
    lines = [line.split() for line in result.output.splitlines()]
    losses = [line[1] for line in lines if line[:1] == ["rigid"] and line[-1] == "FAILED"]
    assert losses[: len(LOSS_NAMES)] == list(LOSS_NAMES)


def test_unreadable_input(imalign: Imalign, pair: tuple[Path, Path]) -> None:
    result = imalign("selftest", "a.png", "none.png")
    assert result.returncode == 3
    assert "none.png" in result.stderr
