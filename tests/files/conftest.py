"""Helpers shared by the tests of files: real pictures and real processes, no mocks."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


def _scene(*shape: int, dtype: str = "uint8") -> np.ndarray:
    """Numbers that fill the dtype's range and differ in every pixel, channel and byte."""
    numbers = np.random.default_rng([7, *shape])
    if dtype.startswith("float"):
        return numbers.normal(size=shape).astype(dtype)
    return numbers.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


@pytest.fixture
def scene() -> Callable[..., np.ndarray]:
    return _scene


@pytest.fixture
def python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run code in a fresh interpreter that can import the package."""

    def run(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def device(tmp_path_factory) -> Callable[[str], Path]:
    """Return a path of the null ("null") or the full device ("full") that is safe to write to.

    Code that is wrong replaces the device by a file. Root could do that to the machine's own, so
    root gets a private node; others may not write in /dev and get the real one.
    """

    def node(name: str) -> Path:
        real = Path("/dev") / name
        if not real.exists():
            pytest.skip(f"needs {real}")
        if not os.access("/dev", os.W_OK):
            return real
        private = tmp_path_factory.mktemp("dev") / name
        try:
            os.mknod(private, stat.S_IFCHR | 0o666, real.stat().st_rdev)
            private.open("wb").close()
        except OSError as error:
            pytest.skip(f"no private device can be made here ({error.strerror})")
        return private

    return node
