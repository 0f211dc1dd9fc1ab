"""What each format holds, of pixels and of metadata."""

import numpy as np
import pytest

from align_cli.files.encode import BY_SUFFIX, FORMATS, PNG, plain
from align_cli.files.metadata.record import NOTHING, Metadata
from tests.files.metadata.examples import PROFILE, exif_block, full


@pytest.mark.parametrize("each", FORMATS, ids=lambda each: each.name)
def test_what_is_refused_is_not_held(each):
    for dtype in ("uint8", "uint16", "float32", "float64", "int64"):
        for channels in (1, 2, 3, 4, 5):
            pixels = np.zeros((4, 5, channels), dtype)
            pixels = pixels[..., 0] if channels == 1 else pixels
            held = dtype in each.dtypes and (not each.channels or channels in each.channels)
            assert each.holds(pixels) == held
            assert bool(each.refusal(pixels)) != held
            if held:
                data = each.encode(plain(pixels), NOTHING)
                assert data == each.encode(plain(pixels.copy()), NOTHING)


def test_a_suffix_means_one_format():
    assert len(BY_SUFFIX) == sum(len(each.suffixes) for each in FORMATS)


@pytest.mark.parametrize("each", FORMATS, ids=lambda each: each.name)
def test_what_is_carried_and_what_is_lost_is_all(each):
    pixels = np.zeros((4, 5, 3), np.uint8)
    metadata = full(colour=b"gamma", lost=("something",))
    kept, lost = each.carried(metadata, pixels)
    assert {*kept.kinds} == {*each.carries}
    assert lost[0] == "something"
    assert {*lost[1:]} == {name for kind, name in metadata.kinds.items() if kind not in kept.kinds}


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_profile_is_for_its_own_channels(channels):
    grey = PROFILE[:16] + b"GRAY" + PROFILE[20:]
    pixels = np.zeros((4, 5, channels), np.uint8)
    for profile, fits in ((PROFILE, channels > 2), (grey, channels <= 2)):
        kept, lost = PNG.carried(Metadata(icc=profile), pixels)
        assert bool(kept.icc) == fits
        assert bool(lost) != fits


def test_maker_notes_are_lost_where_they_would_move():
    metadata = Metadata(exif=exif_block(notes=True))
    pixels = np.zeros((4, 5, 3), np.uint8)
    for suffix in (".png", ".jpg", ".webp"):
        assert BY_SUFFIX[suffix].carried(metadata, pixels)[1] == ()
    assert BY_SUFFIX[".tif"].carried(metadata, pixels)[1] == ("maker notes",)


def test_plain_pixels():
    pixels = np.arange(24, dtype=">u2").reshape(2, 3, 4)[:, ::-1, :1]
    found = plain(pixels)
    assert found.shape == (2, 3)
    assert found.dtype.isnative
    assert found.flags.c_contiguous
    assert (found == pixels[..., 0]).all()
