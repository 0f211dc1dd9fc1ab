import io
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from align_cli.files.atomic import write_bytes
from align_cli.files.errors import UnreadableError, UnwritableError
from align_cli.files.images import (
    DEFAULT_MAX_MEGAPIXELS,
    Picture,
    default_suffix,
    encode_array,
    encode_image,
    ensure_encodable,
    read_image,
    write_image,
)
from align_cli.files.pixels import Indexed

ROOT = Path(__file__).parents[2]
as_root = hasattr(os, "geteuid") and os.geteuid() == 0

# suffix: the dtypes and numbers of channels that must come back unchanged
LOSSLESS = {
    ".png": (["uint8", "uint16"], [1, 2, 3, 4]),
    ".tif": (["uint8", "uint16", "float32", "float64"], [1, 2, 3, 4, 5]),
    ".bmp": (["uint8"], [1, 3]),
    ".webp": (["uint8"], [3, 4]),
    ".pgm": (["uint8", "uint16"], [1]),
    ".ppm": (["uint8", "uint16"], [3]),
    ".pnm": (["uint8", "uint16"], [1, 3]),
}
KINDS = [
    (suffix, dtype, channels)
    for suffix, (dtypes, counts) in LOSSLESS.items()
    for dtype in dtypes
    for channels in counts
]


def shape_of(channels, height=12, width=17):
    return (height, width) if channels == 1 else (height, width, channels)


@pytest.mark.parametrize(("suffix", "dtype", "channels"), KINDS)
def test_round_trip(tmp_path, scene, suffix, dtype, channels):
    pixels = scene(*shape_of(channels), dtype=dtype)
    kept = pixels.copy()
    path = tmp_path / f"picture{suffix}"
    write_image(path, pixels)
    picture = read_image(path)
    np.testing.assert_array_equal(picture.pixels, pixels)
    np.testing.assert_array_equal(pixels, kept)
    assert picture.path == str(path)
    assert (picture.width, picture.height, picture.channels) == (17, 12, channels)
    assert picture.dtype == dtype
    assert picture.full_scale == {"uint8": 255.0, "uint16": 65535.0}.get(dtype, 1.0)


@pytest.mark.parametrize("suffix", [".tiff", ".TIF", ".PNG", ".Jpeg"])
def test_suffixes_have_variants(tmp_path, scene, suffix):
    path = tmp_path / f"picture{suffix}"
    write_image(path, scene(12, 17, 3))
    assert read_image(path).pixels.shape == (12, 17, 3)


def test_jpeg_is_close_and_red_stays_red(tmp_path):
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:, 16:, 0] = 255
    write_image(tmp_path / "a.jpg", pixels)
    np.testing.assert_allclose(read_image(tmp_path / "a.jpg").pixels.astype(int), pixels, atol=12)


@pytest.mark.parametrize("suffix", [*LOSSLESS, ".jpg"])
def test_same_pixels_same_bytes(tmp_path, scene, suffix):
    channels = 1 if suffix == ".pgm" else 3
    for name in ("a", "b"):
        write_image(tmp_path / f"{name}{suffix}", scene(*shape_of(channels)))
    first, second = ((tmp_path / f"{name}{suffix}").read_bytes() for name in ("a", "b"))
    assert first == second


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_layout_in_memory_does_not_matter(tmp_path, scene, suffix):
    path = tmp_path / f"a{suffix}"
    pixels = scene(12, 17, 3, dtype="uint16")
    for view in (pixels[::-1, ::2], np.asfortranarray(pixels), pixels.astype(">u2")):
        write_image(path, view)
        np.testing.assert_array_equal(read_image(path).pixels, view)
    write_image(path, pixels[..., :1])
    np.testing.assert_array_equal(read_image(path).pixels, pixels[..., 0])


@pytest.mark.parametrize(
    ("suffix", "dtype", "channels", "hint"),
    [
        (".jpg", "uint16", 3, "use .png instead"),
        (".jpg", "uint8", 4, "use .png instead"),
        (".png", "float32", 1, "use .tif instead"),
        (".png", "uint8", 5, "use .tif instead"),
        (".bmp", "uint16", 1, "use .png instead"),
        (".bmp", "uint8", 4, "use .png instead"),
        (".webp", "uint8", 1, "use .png instead"),
        (".webp", "float64", 3, "use .tif instead"),
        (".pgm", "uint8", 3, "use .png instead"),
        (".ppm", "uint8", 1, "use .png instead"),
        (".tif", "float16", 1, "use .tif instead"),
        (".gif", "uint8", 3, "use .png"),
        ("", "float32", 3, "use .tif"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(tmp_path, suffix, dtype, channels, hint):
    pixels = np.zeros(shape_of(channels), dtype)
    path = tmp_path / f"picture{suffix}"
    for write in (write_image, ensure_encodable):
        with pytest.raises(UnwritableError, match=hint):
            write(path, pixels)
    assert list(tmp_path.iterdir()) == []


def test_sides_that_a_format_cannot_hold():
    wide = np.zeros((1, 70_000, 3), np.uint8)
    for suffix in (".jpg", ".webp", ".bmp"):
        with pytest.raises(UnwritableError, match="pixels in a row"):
            ensure_encodable(f"a{suffix}", wide)
    ensure_encodable("a.png", wide)


@pytest.mark.parametrize("shape", [(), (5,), (0, 5), (5, 5, 0), (2, 2, 2, 2)])
def test_what_is_no_picture_is_refused(tmp_path, shape):
    with pytest.raises(UnwritableError, match="not an image"):
        write_image(tmp_path / "a.tif", np.zeros(shape, np.uint8))


def test_the_default_suffix_can_always_hold_the_pixels(tmp_path, scene):
    for dtype in ("uint8", "uint16", "float32", "float64"):
        for channels in (1, 2, 3, 4, 6):
            pixels = scene(*shape_of(channels), dtype=dtype)
            expected = ".png" if dtype.startswith("u") and channels <= 4 else ".tif"
            assert default_suffix(pixels) == expected
            path = tmp_path / f"picture{expected}"
            write_image(path, pixels)
            np.testing.assert_array_equal(read_image(path).pixels, pixels)


def test_pictures_can_be_thrown_away(device):
    write_image(device("null"), np.zeros((3, 4, 3), np.uint8))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".webp", ".ppm"])
def test_a_picture_with_a_palette_looks_the_same_in_every_format(tmp_path, suffix):
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (256, 3), dtype=np.uint8)
    picture = Indexed(rng.integers(0, 256, (13, 17), dtype=np.uint8), colours)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(encode_image(path, picture))
    assert picture.like_rgb().shape == picture.rgb().shape
    np.testing.assert_array_equal(read_image(path).pixels, picture.rgb())


def test_a_picture_with_a_palette_is_refused_where_colours_are():
    picture = Indexed(np.zeros((2, 2), np.uint8), np.zeros((256, 3), np.uint8))
    with pytest.raises(UnwritableError, match="PGM cannot hold RGB"):
        encode_image("a.pgm", picture)


def test_a_failed_write_keeps_the_old_picture(tmp_path, scene):
    path = tmp_path / "a.png"
    write_image(path, scene(5, 6))
    with pytest.raises(UnwritableError):
        write_image(path, scene(5, 6, dtype="float32"))
    np.testing.assert_array_equal(read_image(path).pixels, scene(5, 6))


def test_a_killed_write_keeps_the_old_picture(tmp_path, scene):
    """Kill a process that does nothing but overwrite one large picture, at many moments."""
    path = tmp_path / "a.tif"
    old, new = (np.full((2000, 2000), value, np.float32) for value in (1, 2))
    write_image(path, old)
    code = (
        "import sys, numpy as np\n"
        "from align_cli.files.images import write_image\n"
        "pictures = [np.full((2000, 2000), value, np.float32) for value in (2, 1)]\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    for picture in pictures: write_image(sys.argv[1], picture)\n"
    )
    for delay in (0.0, 0.05, 0.11, 0.17):
        with subprocess.Popen(
            [sys.executable, "-c", code, str(path)], cwd=ROOT, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout.readline() == b"ready\n"
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(delay)
            process.kill()
            assert process.wait() == -signal.SIGKILL
        pixels = read_image(path).pixels
        assert np.array_equal(pixels, old) or np.array_equal(pixels, new)


@pytest.mark.parametrize("suffix", [".tif", ".tiff", ".npy", ".NPY"])
def test_signed_maps(tmp_path, scene, suffix):
    path = tmp_path / f"residual{suffix}"
    residual = scene(5, 6, dtype="float32")
    residual[0, 0] = np.nan
    write_bytes(path, encode_array(path, residual))
    read = np.load(path) if suffix.lower() == ".npy" else tifffile.imread(path)
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, residual)
    assert np.nanmin(read) < 0


@pytest.mark.parametrize("name", ["residual.png", "residual"])
def test_signed_maps_need_a_format_that_holds_them(tmp_path, name):
    with pytest.raises(UnwritableError, match=r"use \.tif or \.npy"):
        encode_array(tmp_path / name, np.zeros((2, 2), np.float32))


def saved(picture, form, **settings):
    file = io.BytesIO()
    picture.save(file, form, **settings)
    return file.getvalue()


def bad_inputs():
    """Content that cannot be used, and words of the message it must lead to."""
    pixels = np.random.default_rng(5).integers(0, 256, (64, 64, 3), np.uint8)
    picture = Image.fromarray(pixels)
    whole = {form: saved(picture, form) for form in ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "PPM")}
    found = {
        f"half_{form}": (data[: len(data) // 2], "truncated|damaged")
        for form, data in whole.items()
    }
    two = {"save_all": True, "append_images": [picture.rotate(90)]}
    flipped = bytearray(whole["PNG"])
    flipped[len(flipped) // 2] ^= 255
    found |= {
        "empty": (b"", "is empty"),
        "text": (b"hello, this is not a picture\n", "not an image in a supported format"),
        "signature": (b"\x89PNG", "is truncated"),
        "gif": (saved(picture, "GIF", **two), "is an animation; choose a frame with --page N"),
        "half_gif": (saved(picture, "GIF")[:300], "truncated|damaged"),
        "pdf": (b"%PDF-1.4 ...", "is a PDF"),
        "heic": (b"\0\0\0\x18ftypheic....", "HEIC"),
        "flipped": (bytes(flipped), "damaged"),
        "apng": (saved(picture, "PNG", **two), "animation"),
        "webp": (saved(picture, "WEBP", **two), "animation"),
        "tiff": (saved(picture, "TIFF", **two), "contains 2 pages; choose one with --page N"),
        "zero": (b"P5 0 0 255\n", "has no pixels"),
        "bmp": (b"BMW is a make of car, not a picture", "damaged"),
        "jpeg": (b"\xff\xd8\xff" + b"\0" * 50, "damaged"),
    }
    return found


@pytest.mark.parametrize("name", bad_inputs())
def test_bad_content_says_what_is_wrong(tmp_path, name):
    content, words = bad_inputs()[name]
    path = tmp_path / "input.png"
    path.write_bytes(content)
    with pytest.raises(UnreadableError, match=words) as caught:
        read_image(path)
    assert caught.value.path == str(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).isprintable()


def test_bad_names_say_what_is_wrong(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "loop").symlink_to("loop")
    for name, words in {
        "missing.png": "no such file",
        "file/a.png": "no such file",
        "": "is a folder",
        "loop": "circular symbolic link",
        "n" * 300: "the name is too long",
        "nul\0": "not a valid file name",
    }.items():
        with pytest.raises(UnreadableError, match=words):
            read_image(f"{tmp_path}/{name}")


@pytest.mark.skipif(as_root, reason="root may read everything")
def test_permission_denied(tmp_path):
    path = tmp_path / "a.png"
    write_image(path, np.zeros((2, 2), np.uint8))
    path.chmod(0)
    with pytest.raises(UnreadableError, match="permission denied"):
        read_image(path)


def test_the_suffix_does_not_matter_for_reading(tmp_path, scene):
    write_image(tmp_path / "a.png", scene(5, 6))
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg").pixels, scene(5, 6))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
def test_a_pipe_is_read(tmp_path, scene):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    write_image(tmp_path / "a.png", scene(50, 60))
    data = (tmp_path / "a.png").read_bytes()
    writer = threading.Thread(target=lambda: fifo.write_bytes(data))
    writer.start()
    np.testing.assert_array_equal(read_image(fifo).pixels, scene(50, 60))
    writer.join()


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".bmp", ".webp", ".ppm"])
def test_the_limit(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write_image(path, np.zeros((100, 200, 3), np.uint8))
    assert read_image(path, max_megapixels=0.02).width == 200
    with pytest.raises(UnreadableError, match=r"200 x 100 .* --max-megapixels 0\.02$"):
        read_image(path, max_megapixels=0.0199)


def test_the_default_limit_holds():
    assert DEFAULT_MAX_MEGAPIXELS == 512


def test_pictures_are_read_in_parallel(tmp_path, scene):
    """Many formats in many threads at once: each result is right, global settings come back."""
    kinds = [kind for kind in KINDS if kind[1] == "uint8"] * 3
    for suffix, dtype, channels in set(kinds):
        write_image(tmp_path / f"{channels}{suffix}", scene(*shape_of(channels), dtype=dtype))
    wrong = []

    def read(suffix, channels):
        pixels = read_image(tmp_path / f"{channels}{suffix}").pixels
        if not np.array_equal(pixels, scene(*shape_of(channels))):
            wrong.append((suffix, channels))

    limit, level = Image.MAX_IMAGE_PIXELS, cv2.utils.logging.getLogLevel()
    threads = [threading.Thread(target=read, args=(suffix, n)) for suffix, _, n in kinds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert limit == Image.MAX_IMAGE_PIXELS
    assert level == cv2.utils.logging.getLogLevel()


def test_nothing_is_ever_printed(tmp_path, scene, python):
    """Neither good nor bad pictures make a library write to stdout or stderr."""
    for name, (content, _) in bad_inputs().items():
        (tmp_path / f"bad_{name}").write_bytes(content)
    for suffix, dtype, channels in KINDS:
        path = tmp_path / f"good_{dtype}_{channels}{suffix}"
        write_image(path, scene(*shape_of(channels), dtype=dtype))
    code = (
        "import sys; from pathlib import Path\n"
        "from align_cli.files.images import read_image\n"
        "from align_cli.files.errors import UnreadableError\n"
        "good = bad = 0\n"
        "for path in sorted(Path(sys.argv[1]).iterdir()):\n"
        "    try: read_image(path); good += 1\n"
        "    except UnreadableError: bad += 1\n"
        "print(good, bad)\n"
    )
    done = python(code, tmp_path)
    assert done.stderr == ""
    assert done.stdout == f"{len(KINDS)} {len(bad_inputs())}\n"
    assert done.returncode == 0


def test_importing_loads_no_imaging_library(python):
    code = (
        "import sys, align_cli.files.images, align_cli.files.transforms, align_cli.files.schema\n"
        "names = ('cv2', 'imageio', 'PIL', 'tifffile', 'click', 'tqdm', 'align_cli.engine')\n"
        "print([name for name in names if name in sys.modules])\n"
    )
    assert python(code).stdout == "[]\n"


def test_png_needs_opencv_alone(python, tmp_path):
    write_image(tmp_path / "a.png", np.zeros((3, 4, 3), np.uint8))
    code = (
        "import sys; from align_cli.files.images import read_image, write_image\n"
        "write_image(sys.argv[1], read_image(sys.argv[1]).pixels)\n"
        "print([name for name in ('imageio', 'PIL', 'tifffile') if name in sys.modules])\n"
    )
    assert python(code, tmp_path / "a.png").stdout == "[]\n"


def test_a_picture_is_frozen(scene):
    picture = Picture("a.png", scene(2, 3))
    with pytest.raises(AttributeError):
        picture.path = "b.png"
