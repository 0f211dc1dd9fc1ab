"""Masks, regions and channels, as a user gives them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tifffile

from align_cli.engine.geometry.coordinates import map_points
from align_cli.engine.search.mirror import mirror
from align_cli.files.images import read_image, write_image
from tests.commands.conftest import SAMPLES, TRUTH, Imalign, rendered

SIZE = (160, 120)
HEIGHT, WIDTH = SIZE[::-1]

TURNED = np.array([[0.0, -1.0, 140.0], [1.0, 0.0, -20.0], [0.0, 0.0, 1.0]])
"""From the target to the source: so far that only a search of starts finds it."""


def blob_mask(seed: int, share: float = 0.3, size: tuple[int, int] = SIZE) -> np.ndarray:
    """(height, width) bool, False on about ``share`` of the pixels: a disc and a stripe."""
    numbers = np.random.default_rng(seed)
    y, x = np.mgrid[: size[1], : size[0]] * (WIDTH / size[0])
    x0, y0 = numbers.uniform(50.0, 110.0), numbers.uniform(40.0, 80.0)
    distance = np.hypot(x - x0, y - y0) - 20.0 * (np.abs(x - y - 60.0 * numbers.uniform()) < 4.0)
    return np.asarray(distance > np.quantile(distance, share))


def garbage(kind: str, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """What may lie under a mask."""
    numbers = np.random.default_rng([7, *kind.encode()])
    full = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1.0
    y, x = np.mgrid[: shape[0], : shape[1]]
    if kind == "noise":
        return (full * numbers.uniform(size=shape)).astype(dtype)
    if kind == "stripes":
        return (full * ((x // 3 + y // 5) % 2)).astype(dtype)
    if kind == "picture":
        return (
            full * rendered(np.array([[1.0, 0.2, 9.0], [0.0, 1.0, 9.0], [0.0, 0.0, 1.0]]))
        ).astype(dtype)
    values = {"white": full, "nan": np.nan, "infinite": np.inf, "huge": -1e300}
    return np.full(shape, values[kind], dtype)


def corner_error_px(found: dict, truth: np.ndarray) -> float:
    """Mean distance in px, over the source's corners, from where the truth puts them."""
    corners = np.array([(0.0, 0.0), (WIDTH, 0.0), (WIDTH, HEIGHT), (0.0, HEIGHT)])
    there = map_points(np.array(found["source_to_target"]), corners)
    return float(np.hypot(*(there - map_points(truth, corners)).T).mean())


POSTER = np.array(json.loads((SAMPLES / "poster_truth.json").read_text())["source_to_target"])
"""Of a photograph: formulas have no features."""

CASES = {
    "default": (TRUTH, np.uint8, (), ("noise", "stripes", "picture", "white")),
    "precise": (TRUTH, np.uint8, ("--preset", "precise"), ("noise", "white")),
    "auto": (TRUTH, np.uint8, ("-m", "auto"), ("noise", "picture")),
    "fast": (TRUTH, np.uint16, ("--preset", "fast"), ("noise", "white")),
    "turned": (TURNED, np.uint8, ("-m", "rigid"), ("noise", "stripes", "picture")),
    "fourier": (TURNED, np.uint8, ("-m", "rigid", "--init", "fourier"), ("noise", "white")),
    "features": (POSTER, np.uint8, ("--init", "features"), ("noise", "stripes")),
    "flip": (TURNED, np.uint8, ("-m", "rigid", "--allow-flip"), ("noise",)),
    "floats": (TRUTH, np.float64, (), ("noise", "nan", "infinite", "huge")),
}


@pytest.mark.parametrize("case", CASES)
def test_what_lies_under_a_mask_changes_no_byte(
    imalign: Imalign, tmp_path: Path, case: str
) -> None:
    truth, dtype, options, kinds = CASES[case]
    clean = {}
    for name, to_scene in (("a", truth), ("b", np.eye(3))):
        picture = rendered(to_scene, SIZE)
        if dtype is not np.float64:
            picture = np.rint(np.iinfo(dtype).max * picture)
        clean[name] = picture.astype(dtype)
    if case == "features":
        for name, role in (("a", "source"), ("b", "target")):
            clean[name] = read_image(SAMPLES / f"poster_{role}.png").pixels[..., 1]
    masks = {
        name: blob_mask(seed, size=picture.shape[1::-1])
        for seed, (name, picture) in enumerate(clean.items(), 1)
    }
    if case == "flip":
        clean["a"], masks["a"] = clean["a"][:, ::-1], masks["a"][:, ::-1]
    for name, mask in masks.items():
        assert 0.28 < 1.0 - mask.mean() < 0.32
        write_image(tmp_path / f"mask_{name}.png", mask * np.uint8(255))
    documents, error_maps = [], []
    for kind in (None, *kinds):
        for name, picture in clean.items():
            dirty = picture.copy()
            if kind is not None:
                dirty[~masks[name]] = garbage(kind, picture.shape, dtype)[~masks[name]]
                assert not np.array_equal(dirty, picture, equal_nan=True)
            write_image(tmp_path / f"{name}.tif", dirty)
        result = imalign(
            *("a.tif", "b.tif", "--source-mask", "mask_a.png", "--target-mask", "mask_b.png"),
            *("--error-map", "map.npy", "--no-image", *options),
        )
        assert result.returncode == 0, result.stderr
        documents.append((tmp_path / "a_aligned.json").read_bytes())
        error_maps.append((tmp_path / "map.npy").read_bytes())
    assert len(set(documents)) == 1
    assert len(set(error_maps)) == 1
    found = json.loads(documents[0])
    assert found["mirrored"] is (case == "flip")
    assert corner_error_px(found, truth @ mirror(WIDTH) if case == "flip" else truth) < 0.1
    assert found["options"]["source_mask"] == "mask_a.png"
    assert found["options"]["target_mask"] == "mask_b.png"


def moved_by_itself(tmp_path: Path) -> None:
    """``a.png`` and ``b.png``: ``TRUTH`` in the left half of the second, another motion right."""
    write_image(tmp_path / "a.png", np.rint(255.0 * rendered(TRUTH)).astype(np.uint8))
    other = TRUTH.copy()
    other[:2, 2] = 9.0, 4.0
    here = rendered(np.eye(3))
    here[:, 80:] = rendered(TRUTH @ np.linalg.inv(other))[:, 80:]
    write_image(tmp_path / "b.png", np.rint(255.0 * here).astype(np.uint8))


def test_a_region_is_all_that_counts(imalign: Imalign, tmp_path: Path) -> None:
    moved_by_itself(tmp_path)
    found = {}
    for name, roi, truth in (("left", "0,0,80,120", TRUTH), ("right", "80, 0, 80, 120", None)):
        result = imalign("a.png", "b.png", "-m", "rigid", "--roi", roi, "--json", f"{name}.json")
        assert result.returncode == 0, result.stderr
        found[name] = json.loads((tmp_path / f"{name}.json").read_text())
        if truth is not None:
            assert corner_error_px(found[name], truth) < 0.05
    assert corner_error_px(found["right"], TRUTH) > 3.0
    assert found["right"]["options"]["roi_px"] == {"x": 80, "y": 0, "width": 80, "height": 120}
    # The whole source is warped all the same.
    assert read_image(tmp_path / "a_aligned.png").pixels[30:90, 15:65].min() > 0


def test_a_region_is_a_mask(imalign: Imalign, pair: tuple[Path, Path], tmp_path: Path) -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[10:100, 30:130] = 1
    write_image(tmp_path / "m.png", mask)
    matrices = []
    for options in (("--roi", "30,10,100,90"), ("--target-mask", "m.png")):
        result = imalign(*pair, "--no-image", "--no-error-map", *options)
        assert result.returncode == 0, result.stderr
        matrices.append(json.loads((tmp_path / "a_aligned.json").read_text())["source_to_target"])
    assert matrices[0] == matrices[1]


@pytest.mark.parametrize("ignored", [False, True])
def test_alpha_is_a_mask_unless_it_is_ignored(
    imalign: Imalign, tmp_path: Path, ignored: bool
) -> None:
    mask = blob_mask(5)
    for name, to_scene in (("a", TRUTH), ("b", np.eye(3))):
        grey = np.rint(255.0 * rendered(to_scene)).astype(np.uint8)
        write_image(tmp_path / f"{name}.png", grey)
        write_image(tmp_path / f"{name}x.png", np.dstack([grey, mask * np.uint8(255)]))
    write_image(tmp_path / "m.png", mask * np.uint8(255))
    masks = () if ignored else ("--source-mask", "m.png", "--target-mask", "m.png")
    quiet = ("--no-image", "--no-error-map", "--json", "-")
    by_alpha = imalign("ax.png", "bx.png", *quiet, *("--ignore-alpha",) * ignored)
    by_mask = imalign("a.png", "b.png", *quiet, *masks)
    one, other = (json.loads(result.stdout) for result in (by_alpha, by_mask))
    assert one["source_to_target"] == other["source_to_target"]
    assert one["quality"] == other["quality"]
    assert one["options"]["ignore_alpha"] is ignored


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("bands", [4, 5, 7])
def test_one_band_is_fitted_and_all_are_warped(
    imalign: Imalign, tmp_path: Path, bands: int, planar: str
) -> None:
    fitted = 3
    numbers = np.random.default_rng(bands)
    for name, to_scene in (("a", TRUTH), ("b", np.eye(3))):
        # Only one band tells of the motion; the others are noise of their own.
        cube = numbers.integers(0, 65536, (HEIGHT, WIDTH, bands)).astype(np.uint16)
        cube[..., fitted] = np.rint(65535.0 * rendered(to_scene))
        data = cube if planar == "contig" else np.moveaxis(cube, -1, 0)
        tifffile.imwrite(
            tmp_path / f"{name}.tif", data, photometric="minisblack", planarconfig=planar
        )
    warping = ("--interpolation", "nearest", "-o", "a_aligned.tif")
    result = imalign("a.tif", "b.tif", "--channel", fitted, *warping)
    assert result.returncode == 0, result.stderr
    found = json.loads((tmp_path / "a_aligned.json").read_text())
    assert found["options"]["channel"] == fitted
    assert found["source"]["channels"] == bands
    assert corner_error_px(found, TRUTH) < 0.05
    source, warped = (read_image(tmp_path / name).pixels for name in ("a.tif", "a_aligned.tif"))
    assert warped.shape == (HEIGHT, WIDTH, bands)
    places = np.array([(70.0, 60.0), (20.0, 90.0), (120.0, 40.0)])
    there = np.rint(map_points(np.array(found["target_to_source"]), places)).astype(int)
    for (x, y), (u, v) in zip(places.astype(int), there, strict=True):
        assert (warped[y, x] == source[v, u]).all()


def test_the_mean_of_all_channels_and_luma_differ(imalign: Imalign, tmp_path: Path) -> None:
    numbers = np.random.default_rng(3)
    for name, to_scene in (("a", TRUTH), ("b", np.eye(3))):
        grey = np.rint(200.0 * rendered(to_scene))
        noise = numbers.normal(0.0, 6.0, (HEIGHT, WIDTH, 3))
        picture = np.clip(grey[..., None] + noise, 0.0, 255.0).astype(np.uint8)
        write_image(tmp_path / f"{name}.png", picture)
    found = {}
    for channel in ("luma", "all", "0", "2"):
        result = imalign(
            *("a.png", "b.png", "-m", "rigid", "--channel", channel),
            *("--json", "-", "--no-image", "--no-error-map"),
        )
        assert result.returncode == 0, result.stderr
        document = json.loads(result.stdout)
        assert corner_error_px(document, TRUTH) < 0.1
        found[channel] = str(document["source_to_target"])
    assert len(set(found.values())) == 4


def refused(
    result: subprocess.CompletedProcess[str], tmp_path: Path, code: int, *words: str
) -> None:
    """One clear line, the right exit code, and nothing written."""
    assert result.returncode == code, result.stderr
    last = result.stderr.splitlines()[-1]
    assert last.startswith("Error: "), result.stderr
    if code == 3:
        assert len(result.stderr.splitlines()) == 1, result.stderr
    for word in words:
        assert word in last
    assert "\nTraceback" not in result.stderr
    assert not list(tmp_path.glob("*_aligned*"))


@pytest.mark.parametrize("which", ["source", "target"])
def test_a_mask_that_cannot_be_used(
    imalign: Imalign, pair: tuple[Path, Path], tmp_path: Path, which: str
) -> None:
    write_image(tmp_path / "small.png", np.full((HEIGHT, WIDTH - 1), 255, np.uint8))
    write_image(tmp_path / "zero.png", np.zeros((HEIGHT, WIDTH), np.uint8))
    (tmp_path / "text.png").write_text("no picture")
    for name, words in (
        ("small.png", ("159x120", "160x120", f"{which}'s size")),
        ("zero.png", ("zero", "non-zero")),
        ("text.png", ("not an image",)),
        ("none.png", ("none.png",)),
    ):
        result = imalign("a.png", "b.png", f"--{which}-mask", name)
        refused(result, tmp_path, 3, name, *words)


@pytest.mark.parametrize(
    ("roi", "code", "words"),
    [
        ("100,20,61,50", 3, ("b.png", "100,20,61,50", "160x120", "up to 160")),
        ("0,100,50,21", 3, ("b.png", "up to 120")),
        ("500,500,5,5", 3, ("b.png", "160x120")),
        ("1,2,3", 2, ("four integers",)),
        ("1,2,3,4.5", 2, ("four integers",)),
        ("-1,2,30,40", 2, ("four integers",)),
        ("a,b,c,d", 2, ("four integers",)),
        ("1,2,0,4", 2, ("at least 1",)),
    ],
)
def test_a_region_that_cannot_be_used(
    imalign: Imalign,
    pair: tuple[Path, Path],
    tmp_path: Path,
    roi: str,
    code: int,
    words: tuple[str, ...],
) -> None:
    refused(imalign("a.png", "b.png", f"--roi={roi}"), tmp_path, code, "--roi", *words)


def test_a_region_where_the_mask_is_zero(
    imalign: Imalign, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[:, :80] = 255
    write_image(tmp_path / "m.png", mask)
    result = imalign("a.png", "b.png", "--target-mask", "m.png", "--roi", "80,0,80,120")
    refused(result, tmp_path, 3, "b.png", "--roi 80,0,80,120", "zero")


def test_a_region_too_small_to_align(
    imalign: Imalign, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    result = imalign("a.png", "b.png", "--roi", "20,20,5,5")
    refused(
        result,
        tmp_path,
        3,
        "b.png",
        "--roi 20,20,5,5",
        "5x5 px is too small",
        "each side needs 8 px",
    )


def test_a_small_region_that_does_not_do_is_told_of_a_larger_one(
    imalign: Imalign, pair: tuple[Path, Path]
) -> None:
    result = imalign("a.png", "b.png", "--roi", "20,20,16,12")
    assert result.returncode == 1
    assert "or try a larger --roi: 16x12 px contain little" in result.stderr
    write_image(pair[0], np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH), np.uint8))
    result = imalign("a.png", "b.png", "--roi", "20,20,100,80")
    assert result.returncode == 1
    assert "--roi" not in result.stderr


@pytest.mark.parametrize("channel", ["1", "7"])
def test_a_channel_that_is_not_there(
    imalign: Imalign, pair: tuple[Path, Path], tmp_path: Path, channel: str
) -> None:
    result = imalign("a.png", "b.png", "--channel", channel)
    refused(result, tmp_path, 3, ".png", f"no channel {channel}", "only channel 0")


@pytest.mark.parametrize("channel", ["-1", "red", "1.5", ""])
def test_a_channel_that_is_none(
    imalign: Imalign, pair: tuple[Path, Path], tmp_path: Path, channel: str
) -> None:
    refused(imalign("a.png", "b.png", f"--channel={channel}"), tmp_path, 2, "--channel", "luma")


def test_a_mask_is_no_output(imalign: Imalign, pair: tuple[Path, Path], tmp_path: Path) -> None:
    write_image(tmp_path / "m.png", np.full((HEIGHT, WIDTH), 255, np.uint8))
    before = (tmp_path / "m.png").read_bytes()
    result = imalign("a.png", "b.png", "--target-mask", "m.png", "-o", "m.png")
    refused(result, tmp_path, 2, "m.png")
    assert (tmp_path / "m.png").read_bytes() == before


@pytest.mark.parametrize(
    ("dtype", "value"), [("float32", "-10000"), ("int16", "-32767"), ("uint16", "65535")]
)
def test_what_the_file_calls_no_data_takes_no_part(
    imalign: Imalign, tmp_path: Path, dtype: str, value: str
) -> None:
    for name, to_scene, side in (("a.tif", TRUTH, np.s_[:, :40]), ("b.tif", np.eye(3), np.s_[85:])):
        pixels = (5000.0 * rendered(to_scene, (WIDTH, HEIGHT))).astype(dtype)
        pixels[side] = float(value)
        for prefix, tags in (("", [(42113, "s", 0, value, True)]), ("plain_", [])):
            tifffile.imwrite(tmp_path / f"{prefix}{name}", pixels, extratags=tags)
    options = ("-m", "rigid", "--error-map", "e.npy", "--json", "found.json", "--no-image")
    result = imalign("a.tif", "b.tif", *options)
    assert result.returncode == 0, result.stderr
    document = json.loads((tmp_path / "found.json").read_text())
    assert corner_error_px(document, TRUTH) < 0.03
    assert np.isnan(np.load(tmp_path / "e.npy")[85:]).all()
    # With a mask beside it, both count; and nothing is left where they have nothing in common.
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[:, 30:] = 255
    write_image(tmp_path / "m.png", mask)
    result = imalign("a.tif", "b.tif", *options, "--source-mask", "m.png")
    assert result.returncode == 0, result.stderr
    if dtype == "uint16":
        for masked in (("--source-mask", "m.png"), ("--roi", "0,90,160,30")):
            write_image(tmp_path / "m.png", 255 - mask)
            result = imalign("a.tif", "b.tif", *masked)
            refused(result, tmp_path, 3, ".tif", "no-data value (GDAL_NODATA)")
    # Without the tag the value is a grey value like any other, and the answer another.
    tagged = json.loads((tmp_path / "found.json").read_text())
    imalign("plain_a.tif", "plain_b.tif", *options)
    plain = json.loads((tmp_path / "found.json").read_text())
    assert corner_error_px(plain, TRUTH) > 1.3 * corner_error_px(tagged, TRUTH)
