"""The colour bars say what they are of."""

from __future__ import annotations

import pytest

from align_cli.report.page.legends import difference_legend, error_legend


@pytest.mark.parametrize("raw", [True, False])
def test_what_is_called_corrected_is_after_an_illumination(raw: bool) -> None:
    for legend in (difference_legend, error_legend):
        title = legend(of_full_scale=True, raw=raw).title
        assert ("warped - target" in title) == raw
        assert ("corrected - target" in title) == (not raw)
    assert ("illumination" in error_legend(of_full_scale=True, raw=raw).title) == (not raw)


def test_without_a_full_scale_the_unit_is_the_targets_range() -> None:
    for legend in (difference_legend, error_legend):
        assert "range" in legend(of_full_scale=False, raw=True).title
        assert "range" not in legend(of_full_scale=True, raw=True).title


def test_ticks_stand_where_their_colours_are() -> None:
    shares = {
        tick.label: tick.share for tick in difference_legend(of_full_scale=True, raw=True).ticks
    }
    assert (shares["-31"], shares["0"], shares["+31"]) == (0.0, 0.5, 1.0)
    shares = {tick.label: tick.share for tick in error_legend(of_full_scale=True, raw=True).ticks}
    assert shares == pytest.approx(
        {"0": 0, "1": 0.2, "4": 0.4, "9": 0.6, "16": 0.8, "25+": 1}, abs=1e-9
    )
