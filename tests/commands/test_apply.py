from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from align_cli import read_transform
from align_cli.commands.exit_codes import ExitCode
from align_cli.files.images import read_image, write_image
from tests.commands.conftest import TRUTH, Imalign, rendered

Pair = tuple[Path, Path]


@pytest.fixture
def aligned(imalign: Imalign, pair: Pair, tmp_path: Path) -> Path:
    """``a_aligned.json`` and its pictures."""
    assert imalign("a.png", "b.png", "--no-error-map", "-q").returncode == 0
    return tmp_path / "a_aligned.json"


def pixels(path: Path) -> np.ndarray:
    return read_image(path).pixels


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".pgm", ".jpg"])
def test_the_file_is_the_one_that_align_wrote(
    imalign: Imalign, pair: Pair, tmp_path: Path, suffix: str
) -> None:
    imalign("a.png", "b.png", "-o", f"x{suffix}", "--fill", 7)
    assert (
        imalign("apply", "a_aligned.json", "a.png", "-o", f"y{suffix}", "--fill", 7).returncode == 0
    )
    assert (tmp_path / f"x{suffix}").read_bytes() == (tmp_path / f"y{suffix}").read_bytes()


def test_an_alignment_with_perspective_and_colour_gives_the_same_file(
    imalign: Imalign, tmp_path: Path
) -> None:
    rng = np.random.default_rng(5)
    tilted = TRUTH.copy()
    tilted[2, :2] = 1e-4, -5e-5
    for name, matrix in (("a.tif", tilted), ("b.tif", np.eye(3))):
        grey = rendered(matrix, (180, 140))
        colours = np.stack([grey, grey**2, 1 - grey], axis=-1) + rng.normal(0, 1e-3, (140, 180, 3))
        write_image(tmp_path / name, np.clip(colours * 65535, 0, 65535).astype(np.uint16))
    assert imalign("a.tif", "b.tif").returncode == 0
    result = imalign("apply", "a_aligned.json", "a.tif")
    assert result.returncode == 0
    step = "next: in Python, align_cli.load('a_aligned.json').warp(image) does the same"
    assert result.stderr == f"wrote a_applied.png\n{step}\n"
    first, second = (tmp_path / f"a_{name}.png" for name in ("aligned", "applied"))
    assert first.read_bytes() == second.read_bytes()


def test_another_channel_is_warped_as_in_python(
    imalign: Imalign, aligned: Path, tmp_path: Path
) -> None:
    from align_cli import read_transform  # noqa: PLC0415

    other = np.random.default_rng(1).uniform(size=(120, 160, 2)).astype(np.float32)
    write_image(tmp_path / "other.tif", other)
    assert imalign("apply", aligned, "other.tif", "--fill", -1).returncode == 0
    assert (
        pixels(tmp_path / "other_applied.tif") == read_transform(aligned).warp(other, fill=-1)
    ).all()


def test_labels_by_nearest(imalign: Imalign, aligned: Path, tmp_path: Path) -> None:
    labels = np.random.default_rng(2).choice([3, 50, 1000], (120, 160)).astype(np.uint16)
    write_image(tmp_path / "labels.png", labels)
    imalign("apply", aligned, "labels.png", "--interpolation", "nearest", "-o", "out.png")
    assert set(np.unique(pixels(tmp_path / "out.png"))) == {0, 3, 50, 1000}


@pytest.mark.parametrize("alpha", [False, True])
def test_labels_with_a_palette_keep_it_and_their_numbers(
    imalign: Imalign, aligned: Path, tmp_path: Path, alpha: bool
) -> None:
    numbers = np.random.default_rng(2).choice([0, 3, 20], (120, 160)).astype(np.uint8)
    labels = Image.fromarray(numbers, "P")
    palette = np.random.default_rng(3).integers(0, 256, 63).tolist()
    labels.putpalette(palette)
    labels.save(tmp_path / "labels.png", **({"transparency": 0} if alpha else {}))
    nearest = ("--interpolation", "nearest")
    for fill in (0, 7):
        result = imalign("apply", aligned, "labels.png", *nearest, "--fill", fill)
        assert result.returncode == 0, result.stderr
        with Image.open(tmp_path / "labels_applied.png") as seen:
            assert seen.mode == "P"
            assert seen.getpalette()[:63] == palette
            assert ("transparency" in seen.info) == alpha
            found = np.asarray(seen)
        expected = read_transform(aligned).warp(numbers, interpolation="nearest", fill=fill)
        np.testing.assert_array_equal(found, expected)
        assert (found == fill).any()
    for fill in (21, -1, 0.5):
        result = imalign("apply", aligned, "labels.png", *nearest, "--fill", fill)
        assert result.returncode == ExitCode.USAGE
        assert "whose colour indices are 0 to 20" in result.stderr
    # Colours are mixed by any other interpolation, and other formats hold no palette here.
    for arguments, name in (((), "x.png"), (nearest, "x.tif")):
        result = imalign("apply", aligned, "labels.png", *arguments, "--fill", 200, "-o", name)
        assert result.returncode == 0, result.stderr
        assert read_image(tmp_path / name).channels == (4 if alpha else 3)


def test_a_source_with_a_palette_becomes_the_same_file_by_align_and_by_apply(
    imalign: Imalign, pair: Pair, tmp_path: Path
) -> None:
    with Image.open(pair[0]) as grey:
        grey.convert("RGB").quantize(64).save(tmp_path / "a.png")
    nearest = ("--interpolation", "nearest")
    assert imalign("a.png", "b.png", *nearest).returncode == 0
    assert imalign("apply", "a_aligned.json", "a.png", *nearest).returncode == 0
    first, second = (tmp_path / f"a_{name}.png" for name in ("aligned", "applied"))
    assert first.read_bytes() == second.read_bytes()
    with Image.open(first) as seen:
        assert seen.mode == "P"


def test_inverse_goes_from_the_target_to_the_source(
    imalign: Imalign, aligned: Path, tmp_path: Path
) -> None:
    imalign("apply", aligned, "--inverse", "b.png", "-o", "back.png", "--interpolation", "cubic")
    back, source = (pixels(tmp_path / name).astype(float) for name in ("back.png", "a.png"))
    assert np.abs(back - source)[15:-15, 15:-15].mean() < 1.0


def test_a_folder_of_images(imalign: Imalign, aligned: Path, tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    for number in (1, 2, 10):
        write_image(frames / f"f{number}.tif", np.full((120, 160), number, np.uint8))
    write_image(frames / "g.jpg", np.full((120, 160), 100, np.uint8))
    result = imalign("apply", aligned, "frames", "-o", "out")
    assert result.returncode == 0, result.stderr
    names = ["f1.tif", "f2.tif", "f10.tif", "g.png"]
    assert result.stderr.splitlines()[:-1] == [f"wrote out/{name}" for name in names]
    assert pixels(tmp_path / "out" / "f10.tif").max() == 10


def test_what_align_wrote_stays_as_it_is(imalign: Imalign, aligned: Path, tmp_path: Path) -> None:
    before = (tmp_path / "a_aligned.png").read_bytes()
    assert imalign("apply", aligned, "a.png", "--fill", 200).returncode == 0
    assert (tmp_path / "a_aligned.png").read_bytes() == before
    assert (tmp_path / "a_applied.png").read_bytes() != before


def test_results_in_a_folder_are_no_inputs_unless_they_are_named(
    imalign: Imalign, aligned: Path, tmp_path: Path
) -> None:
    assert imalign("a.png", "b.png", "-q").returncode == 0  # an error map too, of another size
    (tmp_path / "b_applied_by_hand.png").write_bytes((tmp_path / "a.png").read_bytes())
    images = {"a.png", "b.png", "b_applied_by_hand.png"}
    results = {f"{Path(name).stem}_applied.png" for name in images}
    for left_out in ({"a_aligned.png", "a_aligned_error.png"}, results):
        result = imalign("apply", aligned, ".")
        assert result.returncode == 0, result.stderr
        first, *lines, step = result.stderr.splitlines()
        assert step.startswith("next: in Python, ")
        assert left_out <= set(first.removeprefix("skipped as earlier results: ").split(", "))
        assert set(lines) == {f"wrote {name}" for name in results}
    assert imalign("apply", aligned, ".", "-q").stderr == ""
    result = imalign("apply", aligned, "a_aligned.png", "a_aligned.png")
    assert result.stderr.splitlines()[0] == "wrote a_aligned_applied.png"


def test_a_folder_in_a_folder_that_is_not_there(
    imalign: Imalign, aligned: Path, tmp_path: Path
) -> None:
    result = imalign("apply", aligned, "a.png", "-o", "o/new/sub/")
    assert result.returncode == ExitCode.OUTPUT
    assert result.stderr == (
        "Error: o/new/sub/: its folder does not exist; create the folder first\n"
    )


def test_an_image_of_another_size_is_told_of_the_way_out(
    imalign: Imalign, pair: Pair, tmp_path: Path
) -> None:
    write_image(tmp_path / "large.png", np.zeros((240, 320), np.uint8))
    write_image(tmp_path / "target.png", pixels(pair[1])[5:-5])
    assert imalign("a.png", "target.png", "-q").returncode == 0
    result = imalign("apply", "a_aligned.json", "large.png")
    assert result.returncode == ExitCode.INPUT
    assert "is for an image of 160x120 px, this one has 320x240 px; --rescale" in result.stderr
    assert imalign("apply", "a_aligned.json", "large.png", "--rescale").returncode == 0
    result = imalign("apply", "a_aligned.json", "target.png")
    assert result.returncode == ExitCode.INPUT
    assert "--inverse maps the other way" in result.stderr
    assert imalign("apply", "a_aligned.json", "target.png", "--inverse").returncode == 0


@pytest.mark.parametrize(
    ("dtype", "fill", "fits"),
    [
        ("uint8", 255, True),
        ("uint8", 300, False),
        ("uint8", -1, False),
        ("uint8", 0.5, False),
        ("uint16", 300, True),
        ("uint16", 65536, False),
        ("float32", -1.5, True),
    ],
)
def test_a_fill_that_the_dtype_cannot_hold_is_refused(
    imalign: Imalign, aligned: Path, tmp_path: Path, dtype: str, fill: float, fits: bool
) -> None:
    white = {"uint8": 255, "uint16": 65535, "float32": 1.0}[dtype]
    write_image(tmp_path / "w.tif", (rendered(TRUTH) * white).astype(dtype))
    for arguments in (("apply", aligned, "w.tif"), ("w.tif", "b.png")):
        result = imalign(*arguments, "--fill", fill)
        assert result.returncode == (0 if fits else ExitCode.USAGE), result.stderr
        if not fits:
            assert f"w.tif has integer values from 0 to {white}" in result.stderr
    assert (tmp_path / "w_applied.tif").exists() == (dtype == "float32")
    assert (tmp_path / "w_applied.png").exists() == (fits and dtype != "float32")


def test_one_bad_image_does_not_stop_the_others(
    imalign: Imalign, aligned: Path, tmp_path: Path
) -> None:
    write_image(tmp_path / "small.png", np.zeros((20, 30), np.uint8))
    (tmp_path / "broken.png").write_text("no picture")
    result = imalign("apply", aligned, "small.png", "broken.png", "a.png", "-o", "out/")
    assert result.returncode == ExitCode.INPUT
    lines = result.stderr.splitlines()
    assert lines[0].startswith("Error: small.png: the transform is for an image of 160x120 px")
    assert lines[1].startswith("Error: broken.png: is not an image")
    assert lines[2:] == ["wrote out/a.png", "1 of 3 images written"]


def test_no_input_is_ever_overwritten(imalign: Imalign, aligned: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for arguments in (
        ("a.png", "-o", "a.png"),
        ("a.png", "b.png", "-o", "."),
        (".", "-o", "."),
        ("a.png", "-o", "a_aligned.json"),
        ("a.png", "-o", "x.png", "--valid-mask", "a.png"),
    ):
        result = imalign("apply", aligned, *arguments)
        assert result.returncode == ExitCode.USAGE, result.stderr
        assert "is the same file as the input" in result.stderr
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("option", ["--valid-mask", "--json"])
def test_two_outputs_that_are_one_file(
    imalign: Imalign, aligned: Path, tmp_path: Path, option: str
) -> None:
    for output in ((), ("-o", "./a_applied.png")):
        result = imalign("apply", aligned, "a.png", *output, option, "a_applied.png")
        assert result.returncode == ExitCode.USAGE
        assert "two outputs have the name" in result.stderr
        assert not (tmp_path / "a_applied.png").exists()


def test_two_outputs_of_one_name(imalign: Imalign, aligned: Path, tmp_path: Path) -> None:
    for name in ("p/a.png", "q/a.png"):
        (tmp_path / name).parent.mkdir()
        write_image(tmp_path / name, np.full((120, 160), ord(name[0]), np.uint8))
    result = imalign("apply", aligned, "p/a.png", "q/a.png", "-o", "out")
    assert result.returncode == ExitCode.OUTPUT
    assert "its output out/a.png would also be that of p/a.png" in result.stderr
    assert pixels(tmp_path / "out" / "a.png").max() == ord("p")


@pytest.mark.parametrize("canvas", ["target", "source", "union", "overlap"])
def test_canvas_and_valid_mask(
    imalign: Imalign, aligned: Path, tmp_path: Path, canvas: str
) -> None:
    write_image(tmp_path / "white.png", np.full((120, 160), 255, np.uint8))
    result = imalign(
        "apply", aligned, "white.png", "-o", "x.png", "--canvas", canvas, "--valid-mask", "m.png"
    )
    assert result.returncode == 0, result.stderr
    shown, mask = pixels(tmp_path / "x.png"), pixels(tmp_path / "m.png")
    assert (shown == mask).all()
    if canvas == "overlap":
        assert (mask == 255).all()
        assert mask.shape < (120, 160)
    if canvas == "union":
        assert mask.shape > (120, 160)
        assert "origin at the target's pixel (" in result.stderr


def test_an_absurd_canvas_is_refused_with_its_size(
    imalign: Imalign, pair: Pair, tmp_path: Path
) -> None:
    (tmp_path / "big.txt").write_text("300 0 0 0 200 0 0 0 1\n")
    result = imalign("apply", "big.txt", "a.png", "--canvas", "source")
    assert result.returncode == ExitCode.INPUT
    assert "47701 x 23801 px (1135.3 megapixels)" in result.stderr
    assert not (tmp_path / "a_aligned.png").exists()


def test_nine_numbers_and_a_size(imalign: Imalign, pair: Pair, tmp_path: Path) -> None:
    (tmp_path / "shift.txt").write_text("1 0 5\n0 1 0\n0 0 1\n")
    imalign("apply", "shift.txt", "a.png", "-o", "x.png")
    assert (pixels(tmp_path / "x.png")[:, 5:] == pixels(tmp_path / "a.png")[:, :-5]).all()
    imalign("apply", "shift.txt", "a.png", "-o", "y.png", "--size", "170x100")
    assert pixels(tmp_path / "y.png").shape == (100, 170)
    for size in ("170", "0x5", "axb"):
        assert imalign("apply", "shift.txt", "a.png", "--size", size).returncode == ExitCode.USAGE


def test_an_output_without_a_pixel_of_the_source_is_told(
    imalign: Imalign, pair: Pair, tmp_path: Path
) -> None:
    words = "no pixel of the source lies on the target's grid; see --canvas source"
    (tmp_path / "far.txt").write_text("1 0 1000\n0 1 0\n0 0 1\n")
    assert f"x.png: {words}" in imalign("apply", "far.txt", "a.png", "-o", "x.png").stderr
    moved = imalign("apply", "far.txt", "a.png", "-o", "x.png", "--canvas", "source")
    assert words not in moved.stderr
    width = pixels(tmp_path / "a.png").shape[1]
    (tmp_path / "last.txt").write_text(f"1 0 {width - 1}\n0 1 0\n0 0 1\n")
    assert words not in imalign("apply", "last.txt", "a.png", "-o", "x.png").stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", "is neither an alignment"),
        ("1 0 0 1 0 0 0 0 1", "singular"),
        ("1 0 0 0 1 0 -0.02 0 1", "horizon crosses the source"),
        ("1 0 0 0 1 0 0.02 0 1", "horizon"),
        ("hello", "is not a number"),
    ],
)
def test_what_is_no_transform(
    imalign: Imalign, pair: Pair, tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "t.txt").write_text(text)
    result = imalign("apply", "t.txt", "a.png")
    assert result.returncode == ExitCode.INPUT, result.stderr
    assert words in result.stderr
    assert "t.txt" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "a_aligned.png").exists()


def test_the_transform_of_a_failed_alignment_is_refused(
    imalign: Imalign, aligned: Path, tmp_path: Path
) -> None:
    document = json.loads(aligned.read_text())
    document["outcome"] = {"status": "diverged", "aligned": False, "sentence": "it led away"}
    (tmp_path / "failed.json").write_text(json.dumps(document))
    result = imalign("apply", "failed.json", "a.png", "-o", "x.png")
    assert result.returncode == ExitCode.INPUT
    assert "it led away" in result.stderr
    assert not (tmp_path / "x.png").exists()


def test_several_images_into_what_is_called_like_a_picture(
    imalign: Imalign, aligned: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    write_image(tmp_path / "in" / "a.png", pixels(tmp_path / "a.png"))
    for images in (("a.png", "b.png"), ("in",)):
        result = imalign("apply", aligned, *images, "-o", "one.png")
        assert result.returncode == ExitCode.USAGE
        assert (
            "one.png is the name of an image file, and several images need an output folder"
            in result.stderr
        )
        assert not (tmp_path / "one.png").exists()
    # Who writes it as a folder, or has one of this name, means it.
    assert imalign("apply", aligned, "a.png", "b.png", "-o", "one.png/").returncode == 0
    assert imalign("apply", aligned, "a.png", "b.png", "-o", "one.png").returncode == 0
    assert imalign("apply", aligned, "a.png", "b.png", "-o", "v1.2").returncode == 0
    assert (tmp_path / "one.png" / "b.png").exists()


def test_missing_files(imalign: Imalign, aligned: Path, tmp_path: Path) -> None:
    assert imalign("apply", "none.json", "a.png").returncode == ExitCode.INPUT
    assert imalign("apply", aligned, "none.png").returncode == ExitCode.INPUT
    assert imalign("apply", aligned, "a.png", "-o", "none/x.png").returncode == ExitCode.OUTPUT
    assert imalign("apply", aligned, "a.png", "-o", "x.gif").returncode == ExitCode.USAGE
    assert imalign("apply", aligned).returncode == ExitCode.USAGE
    result = imalign("apply", aligned, "a.png", "b.png", "-o", "a.png")
    assert result.returncode == ExitCode.USAGE
    assert "a.png is a file, and several images need an output folder" in result.stderr


def photograph(folder: Path, name: str, matrix: np.ndarray, *, orientation: int) -> None:
    """A JPEG as a camera makes it: stored on its side, with EXIF, GPS and a profile."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Maker", orientation
    exif.get_ifd(0x8825)[1] = "N"
    upright = np.rint(255 * rendered(matrix)).astype(np.uint8)
    stored = {1: upright, 6: np.rot90(upright)}[orientation]
    rgb = Image.fromarray(np.dstack([stored] * 3))
    rgb.save(folder / name, quality=100, exif=exif, dpi=(300, 300), icc_profile=PROFILE)


PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_metadata_goes_along_and_orientation_is_applied_once(
    imalign: Imalign, tmp_path: Path, suffix: str
) -> None:
    photograph(tmp_path, "a.jpg", TRUTH, orientation=6)
    photograph(tmp_path, "b.jpg", np.eye(3), orientation=1)
    output = f"out{suffix}"
    result = imalign("a.jpg", "b.jpg", "-o", output, "--no-error-map")
    assert result.returncode == 0, result.stderr
    assert "not copied" not in result.stderr
    image = Image.open(io.BytesIO((tmp_path / output).read_bytes()))
    assert image.size == (160, 120)
    exif = image.getexif()
    assert exif.get(0x0112, 1) == 1
    assert exif[0x010F] == "Maker"
    assert exif.get_ifd(0x8825)[1] == "N"
    assert image.info["icc_profile"] == PROFILE
    assert [float(each) for each in image.info["dpi"]] == pytest.approx([300, 300], abs=0.01)
    target = pixels(tmp_path / "b.jpg").astype(float)
    assert np.abs(pixels(tmp_path / output) - target)[15:-15, 15:-15].mean() < 2.0
    imalign("apply", "a_aligned.json", "a.jpg", "-o", f"again{suffix}")
    assert (tmp_path / f"again{suffix}").read_bytes() == (tmp_path / output).read_bytes()
    # Aligned once more, it stays upright.
    assert imalign(output, "b.jpg", "-o", "twice.png", "--no-error-map").returncode == 0
    assert np.abs(pixels(tmp_path / "twice.png") - target)[15:-15, 15:-15].mean() < 2.0


def test_what_cannot_be_carried_is_said(imalign: Imalign, tmp_path: Path) -> None:
    photograph(tmp_path, "a.jpg", TRUTH, orientation=6)
    photograph(tmp_path, "b.jpg", np.eye(3), orientation=1)
    result = imalign("a.jpg", "b.jpg", "-o", "out.ppm", "--no-error-map")
    assert "out.ppm: metadata not copied: EXIF, ICC profile, resolution" in result.stderr
    result = imalign("apply", "a_aligned.json", "a.jpg", "-o", "x.bmp")
    assert "x.bmp: metadata not copied: EXIF, ICC profile\n" in result.stderr
    for arguments in (("-q",), ("--no-metadata",)):
        result = imalign("apply", "a_aligned.json", "a.jpg", "-o", "x.ppm", *arguments)
        assert "not copied" not in result.stderr
    imalign("apply", "a_aligned.json", "a.jpg", "-o", "bare.png", "--no-metadata")
    assert not Image.open(io.BytesIO((tmp_path / "bare.png").read_bytes())).info


def test_a_transform_of_small_copies_at_full_size(imalign: Imalign, tmp_path: Path) -> None:
    for name, matrix in (("a", TRUTH), ("b", np.eye(3))):
        # Twice the size by cv2's rule: pixel x of the large one lies at (x + 0.5) / 2 - 0.5.
        small = rendered(matrix)
        half = np.array([[0.5, 0.0, -0.25], [0.0, 0.5, -0.25], [0.0, 0.0, 1.0]])
        large = rendered(matrix @ half, (320, 240))
        for size, image in (("small", small), ("large", large)):
            write_image(tmp_path / f"{name}_{size}.png", np.rint(255 * image).astype(np.uint8))
    imalign("a_small.png", "b_small.png", "--json", "t.json", "--no-image", "--no-error-map")
    assert imalign("apply", "t.json", "a_large.png").returncode == ExitCode.INPUT
    result = imalign("apply", "t.json", "a_large.png", "--rescale", "-o", "x.png")
    assert result.returncode == 0, result.stderr
    shown, target = (pixels(tmp_path / name).astype(float) for name in ("x.png", "b_large.png"))
    assert np.abs(shown - target)[30:-30, 30:-30].mean() < 0.5
    (tmp_path / "shift.txt").write_text("1 0 5 0 1 0 0 0 1")
    result = imalign("apply", "shift.txt", "a_large.png", "--rescale")
    assert result.returncode == ExitCode.INPUT
    assert "sizes of its images are unknown; use a transform" in result.stderr


def test_the_json_of_a_canvas_maps_to_its_pixels(
    imalign: Imalign, aligned: Path, tmp_path: Path
) -> None:
    arguments = ("apply", aligned, "a.png", "-o", "x.png", "--canvas", "union")
    assert imalign(*arguments, "--json", "x.json").returncode == 0
    document = json.loads((tmp_path / "x.json").read_text())
    shape = pixels(tmp_path / "x.png").shape
    assert document["target"] == {"width": shape[1], "height": shape[0]}
    # With the canvas as the target, the picture is the same.
    assert imalign("apply", "x.json", "a.png", "-o", "y.png").returncode == 0
    difference = pixels(tmp_path / "x.png").astype(int) - pixels(tmp_path / "y.png")
    assert np.abs(difference).max() <= 1
    assert imalign(*arguments, "--json", "-").stdout == (tmp_path / "x.json").read_text()
    assert imalign(*arguments, "--json", "a.png").returncode == ExitCode.USAGE


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "uint32", "int64"])
def test_nearest_keeps_the_integers_of_a_tiff(
    imalign: Imalign, pair: Pair, tmp_path: Path, dtype: str
) -> None:
    labels = (read_image(pair[0]).pixels // 40).astype(dtype) - np.array(3).astype(dtype)
    if dtype == "int32":
        labels *= 100_000_000  # float32 could not hold them
    tifffile.imwrite(tmp_path / "labels.tif", labels, photometric="minisblack")
    (tmp_path / "t.txt").write_text("1 0 10 0 1 5 0 0 1")
    nearest = ("--interpolation", "nearest", "--size", "160x120")
    result = imalign("apply", "t.txt", "labels.tif", *nearest, "--fill", 7)
    assert result.returncode == 0, result.stderr
    found = tifffile.imread(tmp_path / "labels_applied.tif")
    assert found.dtype == dtype
    np.testing.assert_array_equal(found[5:, 10:], labels[:-5, :-10])
    assert (found[:5] == 7).all()
    # Other interpolations make values between them.
    assert imalign("apply", "t.txt", "labels.tif", "--size", "160x120").returncode == 0
    assert tifffile.imread(tmp_path / "labels_applied.tif").dtype.kind == "f"
    beyond = imalign("apply", "t.txt", "labels.tif", *nearest, "--fill", "0.5")
    assert beyond.returncode == ExitCode.USAGE
    assert "has integer values from " in beyond.stderr


def test_nearest_keeps_the_integers_of_a_source(
    imalign: Imalign, pair: Pair, tmp_path: Path
) -> None:
    pixels = read_image(pair[0]).pixels.astype(np.int16) - 100
    tifffile.imwrite(tmp_path / "s.tif", pixels, photometric="minisblack")
    result = imalign("s.tif", "b.png", "--interpolation", "nearest", "--fill", -32768)
    assert result.returncode == 0, result.stderr
    found = tifffile.imread(tmp_path / "s_aligned.tif")
    assert found.dtype == np.int16
    assert set(np.unique(found)) <= {*np.unique(pixels), -32768}
    assert (found == -32768).any()
    beyond = imalign("s.tif", "b.png", "--interpolation", "nearest", "--fill", 40000)
    assert beyond.returncode == ExitCode.USAGE
    assert "s.tif has integer values from -32768 to 32767; choose one of them" in beyond.stderr
