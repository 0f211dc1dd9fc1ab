"""Whole alignments from a forked child, from many threads at once, on one thread and on four.

In processes of their own, where nothing else has threads.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from align_cli.native.library import levels
from tests.native.proofs import ROOT

PAIR = """
import hashlib, os, sys, threading
import cv2
from align_cli import align
from align_cli.engine.numerics.threads import at_most

source, target = (cv2.imread(f"sample_data/poster_{name}.png") for name in ("source", "target"))

def answer(threads=None):
    with at_most(threads):
        found = align(source, target)
        return found.source_to_target.tobytes() + found.warp(source).tobytes()

"""


def run(script: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PAIR + script],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_aligns_as_its_parent_did() -> None:
    run("""
before = answer(4)
child = os.fork()
if child == 0:
    os._exit(0 if answer(4) == before else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
""")


def test_eight_threads_align_at_once_and_agree() -> None:
    run("""
alone, answers = answer(), []
threads = [threading.Thread(target=lambda: answers.append(answer())) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert answers == [alone] * 8
assert threading.active_count() == 1  # none outlives its call
""")


def test_levels_and_threads_do_not_matter_to_any_bit() -> None:
    script = "print(*(hashlib.sha256(answer(threads)).hexdigest() for threads in (1, 4)))"
    answers = {each for level in levels() for each in run(script, IMALIGN_CPU_LEVEL=level).split()}
    assert len(answers) == 1
