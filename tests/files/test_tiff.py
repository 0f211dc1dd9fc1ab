import io

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from PIL import Image

from align_cli.files import tiff
from align_cli.files.errors import ContentError
from align_cli.files.orientation import turn_upright


def decode(data, limit=10.0):
    return tiff.decoded(data, limit).pixels


def written(pixels, **settings):
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **settings)
    return file.getvalue()


def by_pillow(pixels, mode=None, **settings):
    file = io.BytesIO()
    picture = Image.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(file, "TIFF", **settings)
    return file.getvalue()


def by_opencv(pixels, compression=cv2.IMWRITE_TIFF_COMPRESSION_LZW, predictor=2):
    settings = [cv2.IMWRITE_TIFF_COMPRESSION, compression]
    settings += [cv2.IMWRITE_TIFF_PREDICTOR, predictor]
    done, data = cv2.imencode(".tif", pixels, settings)
    assert done
    return data.tobytes()


def exactly(data, expected):
    pixels = decode(data, 1.0)
    assert pixels.dtype == expected.dtype
    assert pixels.dtype.isnative
    assert pixels.flags.c_contiguous
    np.testing.assert_array_equal(pixels, expected)


def cause_of(data, limit=1.0):
    with pytest.raises(ContentError) as caught:
        decode(data, limit)
    return caught.value.cause


@given(
    st_numpy.arrays(
        st.sampled_from(["uint8", "uint16", "float32", "float64"]),
        st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 7)),
    )
)
@settings(deadline=None)
def test_what_is_written_is_read(pixels):
    pixels = np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    exactly(tiff.encode(pixels), pixels)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_opencv_agrees_with_what_is_written(scene, dtype, channels):
    pixels = scene(5, 7, channels, dtype=dtype)
    pixels = pixels[..., 0] if channels == 1 else pixels
    if channels == 4:
        pixels[..., 3] = 255 if dtype == "uint8" else pixels[..., 3]  # OpenCV multiplies by it
    read = cv2.imdecode(np.frombuffer(tiff.encode(pixels), np.uint8), cv2.IMREAD_UNCHANGED)
    if channels > 1:
        read = read[..., [2, 1, 0, 3][:channels]]
    np.testing.assert_array_equal(read, pixels)


@pytest.mark.parametrize(
    ("channels", "photometric", "extra"),
    [(1, 1, None), (2, 1, (2,)), (3, 2, None), (4, 2, (2,)), (5, 1, (0, 0, 0, 0))],
)
def test_channels_are_described_and_nothing_else_is_told(scene, channels, photometric, extra):
    pixels = scene(5, 7, channels)[..., 0] if channels == 1 else scene(5, 7, channels)
    data = tiff.encode(pixels)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        (page,) = file.pages
        assert page.photometric == photometric
        assert (tuple(map(int, page.extrasamples)) or None) == extra
        for tag in ("Software", "DateTime", "ImageDescription"):
            assert tag not in page.tags
    assert data == tiff.encode(pixels.copy())


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_kept_dtypes(scene, dtype, order, compression):
    pixels = scene(6, 5, 3, dtype=dtype)
    data = written(pixels, byteorder=order, compression=compression, photometric="rgb")
    exactly(data, pixels)


def test_packbits(scene):
    exactly(by_pillow(scene(6, 5, 3), compression="packbits"), scene(6, 5, 3))


@pytest.mark.parametrize(
    ("stored", "kept"),
    [
        ("int8", "float32"),
        ("int16", "float32"),
        ("float16", "float32"),
        ("int32", "float64"),
        ("uint32", "float64"),
    ],
)
def test_other_dtypes_are_widened_without_loss(stored, kept):
    limits = np.finfo(stored) if stored == "float16" else np.iinfo(stored)
    pixels = np.array([[limits.min, limits.max, 1]], stored)
    exactly(written(pixels), pixels.astype(kept))
    assert [float(value) for value in pixels.astype(kept)[0]] == [float(v) for v in pixels[0]]


def test_a_dtype_that_fits_nowhere_is_refused():
    data = written(np.ones((3, 4), np.complex64))
    assert cause_of(data) == "has complex64 pixels, which are not supported"


def test_not_a_number_passes():
    pixels = np.array([[np.nan, np.inf, -1.5]], np.float32)
    exactly(tiff.encode(pixels), pixels)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_planes_become_channels(scene, dtype, compression):
    pixels = scene(4, 6, 3, dtype=dtype)
    planes = np.moveaxis(pixels, -1, 0).copy()
    data = written(planes, photometric="rgb", planarconfig="separate", compression=compression)
    exactly(data, pixels)


def test_tiles(scene):
    pixels = scene(40, 50, 3)
    exactly(written(pixels, tile=(16, 16), photometric="rgb"), pixels)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_lzw(scene, dtype, channels):
    pixels = scene(6, 5, channels, dtype=dtype)
    bgr = pixels[..., 0] if channels == 1 else pixels[..., [2, 1, 0, 3][:channels]]
    data = by_opencv(np.ascontiguousarray(bgr))
    expected = pixels[..., 0] if channels == 1 else pixels
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        assert file.pages[0].compression == 5 or dtype.startswith("float")
    exactly(data, expected)


def test_lzw_by_pillow(scene):
    exactly(by_pillow(scene(6, 5, 3), compression="tiff_lzw"), scene(6, 5, 3))
    exactly(by_pillow(scene(6, 5), compression="tiff_lzw"), scene(6, 5))


def test_colours_under_lzw_are_not_multiplied_by_their_alpha(scene):
    data = by_pillow(scene(6, 5, 4), compression="tiff_lzw")
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        assert file.pages[0].extrasamples == (2,)
    exactly(data, scene(6, 5, 4))


def test_jpeg_in_tiff_is_close(scene):
    flat = np.full((16, 16, 3), (200, 100, 50), np.uint8)
    read = decode(by_pillow(flat, compression="jpeg"), 1.0)
    np.testing.assert_allclose(read, flat, atol=3)


def test_lzw_that_opencv_would_bend_is_refused(scene):
    grey_alpha = by_pillow(scene(6, 5, 2), "LA", compression="tiff_lzw")
    assert "LZW compression of 2 channels, 8 bit" in cause_of(grey_alpha)


@pytest.mark.parametrize("compression", ["raw", "packbits", "tiff_lzw", "group4"])
def test_one_bit(scene, compression):
    bits = scene(9, 13) > 127
    data = by_pillow(bits, compression=compression)
    exactly(data, np.where(bits, 255, 0).astype(np.uint8))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_white_is_zero_is_inverted(scene, dtype):
    pixels = scene(5, 6, dtype=dtype)
    data = written(pixels, photometric="miniswhite")
    exactly(data, np.iinfo(dtype).max - pixels)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_white_is_zero_is_inverted_under_lzw_too(scene, dtype):
    pixels = scene(5, 6, dtype=dtype)
    data = bytearray(by_opencv(pixels))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        tag = file.pages[0].tags["PhotometricInterpretation"]
        assert tag.value == 1
        data[tag.valueoffset] = 0
    exactly(bytes(data), np.iinfo(dtype).max - pixels)


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_palettes_become_rgb(compression):
    indices = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
    colours = np.array([[1, 2, 3], [10, 20, 30], [100, 150, 200]], np.uint8)
    picture = Image.fromarray(indices).convert("P")
    picture.putdata(indices.ravel().tolist())
    picture.putpalette(colours.ravel().tolist())
    file = io.BytesIO()
    picture.save(file, "TIFF", compression=compression)
    exactly(file.getvalue(), colours[indices])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_orientation_is_applied_once(scene, orientation, dtype):
    pixels = scene(4, 6, 3, dtype=dtype)
    tag = (274, 3, 1, orientation, True)
    data = written(pixels, photometric="rgb", extratags=[tag])
    exactly(data, turn_upright(pixels, orientation))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once_under_lzw_too(scene, orientation):
    pixels = scene(4, 6, 3)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = by_pillow(pixels, compression="tiff_lzw", exif=exif)
    exactly(data, turn_upright(pixels, orientation))


def test_several_pages_are_refused(scene):
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for number in range(3):
            writer.write(scene(4, 5 + number), photometric="minisblack")
    assert cause_of(file.getvalue()) == "contains 3 pages"
    stack = written(scene(3, 4, 5), photometric="minisblack")
    assert cause_of(stack) == "contains 3 pages"


def test_pages_that_imagej_calls_channels_are_bands(scene):
    planes = scene(3, 4, 5, dtype="uint16")
    data = written(planes, imagej=True, metadata={"axes": "CYX"})
    exactly(data, np.moveaxis(planes, 0, -1))


@pytest.mark.parametrize("axes", ["TYX", "ZYX"])
def test_a_stack_by_imagej_is_refused(scene, axes):
    data = written(scene(3, 4, 5), imagej=True, metadata={"axes": axes})
    assert cause_of(data) == "contains 3 pages"


def test_a_thumbnail_is_no_page(scene):
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(scene(8, 10), photometric="minisblack")
        writer.write(scene(4, 5), photometric="minisblack", subfiletype=1)
    exactly(file.getvalue(), scene(8, 10))


def test_a_narrow_picture_is_no_stack(scene):
    for shape in [(1, 1), (1, 9), (9, 1), (3, 3), (4, 4), (3, 5, 3), (1, 1, 4)]:
        exactly(tiff.encode(scene(*shape)), scene(*shape))


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.9, 0.9999])
def test_truncated(scene, compression, share):
    data = written(scene(64, 64), compression=compression, metadata=None)
    cause = cause_of(data[: int(len(data) * share)])
    assert "truncated" in cause or "damaged" in cause
    if share >= 0.5:
        assert "truncated" in cause


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_lzw(scene, share):
    data = by_pillow(scene(64, 64, 3), compression="tiff_lzw")
    cause = cause_of(data[: int(len(data) * share)])
    assert "truncated" in cause or "damaged" in cause


def test_damaged_deflate(scene):
    data = bytearray(written(scene(64, 64), compression="zlib", metadata=None))
    data[len(data) // 2] ^= 0xFF
    assert "damaged" in cause_of(bytes(data))


@pytest.mark.parametrize(("mode", "words"), [("CMYK", "CMYK"), ("LAB", "L*a*b*")])
def test_other_colours_are_refused(scene, mode, words):
    if mode == "CMYK":
        data = by_pillow(scene(4, 5, 3), "CMYK")
    else:
        data = written(scene(4, 5, 3), photometric="cielab")
    assert words in cause_of(data)


def test_the_limit_is_checked_before_the_pixels():
    data = bytearray(written(np.zeros((4, 5), np.uint8)))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        tags = file.pages[0].tags
        for name in ("ImageWidth", "ImageLength"):
            assert tags[name].dtype in (3, 4)
            data[tags[name].valueoffset : tags[name].valueoffset + 2] = b"\xff\xff"
    assert "4294.8 megapixels" in cause_of(bytes(data), 512)


@pytest.mark.parametrize("junk", [b"II*\0", b"MM\0*" + b"\0" * 8, b"II*\0" + b"\xff" * 50])
def test_no_directory(junk):
    assert "damaged" in cause_of(junk)


def test_the_limit_counts_bands():
    data = tiff.encode(np.zeros((100, 100, 40), np.uint8))
    assert decode(data, 0.1).shape == (100, 100, 40)
    assert "equivalent to 0.1 megapixels" in cause_of(data, 0.099)


def test_pages_that_go_round_in_a_circle(scene):
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for _ in range(3):
            writer.write(scene(4, 5), photometric="minisblack", contiguous=False)
    data = bytearray(file.getvalue())
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as read:
        first, second, third = (page.offset for page in read.pages)
    position = bytes(data).rindex(third.to_bytes(4, "little"))  # the link from second to third
    data[position : position + 4] = second.to_bytes(4, "little")
    assert first < second
    assert "damaged" in cause_of(bytes(data))


def test_odd_tags_neither_matter_nor_are_logged(scene, caplog):
    data = bytearray(written(scene(4, 5), metadata=None, software="x"))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        position = file.pages[0].tags["Software"].offset
    data[position + 2 : position + 4] = b"\x63\0"  # a data type that does not exist
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        assert file.pages[0].shape == (4, 5)
    assert caplog.records  # tifffile has something to say
    caplog.clear()
    exactly(bytes(data), scene(4, 5))
    assert not caplog.records


def pages(*arrays, **settings):
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for array in arrays:
            writer.write(array, photometric="minisblack", **settings)
    return file.getvalue()


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_page_by_its_number(scene, compression):
    each = [scene(4, 5 + number, dtype="uint16") for number in range(3)]
    data = pages(*each, compression=compression)
    for number, pixels in enumerate(each):
        np.testing.assert_array_equal(tiff.decoded(data, 1.0, number).pixels, pixels)
    with pytest.raises(ContentError) as caught:
        tiff.decoded(data, 1.0, 3)
    assert caught.value.cause == "contains 3 pages, counted from 0, and no page 3"
    assert caught.value.advice == "choose one with --page 0 to 2"


def test_a_page_under_lzw(scene):
    each = [Image.fromarray(scene(6, 7 + number, 3)) for number in range(3)]
    file = io.BytesIO()
    settings = {"compression": "tiff_lzw", "save_all": True, "append_images": each[1:]}
    each[0].save(file, "TIFF", **settings)
    for number, picture in enumerate(each):
        found = tiff.decoded(file.getvalue(), 1.0, number).pixels
        np.testing.assert_array_equal(found, np.asarray(picture))


def test_a_thumbnail_does_not_count_as_a_page(scene):
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(scene(8, 10), photometric="minisblack")
        writer.write(scene(4, 5), photometric="minisblack", subfiletype=1)
        writer.write(scene(9, 10), photometric="minisblack")
    found = tiff.decoded(file.getvalue(), 1.0, 1).pixels
    np.testing.assert_array_equal(found, scene(9, 10))


@pytest.mark.parametrize("imagej", [False, True])
def test_a_page_of_a_stack(scene, imagej):
    stack = scene(4, 6, 7, dtype="uint16")
    data = written(stack, photometric="minisblack", imagej=imagej)
    for number, pixels in enumerate(stack):
        np.testing.assert_array_equal(tiff.decoded(data, 1.0, number).pixels, pixels)
    with pytest.raises(ContentError):
        tiff.decoded(data, 1.0, 4)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "uint32", "int64", "uint64"])
def test_integers_that_arrive_as_floats_can_be_had_back(scene, dtype):
    pixels = scene(4, 5, dtype="int8").astype(dtype)
    found = tiff.decoded(written(pixels, photometric="minisblack"), 1.0)
    assert found.pixels.dtype.kind == "f"
    restored = found.integers.restored(found.pixels)
    assert restored.dtype == dtype
    np.testing.assert_array_equal(restored, pixels)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_other_numbers_are_what_they_are(scene, dtype):
    data = written(scene(4, 5, dtype=dtype), photometric="minisblack")
    assert tiff.decoded(data, 1.0).integers is None


def test_no_data_comes_back_as_what_it_was():
    pixels = np.array([[1, -9999, 3], [4, 5, -9999]], np.int32)
    tag = (42113, "s", 0, "-9999", True)
    found = tiff.decoded(written(pixels, photometric="minisblack", extratags=[tag]), 1.0)
    assert np.isnan(found.pixels).sum() == 2
    np.testing.assert_array_equal(found.integers.restored(found.pixels), pixels)


@pytest.mark.parametrize(("dtype", "value"), [("int64", -(2**53) - 2), ("uint64", 2**53 + 2)])
def test_integers_that_float64_rounds_are_refused(dtype, value):
    pixels = np.full((4, 5), 7, dtype)
    pixels[1, 1] = value
    data = written(pixels, photometric="minisblack")
    assert cause_of(data) == f"has {dtype} values beyond 2^53, which are not supported"


def test_one_of_very_many_pages(scene):
    data = pages(*(scene(2, 3 + number % 5) for number in range(1003)))
    assert cause_of(data) == "contains more than 1000 pages"
    for number in (0, 1002):
        found = tiff.decoded(data, 1.0, number).pixels
        np.testing.assert_array_equal(found, scene(2, 3 + number % 5))
