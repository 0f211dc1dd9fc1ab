"""``--displacement-map`` of ``imalign SRC DST``."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner, Result

from align_cli.commands.group import cli
from align_cli.engine import check as engine
from align_cli.engine.aligner import Aligner
from align_cli.engine.options import Options
from align_cli.engine.result.alignment import Alignment
from align_cli.files.images import read_image, write_image
from align_cli.files.schema import alignment_schema
from tests.commands.conftest import Imalign

Pair = tuple[Path, Path]
Run = Callable[..., Result]

measured = pytest.mark.skipif(
    "all_tiles" not in inspect.signature(Aligner.align).parameters,
    reason="an Aligner does not ask all tiles yet",
)


@pytest.fixture
def asked() -> list[dict[str, Any]]:
    """What each alignment was called with."""
    return []


@pytest.fixture(params=[True, False], ids=["told", "nothing to tell"])
def tells(request: pytest.FixtureRequest) -> bool:
    """Whether an alignment knows its displacements."""
    return bool(request.param)


@pytest.fixture
def run(
    pair: Pair,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked: list[dict[str, Any]],
    tells: bool,
) -> Run:
    """Run the command in ``tmp_path``, with the displacements that ``check`` finds."""
    solve = Aligner.align

    def align(self: Aligner, source: np.ndarray, **options: Any) -> Alignment:
        asked.append(dict(options))
        options.pop("all_tiles", None)
        found = solve(self, source, **options)
        target = read_image(pair[1]).pixels
        told = engine.check(source, target, found.source_to_target).displacements
        return replace(found, displacements=told if tells else None)

    monkeypatch.setattr(Aligner, "align", align)
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(cli, [*map(str, arguments)])


@pytest.mark.parametrize("tells", [True], indirect=True)
@pytest.mark.parametrize("name", ["map.png", "map.csv", "map.json", "map.npy"])
def test_it_is_written_beside_the_others_and_named(
    run: Run, tmp_path: Path, asked: list[dict[str, Any]], name: str
) -> None:
    result = run("a.png", "b.png", "--displacement-map", name)
    assert result.exit_code == 0, result.output
    assert asked[0]["all_tiles"] is True
    assert (tmp_path / name).stat().st_size > 100
    wrote = next(line for line in result.stderr.splitlines() if line.startswith("wrote"))
    assert wrote == f"wrote a_aligned.png, a_aligned_error.png, {name}, a_aligned.json"
    document = json.loads((tmp_path / "a_aligned.json").read_text())
    jsonschema.validate(document, alignment_schema())
    assert document["displacements"]["tiles"] > 10


@pytest.mark.parametrize("tells", [True], indirect=True)
def test_whoever_wants_none_has_none_and_asks_for_no_more(
    run: Run, tmp_path: Path, asked: list[dict[str, Any]]
) -> None:
    before = {entry.name for entry in tmp_path.iterdir()}
    assert run("a.png", "b.png", "--no-image", "--no-error-map").exit_code == 0
    assert not asked[0].get("all_tiles", False)
    assert {entry.name for entry in tmp_path.iterdir()} - before == {"a_aligned.json"}


def test_a_failed_alignment_has_one_too_where_there_is_something_to_show(
    run: Run, tmp_path: Path, tells: bool
) -> None:
    noise = cv2.GaussianBlur(np.random.default_rng(0).normal(0.0, 1.0, (120, 160)), (0, 0), 3.0)
    write_image(tmp_path / "a.png", np.clip(128.0 + 400.0 * noise, 0, 255).astype(np.uint8))
    (tmp_path / "map.png").write_text("of an earlier run")
    result = run("a.png", "b.png", "-m", "translation", "--displacement-map", "map.png")
    assert result.exit_code == 1, result.output
    earlier = "map.png is from an earlier run"
    if tells:
        assert "no warped image was written; wrote map.png, a_aligned.json" in result.stderr
        assert earlier not in result.stderr
        assert read_image(tmp_path / "map.png").pixels.ndim == 3
    else:
        assert "map.png: not written, because no tile of the target" in result.stderr
        assert earlier in result.stderr
        assert (tmp_path / "map.png").read_text() == "of an earlier run"


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("map.txt", 2, "use .png for an image, .csv, .json or .npy for the numbers"),
        ("a.png", 2, "is the same file as the input"),
        ("a_aligned.json", 2, "two outputs have the name"),
        ("none/map.png", 4, "none"),
    ],
)
def test_a_name_that_cannot_be_is_refused_before_the_work(
    imalign: Imalign, pair: Pair, tmp_path: Path, name: str, code: int, words: str
) -> None:
    result = imalign("a.png", "b.png", "--displacement-map", name)
    assert result.returncode == code, result.stderr
    assert words in result.stderr
    assert not (tmp_path / "a_aligned.png").exists()


@measured
@pytest.mark.parametrize("name", ["map.png", "map.csv"])
def test_the_command_itself_writes_it(
    imalign: Imalign, pair: Pair, tmp_path: Path, name: str
) -> None:
    result = imalign("a.png", "b.png", "--displacement-map", name)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / name).stat().st_size > 100
    assert "matched tiles are displaced by at most 1 px" in result.stderr


@pytest.mark.skipif(
    not hasattr(Options(), "accept_residual"), reason="the engine has no such option yet"
)
def test_the_options_of_the_verdict_are_told_in_the_json(
    imalign: Imalign, pair: Pair, tmp_path: Path
) -> None:
    for given, residual, kept in (
        ((), None, False),
        (("--accept-residual", "3.5", "--keep-fixed-pattern"), 3.5, True),
    ):
        assert imalign("a.png", "b.png", *given).returncode == 0
        options = json.loads((tmp_path / "a_aligned.json").read_text())["options"]
        assert options["accept_residual_px"] == residual
        assert options["keep_fixed_pattern"] is kept


@pytest.mark.parametrize("value", ["-0.1", "nan", "inf", "far"])
def test_what_is_no_residual_is_refused(imalign: Imalign, pair: Pair, value: str) -> None:
    result = imalign("a.png", "b.png", "--accept-residual", value)
    assert result.returncode == 2
    assert "--accept-residual" in result.stderr
