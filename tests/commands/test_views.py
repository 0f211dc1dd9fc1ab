"""``--overlay`` and ``--blink``: their files, as another program reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image, ImageSequence

from align_cli.files.images import write_image
from align_cli.report import overlay
from align_cli.report.overlay import DRAWN, NOTHING
from align_cli.report.view_names import ANIMATIONS, STYLES
from benchmarks.changed_pages import Patch, random_page, render
from tests.commands.conftest import SAMPLES, Imalign, rendered

SHIFT = 10
"""Of the source of ``shifted``, in pixels: its first columns are the target's eleventh on."""


def opened(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.array(image)


def frames(path: Path) -> list[np.ndarray]:
    with Image.open(path) as image:
        return [np.array(each.convert("RGB")) for each in ImageSequence.Iterator(image)]


def to_save(image: np.ndarray, kind: str) -> tuple[str, np.ndarray]:
    """Name of suffix and pixels of a picture of 0..1, of which all kinds show the same greys."""
    eight = np.rint(255 * image).astype(np.uint8)
    whole = np.full_like(eight, 255)
    return {
        "grey": (".png", eight),
        "colour": (".png", np.dstack([eight, eight, eight])),
        "16 bit": (".png", eight * np.uint16(257)),
        "float": (".tif", (eight / 255).astype(np.float32)),
        "alpha": (".png", np.dstack([eight, eight, eight, whole])),
    }[kind]


@pytest.fixture
def shifted(tmp_path: Path) -> tuple[Path, Path, np.ndarray, np.ndarray]:
    """A pair of whole pixels' shift, its transform, and the greys of target and warped source."""
    target, source = (
        np.rint(255 * rendered(np.array([[1, 0, x], [0, 1, 0], [0, 0, 1.0]]))).astype(np.uint8)
        for x in (0, SHIFT)
    )
    (tmp_path / "shift.txt").write_text(f"1 0 {SHIFT} 0 1 0 0 0 1")
    write_image(tmp_path / "a.png", source)
    write_image(tmp_path / "b.png", target)
    return tmp_path / "a.png", tmp_path / "b.png", target, source


def test_styles_have_what_draws_them() -> None:
    assert set(STYLES) == set(DRAWN)


@pytest.mark.parametrize("kind", ["grey", "colour", "16 bit", "float", "alpha"])
def test_a_checkerboard_of_any_kind_of_image(kind: str, imalign: Imalign, tmp_path: Path) -> None:
    grid = np.array([[1, 0, SHIFT], [0, 1, 0], [0, 0, 1.0]])
    greys = [np.rint(255 * rendered(each)).astype(np.uint8) for each in (grid, np.eye(3))]
    paths = []
    for name, grey in zip("ab", greys, strict=True):
        suffix, pixels = to_save(grey / 255, kind)
        paths.append(tmp_path / f"{name}{suffix}")
        write_image(paths[-1], pixels)
    (tmp_path / "shift.txt").write_text(f"1 0 {SHIFT} 0 1 0 0 0 1")
    done = imalign("check", "shift.txt", *paths, "--overlay", "o.png", "--blink", "o.apng")
    assert done.returncode == 0, done.stderr
    assert "wrote o.png, o.apng" in done.stderr
    seen = opened(tmp_path / "o.png")
    assert seen.shape == (120, 160, 3)
    target, source = greys[1], greys[0]
    for row, column in ((0, 0), (1, 1), (3, 5), (6, 8)):  # squares of 16 px, the target's
        at = np.s_[16 * row : 16 * row + 16, 16 * column : 16 * column + 16]
        assert_array_equal(seen[at], np.dstack([target[at]] * 3))
    for row, column in ((0, 1), (1, 2), (6, 9)):
        at = np.s_[16 * row : 16 * row + 16, 16 * column : 16 * column + 16]
        from_source = source[at[0], 16 * column - SHIFT : 16 * column + 16 - SHIFT]
        assert_array_equal(seen[at], np.dstack([from_source] * 3))
    assert set(np.unique(seen[16:32, :SHIFT])) == set(NOTHING)  # left of the source
    first, second = frames(tmp_path / "o.apng")
    assert_array_equal(first, np.dstack([target] * 3))
    assert_array_equal(second[:, SHIFT:], np.dstack([source[:, :-SHIFT]] * 3))


def test_red_cyan_is_grey_where_both_agree(
    imalign: Imalign, shifted: tuple[Path, Path, np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    source_path, target_path, target, source = shifted
    style = ("--overlay", "o.png", "--overlay-style", "red-cyan")
    assert imalign("check", "shift.txt", source_path, target_path, *style).returncode == 0
    seen = opened(tmp_path / "o.png")
    assert_array_equal(seen[..., 0], target)
    for channel in (1, 2):
        assert_array_equal(seen[:, SHIFT:, channel], source[:, :-SHIFT])
        assert not seen[:, :SHIFT, channel].any()


def test_the_outline_is_where_the_source_lies(
    imalign: Imalign, shifted: tuple[Path, Path, np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    source_path, target_path, target, _ = shifted
    style = ("--overlay", "o.png", "--overlay-style", "outline")
    assert imalign("check", "shift.txt", source_path, target_path, *style).returncode == 0
    seen = opened(tmp_path / "o.png").astype(int)
    drawn = (np.ptp(seen, axis=2) > 60)[60]
    assert drawn.any()
    assert set(np.flatnonzero(drawn)) <= {SHIFT - 1, SHIFT}  # amber, on the border
    assert_array_equal(seen[10:-10, 20:-20], np.dstack([target] * 3)[10:-10, 20:-20])


@pytest.mark.parametrize(
    ("suffix", "kind"), [(".gif", "GIF"), (".webp", "WEBP"), (".apng", "PNG"), (".png", "PNG")]
)
@pytest.mark.parametrize("colour", [False, True])
def test_an_animation_has_two_frames_and_no_end(
    suffix: str, kind: str, colour: bool, imalign: Imalign, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    paths = (SAMPLES / "poster_source.png", SAMPLES / "poster_target.png") if colour else pair
    name = f"blink{suffix.upper()}"
    done = imalign(*paths, "--blink", name, "--no-image", "--no-error-map")
    assert done.returncode == 0, done.stderr
    assert name in done.stderr
    assert "reduced" not in done.stderr
    with Image.open(tmp_path / name) as image:
        assert image.format == kind
        assert image.n_frames == 2
        assert image.info["loop"] == 0
        durations = []
        for number in range(2):
            image.seek(number)
            image.load()
            durations.append(image.info["duration"])
    assert durations == [500, 500]
    with Image.open(paths[1]) as target:
        expected = np.array(target.convert("RGB")).astype(float)
    first, second = (each.astype(float) for each in frames(tmp_path / name))
    assert first.shape == expected.shape
    near = {"GIF": 12.0 if colour else 0.0, "WEBP": 6.0, "PNG": 0.0}[kind]
    assert np.abs(first - expected).mean() <= near
    assert np.abs(second - first)[20:-20, 20:-20].mean() < near + 4.0  # it is aligned


def test_colours_of_both_frames_of_a_gif_are_the_same(imalign: Imalign, tmp_path: Path) -> None:
    """What is equal in both must not blink: each frame with its own palette would."""
    poster = SAMPLES / "poster_target.png"
    with Image.open(poster) as image:
        other = np.array(image.convert("RGB"))
    other[:60, :60] = (255, 0, 255)
    write_image(tmp_path / "a.png", other)
    (tmp_path / "same.txt").write_text("1 0 0 0 1 0 0 0 1")
    assert imalign("check", "same.txt", "a.png", poster, "--blink", "x.gif").returncode == 0
    first, second = frames(tmp_path / "x.gif")
    assert_array_equal(first[60:], second[60:])
    assert (first[:60, :60] != second[:60, :60]).any()


def test_a_large_animation_is_reduced_and_says_so(imalign: Imalign, tmp_path: Path) -> None:
    target = np.rint(255 * rendered(np.diag([0.1, 0.1, 1.0]), (2000, 500))).astype(np.uint8)
    write_image(tmp_path / "b.png", target)
    (tmp_path / "same.txt").write_text("1 0 0 0 1 0 0 0 1")
    wanted = ("check", "same.txt", "b.png", "b.png", "--blink", "x.webp", "--overlay", "x.png")
    done = imalign(*wanted)
    assert "x.webp: reduced from 2000x500 px to 1600x400 px" in done.stderr
    with Image.open(tmp_path / "x.webp") as image:
        assert image.size == (1600, 400)
    with Image.open(tmp_path / "x.png") as image:
        assert image.size == (2000, 500)
    assert "reduced" not in imalign(*wanted, "-q").stderr


def test_what_is_transparent_is_squares(imalign: Imalign, tmp_path: Path) -> None:
    grey = np.rint(255 * rendered(np.eye(3))).astype(np.uint8)
    opaque = np.full_like(grey, 255)
    opaque[:40] = 0
    for name in ("a.png", "b.png"):
        write_image(tmp_path / name, np.dstack([grey, grey, grey, opaque]))
    (tmp_path / "same.txt").write_text("1 0 0 0 1 0 0 0 1")
    imalign("check", "same.txt", "a.png", "b.png", "--overlay", "x.png")
    seen = opened(tmp_path / "x.png")
    assert set(np.unique(seen[:39])) == set(NOTHING)
    assert_array_equal(seen[41:], np.dstack([grey] * 3)[41:])


def test_under_another_exposure_squares_and_frames_agree(imalign: Imalign, tmp_path: Path) -> None:
    target = 20.0 + 150.0 * rendered(np.eye(3))
    noise = np.random.default_rng(0).normal(0.0, 2.0, (2, *target.shape))
    write_image(tmp_path / "a.png", np.rint(1.3 * target + noise[0]).astype(np.uint8))
    write_image(tmp_path / "b.png", np.rint(target + noise[1]).astype(np.uint8))
    wanted = "--overlay", "o.png", "--blink", "o.apng", "--no-image", "--no-error-map"
    still = opened(tmp_path / "b.png").astype(float)

    def steps() -> list[float]:
        """Mean of overlay less target in each square of the source; that of the second frame."""
        left = opened(tmp_path / "o.png")[..., 0] - still
        squares = [
            left[y : y + 16, x : x + 16].mean()
            for y in range(16, 96, 16)
            for x in range(16, 144, 16)
            if (x + y) // 16 % 2
        ]
        second = frames(tmp_path / "o.apng")[1][..., 0] - still
        return [*map(abs, squares), abs(second[16:-16, 16:-16].mean())]

    assert imalign("-m", "translation", "a.png", "b.png", *wanted).returncode == 0
    assert max(steps()) < 1.0
    (tmp_path / "t.txt").write_text("1 0 0 0 1 0 0 0 1")
    again = ("check", "t.txt", "a.png", "b.png", *wanted[:4])
    assert imalign(*again).returncode == 0
    assert max(steps()) < 1.0
    plain = imalign("-m", "translation", "a.png", "b.png", *wanted, "--no-photometric")
    assert "wrote o.png" in plain.stderr
    assert min(steps()) > 10.0


@pytest.mark.parametrize("style", list(STYLES))
def test_an_overlay_marks_the_box_of_a_recoloured_button(
    style: str, imalign: Imalign, tmp_path: Path
) -> None:
    page = random_page(np.random.default_rng(3))
    colours = (200, 140, 90), (90, 140, 200)
    other, target = (
        render(page.with_patch(Patch((300, 300, 40, 40), each, 0))) for each in colours
    )
    for name, image in (("same", target), ("other", other)):
        write_image(tmp_path / f"{name}.png", np.roll(image, 1, 1))
    write_image(tmp_path / "b.png", target)
    (tmp_path / "t.txt").write_text("1 0 -1 0 1 0 0 0 1")
    few = "--no-image", "--no-error-map", "-m", "translation"
    wanted = "--overlay", "o.png", "--overlay-style", style
    for name in ("same", "other"):
        pair = f"{name}.png", "b.png"
        for line in ((*pair, *few), ("check", "t.txt", *pair)):
            done = imalign(*line, *wanted)
            assert done.returncode == 0, done.stderr
            seen = opened(tmp_path / "o.png").astype(int)
            near = seen[285:355, 285:355] - overlay.CHANGED
            y, x = np.nonzero(np.abs(near).max(axis=2) <= 60)
            if name == "same":
                assert not y.size
                continue
            for along in (x, y):
                assert 285 + along.min() == pytest.approx(296, abs=4)
                assert 285 + along.max() == pytest.approx(343, abs=4)


def test_a_failure_has_neither_and_says_so(imalign: Imalign, tmp_path: Path) -> None:
    unlike = (SAMPLES / "fundus_source.png", SAMPLES / "poster_target.png")
    (tmp_path / "x.png").write_bytes(b"of an earlier run")
    done = imalign(*unlike, "--overlay", "x.png", "--blink", "x.gif")
    assert done.returncode == 1
    for name in ("x.png", "x.gif"):
        assert f"{name}: not written, because the alignment failed; --report" in done.stderr
    assert "x.png is from an earlier run" in done.stderr
    assert (tmp_path / "x.png").read_bytes() == b"of an earlier run"
    assert not (tmp_path / "x.gif").exists()


def test_a_doubtful_result_is_shown_though_not_accepted(imalign: Imalign, tmp_path: Path) -> None:
    x, y = np.meshgrid(np.arange(200.0), np.arange(150.0))
    for name, shift in (("grid.png", 3.3), ("b.png", 0.0)):
        waves = np.sin((x + shift) / 3.5) + np.sin((y + shift) / 3.5)
        noise = np.random.default_rng(int(shift)).normal(0.0, 2.0, waves.shape)
        write_image(tmp_path / name, np.rint(128.0 + 45.0 * waves + noise).astype(np.uint8))
    wanted = ("--overlay", "x.png", "--blink", "x.gif")
    done = imalign("-m", "translation", "grid.png", "b.png", *wanted)
    assert done.returncode == 1
    assert "no warped image was written; wrote x.png, x.gif, grid_aligned.json" in done.stderr
    assert not (tmp_path / "grid_aligned.png").exists()
    assert opened(tmp_path / "x.png").shape == (150, 200, 3)
    assert len(frames(tmp_path / "x.gif")) == 2


def test_a_horizon_leaves_nothing_to_show(imalign: Imalign, pair: tuple[Path, Path]) -> None:
    (pair[0].parent / "tilted.txt").write_text("1 0 0 0 1 0 0.02 0 1")
    done = imalign("check", "tilted.txt", *pair, "--overlay", "x.png", "--report", "r.html")
    assert done.returncode == 1
    assert "wrote r.html\n" in done.stderr
    assert "x.png: not written, because the transform has its horizon in the target" in done.stderr


def test_a_border_that_is_far_away_is_missed(imalign: Imalign, pair: tuple[Path, Path]) -> None:
    (pair[0].parent / "large.txt").write_text("50 0 0 0 50 0 0 0 1")
    style = ("--overlay", "x.png", "--overlay-style", "outline")
    done = imalign("check", "large.txt", *pair, *style)
    assert f"x.png: without the border of {pair[0]}: it is too far away" in done.stderr
    done = imalign("check", "large.txt", *pair, *style[:2])  # a checkerboard, which has none
    assert "without the border" not in done.stderr


def test_messages_are_one_line_whatever_the_name(imalign: Imalign) -> None:
    unlike = (SAMPLES / "fundus_source.png", SAMPLES / "poster_target.png")
    done = imalign(*unlike, "--overlay", "new\nline.png", "--no-image", "--no-error-map")
    assert "new\\nline.png: not written" in done.stderr


def test_a_wrong_transform_is_shown_by_check(
    imalign: Imalign, shifted: tuple[Path, Path, np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    (tmp_path / "wrong.txt").write_text("1 0 0 0 1 0 0 0 1")
    done = imalign("check", "wrong.txt", *shifted[:2], "--overlay", "x.png")
    assert done.returncode == 1
    assert opened(tmp_path / "x.png").shape == (120, 160, 3)


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        (("--blink", "x.mp4"), "give it a name in .gif, .webp, .apng or .png"),
        (("--blink", "x"), "give it a name in .gif, .webp, .apng or .png"),
        (("--overlay", "x.gif"), ".png .tif .tiff .jpg"),
        (("--overlay-style", "outline"), "needs --overlay PATH.png"),
        (("--overlay", "x.png", "--overlay-style", "stripes"), "'checkerboard', 'red-cyan'"),
        (("--overlay", "a.png"), "same file as the input"),
        (("--blink", "x.png", "--overlay", "x.png"), "two outputs"),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(
    options: tuple[str, ...], advice: str, imalign: Imalign, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    done = imalign(*pair, *options)
    assert done.returncode == 2
    assert advice in done.stderr
    assert not (tmp_path / "a_aligned.json").exists()


def test_help_names_all_styles_and_suffixes(imalign: Imalign) -> None:
    said = imalign("align", "--help").stdout
    for name in (*STYLES, *ANIMATIONS):
        assert name in said
