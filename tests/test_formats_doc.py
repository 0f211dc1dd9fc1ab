"""The tables of docs/formats.md are what is found by trying every format with every dtype."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile

from align_cli.files.encode import FORMATS, Format
from align_cli.files.errors import UnreadableError, UnwritableError
from align_cli.files.images import read_image, write_image
from align_cli.report.displacement_map import COLUMNS

DOC = Path(__file__).resolve().parents[1] / "docs" / "formats.md"
WRITTEN = ("uint8", "uint16", "float32", "float64")
CHANNELS = {1: "grey", 2: "grey and alpha", 3: "RGB", 4: "RGB and alpha", 6: "more"}
READ = (
    *("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
    *("float16", "float32", "float64", "complex64"),
)
METADATA = {"exif": "EXIF", "icc": "ICC", "xmp": "XMP", "resolution": "resolution"}


def example(dtype: str, channels: int) -> np.ndarray:
    shape = (12, 16) if channels == 1 else (12, 16, channels)
    numbers = np.random.default_rng(channels).uniform(0, 200, shape)
    return numbers.astype(dtype)


def holds(folder: Path, each: Format, dtype: str, channels: int) -> bool:
    """Try it: written, read back, and the same (nearly, for the one lossy format)."""
    pixels = example(dtype, channels)
    path = folder / f"{channels}{dtype}{each.suffixes[0]}"
    try:
        write_image(path, pixels)
    except UnwritableError:
        return False
    found = read_image(path).pixels
    assert found.dtype == pixels.dtype
    assert found.shape == pixels.shape
    assert each.name == "JPEG" or (found == pixels).all()
    return True


def row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def written_table(folder: Path) -> str:
    lines = [row(["format", "suffix", *WRITTEN, "metadata"]), row(["---"] * 7)]
    for each in FORMATS:
        cells = [each.name, " ".join(each.suffixes)]
        for dtype in WRITTEN:
            held = [name for n, name in CHANNELS.items() if holds(folder, each, dtype, n)]
            everything = len(held) == len(CHANNELS)
            cells.append("any channels" if everything else ", ".join(held) or "-")
        cells.append(", ".join(METADATA[kind] for kind in METADATA if kind in each.carries) or "-")
        lines.append(row(cells))
    return "\n".join(lines)


def arrives(folder: Path, dtype: str) -> str:
    pixels = example(dtype, 1)
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, photometric="minisblack")
    (folder / "a.tif").write_bytes(file.getvalue())
    try:
        found = read_image(folder / "a.tif").pixels
    except UnreadableError:
        return "refused"
    assert (found == (pixels * 255 if dtype == "bool" else pixels)).all()
    return f"{found.dtype.name}, 0 and 255" if dtype == "bool" else found.dtype.name


def read_table(folder: Path) -> str:
    lines = [row(["numbers in the TIFF", "arrive as"]), row(["---"] * 2)]
    return "\n".join([*lines, *(row([dtype, arrives(folder, dtype)]) for dtype in READ)])


def table_after(mark: str) -> str:
    return DOC.read_text("utf-8").split(f"<!-- {mark} -->\n\n")[1].split("\n\n")[0]


def test_the_columns_of_a_displacement_map() -> None:
    rows = table_after("columns").splitlines()[2:]
    assert tuple(each.split("|")[1].strip() for each in rows) == COLUMNS


def test_what_is_written(tmp_path: Path) -> None:
    assert table_after("written") == written_table(tmp_path)


@pytest.mark.filterwarnings("ignore")  # tifffile warns of complex numbers
def test_what_is_read(tmp_path: Path) -> None:
    assert table_after("read") == read_table(tmp_path)
