"""Rigid alignment of small noisy images: ``python -m benchmarks.rigid``.

Target 250 wide and 300 high, rotations about the image centre of 3, 10 and 20 degrees with shifts
of 5 to 15 px, Gaussian noise of 2 grey levels on both images, from identity, default options.
Goal: corner error <= 0.005 px and <= 10 ms for each pair.
"""

from __future__ import annotations

import numpy as np

from align_cli import align
from align_cli.engine.geometry.coordinates import corner_error
from benchmarks.arguments import parser
from benchmarks.goals import Goal, print_goals
from benchmarks.scenes import PHOTOGRAPHS, pair
from benchmarks.timing import median_ms

SIZE = (250, 300)
LIMIT_PX, LIMIT_MS = 0.005, 10.0


def about_centre(degrees: float, shift: tuple[float, float]) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    centre = (np.array(SIZE) - 1.0) / 2.0
    matrix = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    matrix[:2, 2] = centre + shift - matrix[:2, :2] @ centre
    return matrix


def main() -> None:
    rng = np.random.default_rng(parser(__doc__).parse_args().seed)
    heading = f"{'photograph':14}{'angle':>6}{'shift px':>16}{'corner error px':>17}{'ms':>7}"
    print(f"{heading}  outcome")
    pairs = off = slow = 0
    for name in PHOTOGRAPHS:
        for degrees in (3, 10, 20):
            length, direction = rng.uniform(5.0, 15.0), rng.uniform(0.0, 2.0 * np.pi)
            shift = (length * np.cos(direction), length * np.sin(direction))
            truth = about_centre(degrees, shift)
            scene = pair(name, truth, SIZE, sigma=2.0, rng=rng)
            found = align(scene.source, scene.target, model="rigid")
            error = corner_error(found.source_to_target, truth, SIZE)
            ms = median_ms(lambda s=scene: align(s.source, s.target, model="rigid"))
            pairs += 1
            off += not (found.outcome.aligned and error <= LIMIT_PX)
            slow += ms > LIMIT_MS
            print(
                f"{name:14}{degrees:>6}{shift[0]:>8.2f}{shift[1]:>8.2f}{error:>17.4f}{ms:>7.1f}"
                f"  {found.outcome.status.value}"
            )
    print_goals(
        [
            Goal(f"of {pairs} pairs not aligned to {LIMIT_PX:g} px", off, 0.0),
            Goal(f"of {pairs} pairs that take more than {LIMIT_MS:g} ms", slow, 0.0),
        ]
    )


if __name__ == "__main__":
    main()
