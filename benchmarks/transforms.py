"""The transforms of many pairs to the last bit: ``python -m benchmarks.transforms``.

For whoever moves code and wants to know that nothing else has changed: ``--record FILE`` before,
``--compare FILE`` after. The pairs are those of ``sample_data``, drawn ones of every model and
preset, and the real, unlike and reported pairs of the folder beside the repository, if it is there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from align_cli import align
from align_cli.files.images import read_image
from benchmarks.arguments import parser
from benchmarks.real_folders import FOLDER, TRUTH, Pixels, entries, read_pair
from benchmarks.scenes import exposed, frames, random_motion

SAMPLES = Path(__file__).resolve().parents[1] / "sample_data"
MODELS = ("translation", "rigid", "similarity", "affine", "homography", "auto")
PRESETS = ("fast", "balanced", "precise")
MOVE_PX = 6


def pairs() -> Iterator[tuple[str, Pixels, Pixels, dict[str, str]]]:
    """Names, sources, targets and options."""
    for source in sorted(SAMPLES.glob("*_source.*")):
        target = next(SAMPLES.glob(source.name.replace("_source", "_target")))
        images = [read_image(path).pixels for path in (source, target)]
        for similarity in ("intensity", "auto"):
            yield f"{source.name} {similarity}", *images, {"similarity": similarity}
    rng = np.random.default_rng(0)
    for frame in frames(("camera.png", "coffee.png"), rim=MOVE_PX):
        for model in MODELS:
            drawn = model if model != "auto" else "similarity"
            truth = random_motion(drawn, frame.size, MOVE_PX, rng)
            source, target = exposed(frame.source(truth), 2.0, rng), exposed(frame.target, 2.0, rng)
            for preset in PRESETS:
                yield (
                    f"{frame.name} {model} {preset}",
                    source,
                    target,
                    {
                        "model": model,
                        "preset": preset,
                    },
                )
    for folder in (FOLDER, FOLDER / "real", FOLDER / "unlike"):
        if (folder / TRUTH).exists():
            for entry in entries(folder):
                pair = read_pair(folder, entry)
                for similarity in ("intensity", "auto"):
                    name = f"{folder.name} {pair.name} {similarity}"
                    yield name, pair.source, pair.target, {"similarity": similarity}


def main() -> None:
    options = parser(__doc__, count=1, counted="runs")
    options.add_argument("--record", metavar="FILE", help="write the transforms")
    options.add_argument("--compare", metavar="FILE", help="tell which differ from those of a file")
    arguments = options.parse_args()
    found = {}
    for name, source, target, given in pairs():
        alignment = align(source, target, **given)  # type: ignore[arg-type]
        numbers = [float(value).hex() for value in alignment.source_to_target.ravel()]
        found[name] = [alignment.outcome.verdict.value, *numbers]
        print(f"{name:60}{alignment.outcome.verdict.value:10}{numbers[2]}", flush=True)
    if arguments.record:
        Path(arguments.record).write_text(json.dumps(found, indent=1))
    if arguments.compare:
        before = json.loads(Path(arguments.compare).read_text())
        other = sorted(
            name for name in before.keys() | found if before.get(name) != found.get(name)
        )
        print(f"\n{len(other)} of {len(found)} differ", *other, sep="\n  ")
        sys.exit(bool(other))


if __name__ == "__main__":
    main()
