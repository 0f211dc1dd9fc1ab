"""Metadata of TIFF: tags of its first directory, and the directories of EXIF and GPS.

tifffile reads and writes the tags. It cannot write the two directories, so they are copied by
Pillow and pointed to afterwards; between two files their bytes cannot stay as they are, because all
offsets in them count from the beginning of the file. By Pillow's directories, not by its
``Image.Exif``, which forgets the types of the values and turns text that is not ASCII into "?".
"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

from align_cli.files.metadata.exif import EXIF, GPS, MAKER_NOTE, RESOLUTION, per_inch
from align_cli.files.metadata.record import Metadata

if TYPE_CHECKING:
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

_XMP, _ICC, _DESCRIPTION = 0x02BC, 0x8773, 0x010E
# What is about the picture, not about how a file stores it: description, make, model, software,
# date, artist, host computer, copyright.
_DESCRIPTIVE = (_DESCRIPTION, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x013C, 0x8298)
_DIRECTORIES = {EXIF: "ExifTag", GPS: "GPSTag"}
_INTEROPERABILITY = 0xA005
_GEOREFERENCE = (33550, 33922, 34264, 34735)
_BYTE, _ASCII, _LONG, _UNDEFINED = 1, 2, 4, 7
# Descriptions that say how the pixels are stored, which is no longer so.
_OF_STORAGE = ("ImageJ=", "<?xml")
_BIG = ord("+")
_HEAD = b"II*\0\x08\0\0\0"
_LARGEST = 1 << 32
"""Where offsets of 32 bits end."""


def read(page: Any, data: bytes) -> Metadata:
    """Return the metadata of the tifffile ``page`` of a TIFF file."""
    tags, lost = page.tags, []
    wanted = [tag for tag in _DESCRIPTIVE if tag in tags]
    if _DESCRIPTION in tags and (storage := _of_storage(str(tags[_DESCRIPTION].value))) is not None:
        wanted.remove(_DESCRIPTION)
        lost += storage
    if any(tag in tags for tag in _GEOREFERENCE):
        lost.append("GeoTIFF's georeference, which belongs to the source's grid")
    exif = b""
    if wanted or any(tag in tags for tag in _DIRECTORIES):
        try:
            exif, notes = _block(data, page.offset, wanted)
            lost += ["maker notes"] if notes else []
        except Exception:  # Pillow stumbles over much
            lost.append("EXIF")
    icc, xmp = (_bytes_of(tags.get(tag), data) for tag in (_ICC, _XMP))
    return Metadata(exif=exif, icc=icc, xmp=xmp, resolution=_resolution(tags), lost=tuple(lost))


def _bytes_of(tag: Any, data: bytes) -> bytes:
    """Return what a tag holds, whichever type its writer has given it."""
    return b"" if tag is None else data[tag.valueoffset : tag.valueoffset + tag.valuebytecount]


def _of_storage(description: str) -> list[str] | None:
    """Return what is lost with a description of how pixels are stored; None for any other one."""
    if description.startswith(_OF_STORAGE):
        return ["ImageJ's or OME's description"]
    try:
        content = json.loads(description)
    except ValueError:
        return None
    if not isinstance(content, dict) or "shape" not in content:
        return None
    # tifffile writes these two unless it is told not to; whatever is beside them is its user's.
    return ["tifffile's description"] if set(content) - {"axes", "shape"} else []


def _resolution(tags: Any) -> tuple[float, float] | None:
    *densities, unit = RESOLUTION
    try:
        ratios = (tags.valueof(tag, (0, 1)) for tag in densities)
        across, down = (above / below if below else 0.0 for above, below in ratios)
        return per_inch(across, down, int(tags.valueof(unit, 2)))
    except (TypeError, ValueError):  # of another type than the standard has it
        return None


def _opened(
    data: bytes, place: int | None = None, group: int | None = None
) -> ImageFileDirectory_v2:
    """Return the directory at a place of a TIFF file or an EXIF block, else its first."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2  # noqa: PLC0415

    found = ImageFileDirectory_v2(data[:16] if data[2] == _BIG else data[:8], group=group)
    file = io.BytesIO(data)
    file.seek(found.next if place is None else place)
    found.load(file)
    return found


def _copied(
    found: ImageFileDirectory_v2, tags: Any, group: int | None = None
) -> ImageFileDirectory_v2:
    """Return a directory of these tags, little endian; each keeps its type, text its bytes."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2  # noqa: PLC0415

    copy = ImageFileDirectory_v2(group=group)
    for tag in tags:
        value = found[tag]
        copy.tagtype[tag] = found.tagtype[tag]
        copy[tag] = value.encode("latin-1") if isinstance(value, str) else value
    return copy


def _moved(
    data: bytes, first: ImageFileDirectory_v2, place: int
) -> tuple[dict[int, int], bytes, bool]:
    """Return the EXIF and GPS directories of a TIFF file or an EXIF block as they are elsewhere.

    Args:
        data: the file or the block.
        first: the directory of it that points to them.
        place: where the first of them is to stand, an even number.

    Returns:
        Tag -> where its directory begins; their bytes; and whether there were maker notes, which
        are left out: their offsets would be wrong.
    """
    places: dict[int, int] = {}
    parts, notes = b"", False
    for tag in (tag for tag in _DIRECTORIES if tag in first):
        found = _opened(data, first[tag], tag)
        notes |= MAKER_NOTE in found
        copy = _copied(found, set(found) - {MAKER_NOTE, _INTEROPERABILITY}, tag)
        if _INTEROPERABILITY in found:
            inner = _opened(data, found[_INTEROPERABILITY], _INTEROPERABILITY)
            copy.tagtype[_INTEROPERABILITY] = _LONG
            copy[_INTEROPERABILITY] = {each: inner[each] for each in inner}
        places[tag] = place + len(parts)
        parts += copy.tobytes(places[tag])
    return places, parts, notes


def _block(data: bytes, start: int, wanted: list[int]) -> tuple[bytes, bool]:
    """Return what of a TIFF file is about the picture, as an EXIF block; and as ``_moved``."""
    first = _opened(data, start)
    kept = _copied(first, wanted)
    kept.update({tag: len(_HEAD) for tag in _DIRECTORIES if tag in first})
    places, parts, notes = _moved(data, first, len(_HEAD) + len(kept.tobytes()))
    kept.update(places)
    return _HEAD + kept.tobytes(len(_HEAD)) + parts, notes


def settings(metadata: Metadata) -> dict[str, Any]:
    """Return what tifffile is to write, as arguments of its ``imwrite``."""
    extra: list[tuple[int | str, int, int, Any, bool]] = []
    for tag, kind, value in (_XMP, _BYTE, metadata.xmp), (_ICC, _UNDEFINED, metadata.icc):
        if value:
            extra.append((tag, kind, len(value), value, True))
    if metadata.exif:
        first = _opened(metadata.exif)
        for tag in _DESCRIPTIVE:
            if isinstance(text := first.get(tag), str):
                extra.append((tag, _ASCII, 0, text.encode("latin-1"), True))
        # By name, because tifffile takes no such tag by number; any valid place will do for now.
        extra += [(_DIRECTORIES[tag], _LONG, 1, 8, True) for tag in _DIRECTORIES if tag in first]
    return {
        "resolution": metadata.resolution,
        "resolutionunit": None if metadata.resolution is None else "INCH",
        "extratags": extra,
    }


def append_directories(file: io.BytesIO, exif: bytes) -> None:
    """Write the directories of an EXIF block behind a TIFF file made with ``settings``."""
    import tifffile  # noqa: PLC0415

    place = file.seek(0, io.SEEK_END)
    place += file.write(bytes(place % 2))
    places, parts, _ = _moved(exif, _opened(exif), place)
    if place + len(parts) > _LARGEST:
        raise ValueError("beyond the reach of its offsets")
    file.write(parts)
    file.seek(0)
    with tifffile.TiffFile(file, mode="r+") as tiff:
        page: Any = tiff.pages[0]
        for tag, place in places.items():
            page.tags[tag].overwrite(place)
