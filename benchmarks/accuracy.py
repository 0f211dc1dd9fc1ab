"""Accuracy beside peers and the Cramer-Rao bound: ``python -m benchmarks.accuracy``.

Random homographies whose corners move uniformly within +-20 px, the source rendered by order-5
splines, Gaussian noise of SIGMA grey levels on both images. Mean and largest EPE (end-point error,
mean over all pixels of a pair, px) of imalign's presets and of OpenCV's
``findTransformECCMultiScale`` with its defaults, on the same pairs in one run. A second, smaller
table does the same for shifts and affine motions, which more peers know. The bound is the expected
EPE of an estimate whose covariance is 2 sigma^2 (J^T J)^-1, J from the noise-free target with a
spectral gradient.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from benchmarks.arguments import parser
from benchmarks.bound import bound_for_unit_noise
from benchmarks.goals import Goal, print_goals
from benchmarks.methods import ECC, IMALIGN
from benchmarks.peers import PEERS
from benchmarks.scenes import Frame, frames, noisy, random_motion
from benchmarks.tally import Tally

SIGMAS = (0, 5, 10, 30)
MOVE_PX = 20
PEER_MODELS = ("translation", "affine")
PEER_SIGMAS = (0, 10)
PEER_SHARE = 5  # one pair in so many: some peers take seconds

# By noise, preset and what the mean EPE is compared with.
GOALS = (
    (0, "balanced", "ECC", 0.8),
    (0, "precise", "ECC", 0.25),
    (0, "precise", "px", 0.0005),
    (10, "balanced", "ECC", 0.9),
    (10, "precise", "ECC", 0.65),
    (10, "precise", "bound", 1.5),
    (30, "balanced", "ECC", 0.9),
    (30, "precise", "ECC", 0.65),
    (30, "precise", "bound", 2.0),
)


class Section:
    """The pairs of one motion model: errors of every method by noise and photograph."""

    def __init__(self, model: str, sigmas: Sequence[int], tally: Tally) -> None:
        self.model = model
        self.sigmas = sigmas
        self.tally = tally
        self._unit_bounds: dict[str, list[float]] = defaultdict(list)

    def run(self, stage: Sequence[Frame], pairs: int, rng: np.random.Generator) -> None:
        for frame in stage:
            for _ in range(pairs):
                truth = random_motion(self.model, frame.size, MOVE_PX, rng)
                bound = bound_for_unit_noise(frame, truth, self.model)
                self._unit_bounds[frame.name].append(bound)
                clean = frame.source(truth), frame.target
                for sigma in self.sigmas:
                    source, target = (noisy(image, sigma, rng) for image in clean)
                    key = sigma, frame.name
                    self.tally.run(source, target, truth, model=self.model, key=key)

    def bound(self, sigma: int, names: Sequence[str]) -> float:
        return sigma * float(np.mean([self._unit_bounds[name] for name in names]))

    def mean(self, method: str, sigma: int) -> float:
        return self.tally.mean(method, [(sigma, name) for name in self._unit_bounds])

    def print(self) -> None:
        every = tuple(self._unit_bounds)
        print(f"\n{self.model}\n{'sigma':>5} {'photograph':20}{'bound':>9}{self.tally.heading()}")
        for sigma in self.sigmas:
            for label, names in (*((name, (name,)) for name in every), ("mean", every)):
                row = self.tally.row([(sigma, name) for name in names])
                print(f"{sigma:>5} {label:20}{self.bound(sigma, names):>9.5f}{row}")
        print(f"{'ms for a pair':35}{self.tally.times()}")

    def goal(self, sigma: int, preset: str, against: str, factor: float) -> Goal:
        measured = self.mean(preset, sigma)
        if against == "px":
            return Goal(f"sigma {sigma}: {preset}", measured, factor, unit="px")
        every = tuple(self._unit_bounds)
        reference = self.bound(sigma, every) if against == "bound" else self.mean(against, sigma)
        return Goal(f"sigma {sigma}: {preset} / {against}", measured / reference, factor)


def main() -> None:
    options = parser(
        __doc__, count=10, counted="homographies for each photograph", pictures=True
    ).parse_args()
    rng = np.random.default_rng(options.seed)
    stage = frames(options.pictures, rim=MOVE_PX, blur=options.blur)
    print(", ".join(f"{each.name} {each.size[0]}x{each.size[1]}" for each in stage))
    section = Section("homography", SIGMAS, Tally((*IMALIGN, ECC)))
    section.run(stage, options.count, rng)
    section.print()
    for model in PEER_MODELS:
        small = Section(model, PEER_SIGMAS, Tally((*IMALIGN, ECC, *PEERS)))
        small.run(stage, max(options.count // PEER_SHARE, 1), rng)
        small.print()
    print_goals([section.goal(*goal) for goal in GOALS])


if __name__ == "__main__":
    main()
