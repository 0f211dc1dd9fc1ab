from __future__ import annotations

import numpy as np
import pytest

from align_cli.engine.images.luma import luma
from align_cli.engine.images.noise import noise_energy
from align_cli.engine.images.pyramid import pyramid
from align_cli.engine.numerics.row_bands import Bands
from align_cli.engine.options import DEFAULTS
from align_cli.engine.target import row_budget as row_choice
from align_cli.engine.target.planes import target_planes
from align_cli.engine.target.row_budget import (
    PIXELS_FOR_NOISE,
    evenly_textured,
    level_energy,
    needed_pixels,
    row_energies,
    source_spans_rows,
)
from align_cli.engine.target.target import Target
from tests.photographs import shifted
from tests.scenes import pair, render, textured


def test_noise_asks_for_more_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_choice, "ENOUGH_PIXELS", 1 << 14)
    rows = []
    for noise in (0.0, 0.0004, 0.1):
        target = pair("rigid", seed=3, size=(300, 900), noise=noise).target
        planes = Target(luma(target), DEFAULTS).rows(0)
        assert planes is not None
        rows.append(planes.whole.image.shape[0])
    assert rows[0] < rows[1] < rows[2]


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_some_rows_tell_how_much_texture_a_level_has(noise: float) -> None:
    target = np.full((900, 300), 0.5)
    target[200:500] = render(textured(2, size=(300, 300)), (300, 300), noise=noise)
    full, above = pyramid(luma(target), 2)
    planes = target_planes(full)
    assert planes is not None
    rows = row_energies(above)
    assert level_energy(full, rows) == pytest.approx(planes.energy, rel=0.3)


def test_bands_are_even_where_they_have_their_share_of_the_texture() -> None:
    rows = np.ones(500)
    bands = Bands(10, 24, 90, 11)
    assert evenly_textured(bands, rows)
    # All of it between the first two bands.
    rows[:] = 0.0
    rows[20:45] = 1.0
    assert not evenly_textured(bands, rows)
    assert not evenly_textured(bands, np.zeros(500))


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0, 4.0])
def test_half_of_what_seems_texture_is_believed_at_least(share: float) -> None:
    noise, noise_sigma_px = 2.0, 0.02
    of_noise = noise_energy(0, noise)
    energy = of_noise * (1.0 + share)
    signal = max(share * of_noise, 0.5 * energy)
    expected = PIXELS_FOR_NOISE * (noise / noise_sigma_px) ** 2 / signal
    assert expected < row_choice.MOST_PIXELS
    found = needed_pixels(0, energy, noise, noise_sigma_px)
    assert found == pytest.approx(max(expected, row_choice.ENOUGH_PIXELS), abs=1.0)


def test_a_source_spans_a_target_of_which_it_reaches_most_rows() -> None:
    assert source_spans_rows((400, 300), (400, 300), np.eye(3))
    # 0.8 and 0.7 of the rows, whichever columns.
    assert source_spans_rows((20, 240), (400, 300), np.eye(3))
    assert not source_spans_rows((400, 210), (400, 300), np.eye(3))
    assert source_spans_rows((400, 300), (400, 300), shifted(-390.0, 60.0))
    assert not source_spans_rows((400, 300), (400, 300), shifted(0.0, 90.0))
    assert not source_spans_rows((400, 300), (400, 300), shifted(500.0, 0.0))
