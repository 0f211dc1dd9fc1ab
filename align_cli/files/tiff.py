"""TIFF. tifffile reads the pixels; OpenCV those whose compression tifffile alone lacks (LZW, ...).

tifffile, which is what imageio reads TIFF with, is used directly: imageio hides the tags that
say what the numbers mean (inverted greys, palettes, planes, orientation, several pages).
"""

from __future__ import annotations

import io
import math
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from align_cli.files.errors import ContentError, damaged, truncated
from align_cli.files.frames import no_such_page
from align_cli.files.limits import check_size
from align_cli.files.metadata import tiff as metadata_tags
from align_cli.files.metadata.exif import UPRIGHT
from align_cli.files.metadata.record import NOTHING, Metadata, readable
from align_cli.files.nodata import declared, set_apart
from align_cli.files.orientation import turn_upright
from align_cli.files.pixels import Decoded, Integers, Pixels, swapped
from align_cli.files.quiet import no_warnings, silent_opencv

if TYPE_CHECKING:
    import tifffile

_WHITE_IS_ZERO, _PALETTE, _YCBCR = 0, 3, 6
_UNUSABLE_COLOURS = {
    5: "CMYK", 8: "CIE L*a*b*", 9: "ICC L*a*b*", 10: "ITU L*a*b*",
    32803: "raw sensor data (DNG)", 34892: "raw sensor data (DNG)",
}  # fmt: skip
_NO_COMPRESSION, _DEFLATES, _PACKBITS = 1, (8, 32946), 32773
_PLAIN_COMPRESSIONS = (_NO_COMPRESSION, *_DEFLATES, _PACKBITS)
_PLAIN_PREDICTORS = (1, 2)  # none, horizontal differences
_ORIENTATION_TAG, _EXTRA_SAMPLES_TAG = 274, 338
_PREMULTIPLIED = 1
_MAX_PAGES = 1000
"""Directories that are read of a file at most: a damaged one may name any number."""
_ONE_PAGE = "choose one with --page N, from 0, or save it as a separate file"

_KEPT = ("uint8", "uint16", "float32", "float64")
# What becomes one of these without loss.
_WIDENED = ("float16", "int8", "int16", "int32", "uint32", "int64", "uint64")
_MOST_EXACT = 2**53  # of the integers that float64 holds


def decoded(data: bytes, max_megapixels: float, number: int | None = None) -> Decoded:
    """Return the upright picture in TIFF ``data``, and which of its pixels are data.

    Args:
        data: the file.
        max_megapixels: refuse larger pictures.
        number: of the page, from 0, reduced pages and masks not counted; None where there is to be
            one only.

    Returns:
        (H, W) or (H, W, C). uint8, uint16, float32 and float64 are kept. One bit per pixel
        becomes uint8, 0 and 255; float16, int8 and int16 become float32 of the same values;
        int32, uint32, int64 and uint64 float64. Planes become channels, and so do several pages
        when ImageJ or OME metadata say that they are the channels of one picture. Palettes become
        RGB; greys of which 0 is white are inverted (unsigned integers only). GDAL's no-data value
        becomes NaN, in uint8 and uint16 it is set apart.

    Raises:
        ContentError: if it is truncated, damaged, too large, holds several pictures, or pixels
            of a kind that is not read (CMYK, CIELAB, raw sensor data, integers beyond 2^53, complex
            numbers).
    """
    import tifffile  # noqa: PLC0415 - only who reads a TIFF pays for it

    with no_warnings:
        try:
            with tifffile.TiffFile(io.BytesIO(data)) as file:
                return _decode_file(file, data, max_megapixels, number)
        except (ContentError, MemoryError):
            raise
        except Exception as error:  # a damaged tag may have any type and break anything
            raise damaged("its directory or its pixels cannot be decoded") from error


def _decode_file(
    file: tifffile.TiffFile, data: bytes, max_megapixels: float, number: int | None
) -> Decoded:
    pages = [page for page in _pages(file, number) if _whole(page)]
    if not pages:
        raise damaged("no page")
    page = pages[0] if number is None else _numbered(file, pages, number)
    # A picture of many bands takes the room of a larger one of four.
    share = max(1.0, page.samplesperpixel * page.imagedepth / 4)
    check_size(page.imagewidth, page.imagelength, max_megapixels, share)
    bands = _pages_are_bands(file, page, len(pages)) if number is None else 0
    _check_kind(page)
    for each in pages if bands else [page]:
        _check_extent(each, len(data))
    orientation = _orientation(page)
    if bands:
        pixels = np.moveaxis(file.series[0].asarray().reshape(bands, *page.shape), 0, -1)
    elif number is not None and number >= len(pages):
        pixels = _stack(file, page)[number]
    elif _plain(page):
        pixels = _plain_pixels(page)
    else:
        pixels = _opencv_pixels(page, data)
        orientation = UPRIGHT  # OpenCV has applied it
    stored = pixels.dtype
    found = set_apart(turn_upright(_to_kept_dtype(pixels), orientation), _no_data(page))
    integers = Integers(stored.name, _no_data(page)) if _widened_integers(stored) else None
    return found._replace(
        metadata=readable(lambda: metadata_tags.read(page, data)), integers=integers
    )


def _numbered(file: tifffile.TiffFile, pages: list[Any], number: int) -> Any:
    """Return a page; the first for one that only ImageJ's description of a stack tells of."""
    if number < len(pages):
        return pages[number]
    count = max(len(pages), len(_stack(file, pages[0])))
    if number >= count:
        raise no_such_page(number, count)
    return pages[0]


def _stack(file: tifffile.TiffFile, page: Any) -> Pixels:
    """Return (N, H, W) or (N, H, W, C): all pages of the first series, of the size of the first."""
    series = file.series[0]
    if int(np.prod(series.shape)) % int(page.size) or not _plain(page):
        return np.empty((1, *page.shape), page.dtype)
    return np.asarray(series.asarray()).reshape(-1, *page.shape)


def _widened_integers(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "iu" and dtype.name not in _KEPT


def _no_data(page: Any) -> float | None:
    """Return the value of pixels that are no data, as they are by now."""
    value = declared(page)
    if value is None or int(page.photometric) == _PALETTE:
        return None
    if int(page.photometric) == _WHITE_IS_ZERO and page.dtype.kind == "u":
        return float(np.iinfo(page.dtype).max) - value
    return value


def _whole(page: Any) -> bool:
    return not (page.is_reduced or page.is_mask)


def _pages(file: tifffile.TiffFile, number: int | None) -> list[Any]:
    """Return all pages, or those up to a number; in a damaged file they may go round in a circle.

    Each is read by itself, so nobody waits for those behind the one that is wanted.
    """
    pages: dict[int, Any] = {}
    wanted = math.inf if number is None else number
    for page in file.pages:
        if page.offset in pages:
            raise damaged("its page directory is cyclic")
        if number is None and len(pages) == _MAX_PAGES:
            raise ContentError(f"contains more than {_MAX_PAGES} pages", _ONE_PAGE)
        pages[page.offset] = page
        wanted -= _whole(page)
        if wanted < 0:
            break
    return list(pages.values())


def _pages_are_bands(file: tifffile.TiffFile, page: Any, page_count: int) -> int:
    """Return how many bands are spread over pages, 0 for an ordinary picture; refuse a stack.

    The number of pages does not tell: ImageJ describes a whole stack in its first page.
    """
    series = file.series[0]
    described = series.kind in ("imagej", "ome") and int(np.prod(series.shape)) > page.size
    axes = "".join(axis for axis, size in zip(series.axes, series.shape, strict=True) if size > 1)
    if page_count == 1 and not described:
        return 0
    if described and axes.replace("Y", "").replace("X", "") == "C" and page.samplesperpixel == 1:
        return int(np.prod(series.shape)) // int(page.size)
    raise ContentError(
        f"contains {max(page_count, int(np.prod(series.shape)) // max(1, int(page.size)))} pages",
        _ONE_PAGE,
    )


def _check_kind(page: Any) -> None:
    """Refuse pixels that have no honest place in a grey, RGB or multi-band picture."""
    advice = "convert it to 8 bit, 16 bit or float32 grey or RGB"
    colours = _UNUSABLE_COLOURS.get(int(page.photometric))
    if colours:
        raise ContentError(f"has {colours} colours", advice)
    if page.imagedepth > 1:
        raise ContentError("contains a volume, not an image", "save one slice of it")
    dtype = page.dtype
    if dtype is None or (dtype.kind != "b" and dtype.name not in (*_KEPT, *_WIDENED)):
        kind = dtype.name if dtype is not None else f"{page.bitspersample} bit"
        raise ContentError(f"has {kind} pixels, which are not supported", advice)


def _check_extent(page: Any, size: int) -> None:
    """Refuse a page whose pixels do not all lie within the file."""
    offsets, counts = page.dataoffsets, page.databytecounts
    if not offsets or len(offsets) != len(counts):
        raise damaged("no pixel data")
    if any(offset + count > size for offset, count in zip(offsets, counts, strict=True)):
        raise truncated("pixels are missing")
    if not all(offsets) or not all(counts):
        raise damaged("a part of the image was never written")


def _orientation(page: Any) -> int:
    tag = page.tags.get(_ORIENTATION_TAG)
    return int(tag.value) if tag is not None and isinstance(tag.value, int) else UPRIGHT


def _plain(page: Any) -> bool:
    """Tell whether tifffile reads the page without its optional package of codecs.

    Judged from the page alone, so that the same file is read in the same way on every machine.
    """
    return (
        int(page.compression) in _PLAIN_COMPRESSIONS
        and int(page.predictor) in _PLAIN_PREDICTORS
        and page.bitspersample in (1, 8, 16, 32, 64)
        and int(page.photometric) != _YCBCR
    )


def _plain_pixels(page: Any) -> Pixels:
    pixels: Pixels = page.asarray()
    if pixels.ndim == 3 and page.axes == "SYX":
        pixels = np.moveaxis(pixels, 0, -1)
    if int(page.photometric) == _PALETTE:
        return _through_palette(pixels, page.colormap)
    if pixels.dtype.kind == "b":
        pixels = np.where(pixels, np.uint8(255), np.uint8(0))
    if int(page.photometric) == _WHITE_IS_ZERO and pixels.dtype.kind == "u":
        pixels = np.invert(pixels)
    return pixels


def _through_palette(indices: Pixels, colormap: npt.NDArray[np.uint16] | None) -> Pixels:
    """Return (H, W, 3) uint8 of (H, W) indices into a (3, N) uint16 map."""
    if indices.ndim != 2 or colormap is None or indices.max() >= colormap.shape[1]:
        raise damaged("no palette for its colours")
    # 16-bit entries as the standard has it, or 8-bit ones as some writers do; libtiff's rule.
    colours = colormap >> 8 if colormap.max() > 255 else colormap
    expanded: Pixels = colours.astype(np.uint8).T[indices]
    return expanded


def _opencv_pixels(page: Any, data: bytes) -> Pixels:
    """Return the pixels of a page by OpenCV's libtiff, upright; refuse what it bends."""
    import cv2  # noqa: PLC0415

    palette = int(page.photometric) == _PALETTE
    channels = 3 if palette else page.samplesperpixel
    dtype = np.dtype(np.uint8) if page.dtype.kind == "b" else page.dtype
    pixels = None
    if channels in (1, 3, 4) and (page.planarconfig == 1 or channels == 1):
        with silent_opencv:
            file = np.frombuffer(_without_multiplied_alpha(page, data), np.uint8)
            if page.index == 0:
                pixels = cv2.imdecode(file, cv2.IMREAD_UNCHANGED)
            else:
                one = (page.index, page.index + 1)
                _, found = cv2.imdecodemulti(file, cv2.IMREAD_UNCHANGED, range=one)
                pixels = found[0] if len(found) == 1 else None
    turned = (page.imagewidth, page.imagelength)
    if (
        pixels is None
        or pixels.dtype != dtype
        or (pixels.shape[2] if pixels.ndim == 3 else 1) != channels
        or pixels.shape[:2] not in (turned, turned[::-1])
    ):
        compression = getattr(page.compression, "name", str(page.compression))
        raise ContentError(
            f"cannot be decoded ({compression} compression of {channels} channels, "
            f"{page.bitspersample} bit)",
            "save it uncompressed or with deflate (ZIP) compression",
        )
    if pixels.ndim == 3:
        return swapped(pixels)
    # OpenCV inverts 1-bit and 8-bit greys of which 0 is white, but not 16-bit ones.
    if int(page.photometric) == _WHITE_IS_ZERO and pixels.dtype == np.uint16:
        return np.invert(pixels)
    return np.asarray(pixels)


def _without_multiplied_alpha(page: Any, data: bytes) -> bytes:
    """Call the alpha of a picture premultiplied; OpenCV would multiply 8-bit colours by it."""
    tag = page.tags.get(_EXTRA_SAMPLES_TAG)
    if tag is None or page.samplesperpixel != 4:
        return data
    changed = bytearray(data)
    struct.pack_into(page.parent.byteorder + "H", changed, tag.valueoffset, _PREMULTIPLIED)
    return bytes(changed)


def _to_kept_dtype(pixels: Pixels) -> Pixels:
    """Return native byte order and one of the four dtypes; a single band loses its axis."""
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.dtype.kind in "iu" and pixels.dtype.itemsize == 8:
        _check_exact(pixels)
    kept = pixels.dtype.name in _KEPT
    dtype = pixels.dtype.name if kept else np.result_type(pixels.dtype, np.float32)
    return pixels.astype(dtype, copy=False)


def _check_exact(pixels: Pixels) -> None:
    """Refuse integers that float64 would round."""
    if int(pixels.max()) > _MOST_EXACT or int(pixels.min()) < -_MOST_EXACT:
        raise ContentError(
            f"has {pixels.dtype.name} values beyond 2^53, which are not supported",
            "convert it to int32 or float64",
        )


def encode(pixels: Pixels, metadata: Metadata = NOTHING) -> bytes:
    """Return uncompressed TIFF bytes of (H, W) or (H, W, C) ``pixels``, any number of channels.

    Two channels are grey and alpha, three RGB, four RGB and alpha (not premultiplied); more are
    bands without a meaning. No dates, no software names: same pixels, same bytes.
    """
    import tifffile  # noqa: PLC0415

    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    extra: tuple[str, ...] = ()
    if channels in (2, 4):
        extra = ("unassalpha",)
    elif channels > 4:
        extra = ("unspecified",) * (channels - 1)
    file = io.BytesIO()
    with no_warnings:
        tifffile.imwrite(
            file,
            pixels,
            photometric="rgb" if channels in (3, 4) else "minisblack",
            planarconfig="contig" if channels > 1 else None,
            extrasamples=extra or None,
            metadata=None,
            software=False,
            **metadata_tags.settings(metadata),
        )
        if metadata.exif:
            metadata_tags.append_directories(file, metadata.exif)
    return file.getvalue()
