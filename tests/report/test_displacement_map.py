from __future__ import annotations

import csv
import io
import json
import warnings

import cv2
import numpy as np
import pytest

from align_cli.engine.displacements.field import DisplacementField
from align_cli.files.errors import UnwritableError
from align_cli.report import displacement_scale, error_scale
from align_cli.report.displacement_map import (
    COLUMNS,
    CROSS,
    check_name,
    displacement_table,
    encode,
    render,
)
from align_cli.report.legend import Legend

# What these px must look like: matplotlib's "inferno" at 20, 45.3, 60 and 100 %.
DOCUMENTED = {0.0: (66, 10, 104), 1.0: (168, 46, 94), 2.5: (221, 81, 58), 10.0: (252, 255, 164)}


def field(
    *tiles: tuple[float, float, float, float], side: float = 16.0, matched: bool = True
) -> DisplacementField:
    """Of tiles x, y, dx, dy, with a standard deviation of 0.3 px along x and 0.4 along y."""
    rows = np.array(tiles, np.float64).reshape(-1, 4)
    return DisplacementField(
        position=rows[:, :2],
        displacement=rows[:, 2:],
        covariance=np.tile([[0.09, 0.05], [0.05, 0.16]], (len(rows), 1, 1)),
        correlation=np.full(len(rows), 0.75),
        matched=np.full(len(rows), matched),
        side=side,
        level=0,
    )


def mid_grey(width: int = 900, height: int = 300) -> np.ndarray:
    """Wide enough not to be enlarged."""
    return np.full((height, width), 128, np.uint8)


def everywhere(target: np.ndarray) -> np.ndarray:
    return np.ones(target.shape[:2], bool)


def shown(target: np.ndarray, what: DisplacementField) -> np.ndarray:
    return render(target, everywhere(target), what)[: len(target), : target.shape[1]].astype(int)


def is_grey(pixels: np.ndarray) -> bool:
    return bool((np.ptp(pixels, axis=-1) == 0).all())


def white(picture: np.ndarray) -> np.ndarray:
    """Where an arrow is: nothing else that is drawn in these tests is so bright in all colours."""
    return picture.min(axis=-1) > 170


# The picture


@pytest.mark.parametrize("length", DOCUMENTED)
def test_a_tile_has_the_documented_colour_in_its_own_pixels(length: float) -> None:
    # Tiles so near to one another that there is no room for arrows.
    many = [(x, 207.5, length, 0.0) for x in range(8, 800, 8)]
    picture = shown(mid_grey(), field((23.5, 39.5, 0.6 * length, -0.8 * length), *many, side=8.0))
    tile = picture[36:44, 20:28]
    assert tile[0, 0].tolist() == pytest.approx(DOCUMENTED[length], abs=2)
    assert (tile == tile[0, 0]).all()
    around = picture[35:45, 19:29].copy()
    around[1:-1, 1:-1] = 0
    assert is_grey(around)


def test_displacements_beyond_the_scale_have_its_last_colour() -> None:
    tiles = [(x, 107.5, 1e6, 0.0) for x in range(8, 800, 8)]
    picture = shown(mid_grey(), field(*tiles, side=8.0))
    assert (picture[107, 8] == error_scale.COLOURS[error_scale.LAST_LEVEL]).all()


def test_the_scale_is_in_order_and_every_tick_has_a_level_of_its_own() -> None:
    colours = displacement_scale.COLOURS[: error_scale.LAST_LEVEL + 1]
    table = colours[np.newaxis].astype(np.float32) / 255
    lightness = cv2.cvtColor(table, cv2.COLOR_RGB2LAB)[0, :, 0]
    assert (np.diff(lightness) > -0.05).all()
    assert (np.ptp(colours.astype(int), axis=1) > 60).all()  # none can be taken for the target
    ticks = displacement_scale.levels(np.array(displacement_scale.TICKS_PX))
    assert ticks[0] == 0
    assert ticks[-1] == error_scale.LAST_LEVEL
    assert (np.diff(ticks.astype(int)) > 10).all()


def test_what_has_no_texture_is_the_target_itself_dark_and_grey() -> None:
    target = np.tile(np.linspace(0, 255, 900).astype(np.uint8), (300, 1))
    picture = shown(target, field())
    assert is_grey(picture)
    first, last = displacement_scale.SHOWN
    assert (picture.min(), picture.max()) == (first, last)
    assert (np.diff(picture[0, :, 0]) >= 0).all()
    # All that is drawn upon it is brighter: stripes and crosses.
    assert error_scale.COLOURS[[*error_scale.HATCH, CROSS]].min() > last


def test_outside_the_overlap_is_hatched_and_only_there() -> None:
    target = mid_grey()
    overlap = everywhere(target)
    overlap[:, 500:] = False
    picture = render(target, overlap, field())
    stripes = error_scale.COLOURS[list(error_scale.HATCH), 0]
    assert set(np.unique(picture[:300, 500:900])) == set(stripes)
    assert not set(np.unique(picture[:300, :500])) & set(stripes)


def test_a_tile_without_a_match_is_crossed_out() -> None:
    found, lost = (field((103.5, 47.5, 0.0, 0.0), matched=each) for each in (True, False))
    tile = shown(mid_grey(), lost)[40:56, 96:112]
    assert is_grey(tile)
    rim = np.concatenate([tile[0], tile[-1], tile[:, 0], tile[:, -1], np.diagonal(tile).T])
    assert (rim == error_scale.COLOURS[CROSS]).all()
    assert (tile[2, 8] < displacement_scale.SHOWN[1]).all()  # the target shows between the lines
    assert not is_grey(shown(mid_grey(), found)[40:56, 96:112])


@pytest.mark.parametrize("dx", [-1.0, 1.0])
@pytest.mark.parametrize("dy", [-2.0, 2.0])
def test_an_arrow_points_where_the_tile_is_found(dx: float, dy: float) -> None:
    tiles = [(60.0 + 80.0 * n, 150.0, dx, dy) for n in range(10)]
    picture = shown(mid_grey(), field(*tiles))
    rows, columns = np.nonzero(white(picture[:, 100:180]))
    mean = np.array([columns.mean() + 100.0 - 140.0, rows.mean() - 150.0])
    assert np.sign(mean).tolist() == [np.sign(dx), np.sign(dy)]
    assert mean[1] / mean[0] == pytest.approx(dy / dx, rel=0.25)


@pytest.mark.parametrize(("length", "times"), [(1.0, 50), (0.3, 200), (0.002, 1000), (90.0, 1)])
def test_arrows_are_enlarged_by_the_factor_that_the_legend_says(
    length: float, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    write = cv2.putText
    monkeypatch.setattr(
        cv2, "putText", lambda image, text, *rest: (said.append(text), write(image, text, *rest))[1]
    )
    tiles = [(60.0 + 80.0 * n, 150.0, 0.0, length) for n in range(10)]
    picture = shown(mid_grey(), field(*tiles))
    assert said[0] == f"displacement in px; arrows {times} times as long"
    rows, _ = np.nonzero(white(picture[:, 100:180]))
    drawn = np.ptp(rows) + 1 if rows.size else 0
    assert drawn == pytest.approx(length * times, abs=4.0)


def test_tiles_that_lie_far_apart_have_larger_cells_than_themselves() -> None:
    tiles = [(49.5 + 100.0 * n, 149.5, 0.0, 0.0) for n in range(8)]
    picture = shown(mid_grey(), field(*tiles, side=8.0))
    coloured = np.ptp(picture[149, :100], axis=-1) > 0
    assert coloured.sum() == 60
    assert np.flatnonzero(coloured).mean() == 49.5


def test_tiles_without_room_have_no_arrows() -> None:
    tiles = [(8.0 + 8.0 * n, 150.0, 0.0, 3.0) for n in range(100)]
    picture = shown(mid_grey(), field(*tiles, side=8.0))
    assert not white(picture).any()


@pytest.mark.parametrize(
    ("width", "height", "zoom"), [(40, 30, 8), (300, 200, 2), (450, 350, 1), (900, 300, 1)]
)
def test_a_small_target_is_enlarged_and_the_legend_is_below(
    width: int, height: int, zoom: int
) -> None:
    target = mid_grey(width, height)
    picture = render(target, everywhere(target), field((11.5, 11.5, 2.5, 0.0), side=8.0))
    legend = Legend.of(zoom * width, zoom * height)
    assert picture.shape[1] == max(zoom * width, legend.width)
    strip = picture[zoom * height :]
    assert (picture[: zoom * height, zoom * width :] == 255).all()
    for edge in (strip[:2], strip[-2:], strip[:, :2], strip[:, -2:]):
        assert (edge == 255).all()
    cell = picture[8 * zoom : 16 * zoom, 8 * zoom : 16 * zoom].astype(int)
    assert np.ptp(cell[0, 0]) > 60
    assert np.ptp(cell[-1, -1]) > 60
    assert is_grey(picture[8 * zoom - 1, : zoom * width].astype(int))
    assert is_grey(picture[16 * zoom, : zoom * width].astype(int))


@pytest.mark.parametrize(
    "target",
    [
        np.full((30, 40), np.nan),
        np.where(np.eye(30, 40) > 0, np.inf, 5.0),
        np.linspace(-1e307, 1e307, 1200).reshape(30, 40),
        np.full((30, 40, 4), 65535, np.uint16),
        np.full((30, 40, 2), 7, np.uint8),
    ],
)
def test_targets_of_any_kind_are_shown(target: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        render(target, everywhere(target), field((12.0, 12.0, np.nan, 0.0), matched=False))


def test_target_and_overlap_must_be_of_one_size() -> None:
    with pytest.raises(ValueError, match="differ"):
        render(mid_grey(), np.ones((300, 901), bool), field())


# The numbers


def test_the_table_says_what_its_columns_are_called() -> None:
    what = field((7.5, 39.5, 0.25, -0.5), (71.5, 23.5, 1.0, 2.0))
    what.matched[1] = False
    table = displacement_table(what)
    assert len(COLUMNS) == table.shape[1]
    first = dict(zip(COLUMNS, table[0].tolist(), strict=True))
    assert first == {
        "x": 7.5,
        "y": 39.5,
        "dx": 0.25,
        "dy": -0.5,
        "sigma_x": pytest.approx(0.3),
        "sigma_y": pytest.approx(0.4),
        "correlation": 0.75,
        "matched": 1.0,
    }
    assert table[1, COLUMNS.index("matched")] == 0.0


def test_every_file_of_numbers_reads_back_as_the_table() -> None:
    what = field((7.5, 39.5, 1 / 3, -0.0), (71.5, 23.5, 1e-17, 2.0))
    table = displacement_table(what)

    def no_picture() -> np.ndarray:
        raise AssertionError

    of_csv = encode("a.csv", what, no_picture).decode()
    header, *rows = csv.reader(io.StringIO(of_csv))
    assert tuple(header) == COLUMNS
    assert (np.array(rows, float) == table).all()
    assert rows[0][-1] == "1"
    document = json.loads(encode("a.JSON", what, no_picture))
    assert tuple(document["columns"]) == COLUMNS
    assert (np.array(document["tiles"]) == table).all()
    assert (document["tile_px"], document["level"]) == (16.0, 0)
    assert (np.load(io.BytesIO(encode("a.npy", what, no_picture))) == table).all()


def test_a_field_without_tiles_has_a_header_alone() -> None:
    assert encode("a.csv", field(), mid_grey) == (",".join(COLUMNS) + "\n").encode()
    assert np.load(io.BytesIO(encode("a.npy", field(), mid_grey))).shape == (0, 8)


@pytest.mark.parametrize("name", ["map", "map.txt", "map.pgm", "map.npz"])
def test_a_name_that_means_no_map_is_refused(name: str) -> None:
    with pytest.raises(UnwritableError, match=r"\.csv, \.json or \.npy"):
        check_name(name)


@pytest.mark.parametrize("name", ["map.png", "map.PNG", "map.tif", "map.jpg", "map.csv"])
def test_a_name_that_means_a_map_is_not(name: str) -> None:
    check_name(name)
