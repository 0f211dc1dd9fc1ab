from __future__ import annotations

import platform
import resource
import subprocess
import sys

import pytest

SCRIPT = """
import resource
import numpy as np
from align_cli.engine.numerics.malloc import keep_freed_memory

keep = {keep}
if keep:
    keep_freed_memory()
for _ in range(3):
    np.ones(1 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    np.ones(1 << 20), np.ones(1 << 19), np.ones(1 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators take no notice")
def test_what_was_freed_is_used_again_without_page_faults() -> None:
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(keep=True)],
        check=True,
        capture_output=True,
        text=True,
    )
    # 20 times 20 MiB would be more than 100 000 pages of 4 KiB.
    assert int(run.stdout) * resource.getpagesize() < 100 << 20
