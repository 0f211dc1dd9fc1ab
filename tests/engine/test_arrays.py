from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from align_cli.engine.arrays import quantile


@pytest.mark.parametrize("shape", [(1,), (2,), (7,), (8,), (1, 2), (6, 2), (9, 2)])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.95, 1.0])
def test_quantiles_are_numpys(shape: tuple[int, ...], share: float) -> None:
    values = np.random.default_rng(0).normal(size=shape)
    np.testing.assert_allclose(quantile(values, share), np.quantile(values, share, axis=0), 1e-14)


ALIGNED = """
import sys
from align_cli import align
from align_cli.files.images import read_image
source, target = (read_image(path).pixels for path in sys.argv[1:])
assert align(source, target).outcome.aligned
print("numpy.ma" in sys.modules)
"""


def test_to_align_loads_no_masked_arrays() -> None:
    samples = Path(__file__).parents[2] / "sample_data"
    pair = [str(samples / f"poster_{role}.png") for role in ("source", "target")]
    command = [sys.executable, "-c", ALIGNED, *pair]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    assert result.stdout == "False\n"
