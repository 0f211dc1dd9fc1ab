"""Answers to the pairs of a file, by whichever package comes first on the path.

``benchmarks.sensitivity`` starts it as a program of its own, with a copy of the package before all
else; it imports nothing of the other benchmarks.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pickle
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from align_cli.engine.aligner import align
from align_cli.engine.errors import ImageError
from align_cli.engine.geometry.coordinates import corners, map_points


def parts(value: object) -> Iterator[bytes]:
    """All that a result holds, to the last bit."""
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from parts(getattr(value, field.name))
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from (*parts(key), *parts(entry))
    elif isinstance(value, tuple | list):
        for entry in value:
            yield from parts(entry)
    elif isinstance(value, np.ndarray):
        yield value.tobytes()
    else:
        yield repr(value).encode()


def answer(source: Any, target: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Verdict, where the source's corners lie in the target, iterations, digest and seconds."""
    begun = time.process_time()
    try:
        found = align(source, target, threads=1, **options)
        shown = found.warp(source), found.inner_rectangle
    except ImageError as refusal:
        return {"verdict": "refused", "bits": str(refusal), "iterations": 0, "seconds": 0.0}
    digest = hashlib.sha1(usedforsecurity=False)
    for part in parts((found, shown)):
        digest.update(part)
    return {
        "verdict": f"{found.outcome.verdict.value}, {found.outcome.status.value}, {found.model}",
        "corners": map_points(found.source_to_target, corners(found.source_size)).tolist(),
        "iterations": sum(level.iterations for level in found.levels),
        "bits": digest.hexdigest(),
        "seconds": time.process_time() - begun,
    }


if __name__ == "__main__":
    for images in pickle.loads(Path(sys.argv[1]).read_bytes()):
        print(json.dumps(answer(*images)), flush=True)
