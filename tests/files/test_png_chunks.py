"""The chunks of a PNG file, walked and made."""

import io

import numpy as np
import pytest
from PIL import Image

from align_cli.files.errors import ContentError
from align_cli.files.png_chunks import END, SIGNATURE, Colour, Header, chunk, sound, start, walk


def by_pillow():
    file = io.BytesIO()
    Image.fromarray(np.zeros((3, 4, 3), np.uint8)).save(file, "PNG", dpi=(300, 300))
    return file.getvalue()


def test_every_chunk_of_a_file_is_walked():
    data = by_pillow()
    chunks = list(walk(data))
    assert [kind for kind, _ in chunks] == [b"IHDR", b"pHYs", b"IDAT", b"IEND"]
    assert SIGNATURE + b"".join(whole for _, whole in chunks) == data
    assert all(sound(whole) for _, whole in chunks)
    assert [*walk(data + b"junk")][-1][0] == b"IEND"


def test_what_is_made_is_what_pillow_makes():
    data = by_pillow()
    assert data.startswith(start(Header(4, 3, 8, Colour.RGB)))
    assert data.endswith(END)
    assert chunk(b"tEXt", b"a") == b"\0\0\0\1tEXta" + chunk(b"tEXt", b"a")[-4:]


def test_a_wrong_checksum_is_noticed():
    whole = bytearray(chunk(b"tEXt", b"abc"))
    for place in range(4, len(whole)):
        whole[place] ^= 1
        assert not sound(memoryview(whole))
        whole[place] ^= 1
    assert sound(memoryview(whole))


def test_a_file_that_ends_too_early():
    data = by_pillow()
    for length in range(8, len(data)):
        with pytest.raises(ContentError, match="truncated"):
            list(walk(data[:length]))
