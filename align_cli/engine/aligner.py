"""From two images to an ``Alignment``.

An ``Aligner`` holds everything that depends on the target alone (its luma, its pyramid, its
gradients), so that many sources can be aligned to one target for little more than the cost of
the source.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from align_cli.engine import trust
from align_cli.engine.alignment import Alignment
from align_cli.engine.arrays import Image, Mask, Matrix, Plane
from align_cli.engine.coarse_to_fine import Place, Progress, coarse_to_fine
from align_cli.engine.coordinates import Size, at_level, inverse
from align_cli.engine.errors import ImageError
from align_cli.engine.luma import Luma, luma
from align_cli.engine.moments import TargetPlanes, sample_pairs, target_planes
from align_cli.engine.motion import MODELS, describe
from align_cli.engine.options import DEFAULTS, Options
from align_cli.engine.photometry import Light, first_guess
from align_cli.engine.pyramid import REACH, Level, level_count, pyramid
from align_cli.engine.robust import LOSSES
from align_cli.engine.starts import starting_warp
from align_cli.engine.threads import Threads


class Aligner:
    """Aligns sources to one target.

    Args:
        target: (height, width) or (height, width, channels); uint8, uint16, float32 or float64.
            It is not changed, and may be thrown away.
        threads: how many to use; None for one for each core, at most 4. Does not change results.
        options: the fields of ``align_cli.engine.options.Options``, by name.

    Raises:
        ImageError: if the target cannot be aligned (shape, dtype, size, flat, nothing finite).
        TypeError: if an option is unknown.
        ValueError: if an option has no sense; the message lists the choices.
    """

    def __init__(self, target: Image, *, threads: int | None = None, **options: Any) -> None:
        self.options = Options(**options)
        self.model = MODELS[self.options.model]
        self.loss = LOSSES[self.options.loss]
        self.threads = threads
        self._target = luma(target, "target")
        self._levels: list[Level] = []
        self._planes: list[TargetPlanes | None] = []

    @property
    def target_size(self) -> Size:
        """(width, height) of the target in pixels."""
        return self._target.size

    def align(
        self,
        source: Image,
        *,
        init: Matrix | None = None,
        progress: Progress | None = None,
    ) -> Alignment:
        """Align one source to the target.

        Args:
            source: like the target; size, dtype and channels may differ.
            init: (3, 3) ``source_to_target`` to start from; identity if None.
            progress: called with each level's record when it is finished.

        Returns:
            The alignment, whatever its outcome: check ``outcome.aligned``.

        Raises:
            ImageError: if the source cannot be aligned, or ``init`` is no transform.
        """
        plane = luma(source, "source")
        warp = starting_warp(init, self.model, self.target_size)
        levels = pyramid(plane, min(level_count(plane.size), level_count(self.target_size)))
        self._reach_level(len(levels))
        used = len(levels) if self.options.levels is None else self.options.levels
        with Threads(self.threads) as threads:
            place, records = coarse_to_fine(
                self._planes[: len(levels)][:used],
                levels[:used],
                Place(warp, self._first_light(plane, levels[:used], warp)),
                model=self.model,
                loss=self.loss,
                options=self.options,
                unit=self._target.scale,
                threads=threads,
                progress=progress,
            )
            quality = trust.measure(
                plane,
                self._target,
                warp,
                place.warp,
                detail=self._detail_zncc(levels, place.warp),
                threads=threads,
            )
        if not records:
            raise ImageError("no pixel is far enough from invalid ones to align", role="target")
        last = records[-1]
        gain, bias = self._full_scale_light(plane, place.light)
        source_to_target = inverse(place.warp)
        return Alignment(
            model=self.model.name,
            source_to_target=source_to_target,
            target_to_source=place.warp,
            parameters=describe(source_to_target, self.model, plane.size),
            outcome=trust.outcome(
                last.status,
                quality,
                model=self.model.name,
                iterations=last.iterations,
                last_step_px=last.last_step_px,
            ),
            quality=quality,
            gain=gain,
            bias=bias,
            levels=tuple(records),
            source_size=plane.size,
            target_size=self.target_size,
        )

    def residual(self, source: Image, alignment: Alignment) -> tuple[Plane, Mask]:
        """``warped - target`` of the lumas, and where it is defined.

        Returns:
            (height, width) float32 in units of full scale, 0 outside the overlap, and
            (height, width) bool, the overlap; both on the target's grid.
        """
        return trust.residual_image(
            luma(source, "source"), self._target, alignment.target_to_source
        )

    def _reach_level(self, count: int) -> None:
        """Make sure that the target's first ``count`` levels exist."""
        if len(self._levels) < count:
            self._levels = pyramid(self._target, count)
            self._planes = [target_planes(level) for level in self._levels]

    def _first_light(self, source: Luma, levels: Sequence[Level], warp: Matrix) -> Light:
        """The light to begin with: on the coarsest level that has an interior, or as it is."""
        # Images of floating point had their mean and spread taken out, each its own.
        as_it_is = Light.uniform(
            self._target.scale / source.scale, (self._target.offset - source.offset) / source.scale
        )
        if not self.options.photometric:
            return as_it_is
        for level in reversed(range(len(levels))):
            planes = self._planes[level]
            if planes is not None:
                pairs = sample_pairs(planes, levels[level], at_level(warp, level), REACH)
                return first_guess(*pairs) if pairs[0].size else as_it_is
        return as_it_is

    def _full_scale_light(self, source: Luma, light: Light) -> tuple[float, float]:
        """Gain and bias at the centre of the target, from the units of the planes."""
        gain = light.gain * source.scale / self._target.scale
        bias = source.offset + source.scale * light.bias - gain * self._target.offset
        return gain, bias

    def _detail_zncc(self, levels: Sequence[Level], warp: Matrix) -> float:
        level = min(trust.DETAIL_LEVEL, len(levels) - 1)
        return trust.detail_zncc(levels[level], self._levels[level], at_level(warp, level))


def align(
    source: Image,
    target: Image,
    *,
    model: str = DEFAULTS.model,
    loss: str = DEFAULTS.loss,
    photometric: bool = DEFAULTS.photometric,
    levels: int | None = DEFAULTS.levels,
    max_iterations: int = DEFAULTS.max_iterations,
    tolerance: float = DEFAULTS.tolerance,
    init: Matrix | None = None,
    threads: int | None = None,
) -> Alignment:
    """Find the transform that lays ``source`` over ``target``.

    Args:
        source: the image that moves, (height, width) or (height, width, channels); uint8,
            uint16, float32 or float64. Neither image is changed.
        target: the image that stays; size, dtype and channels may differ from the source's.
        model: "translation", "rigid", "similarity", "affine" or "homography".
        loss: "tukey", "huber", "lorentzian", "geman-mcclure" or "l2".
        photometric: solve for gain and bias too.
        levels: number of pyramid levels; None for as many as both images carry.
        max_iterations: limit for each level.
        tolerance: converged when a step moves no corner by more, in pixels.
        init: (3, 3) ``source_to_target`` to start from; identity if None.
        threads: how many to use; None for one for each core, at most 4. Does not change results.

    Returns:
        The alignment, whatever its outcome: check ``outcome.aligned``.

    Raises:
        ImageError: if an image cannot be aligned, or ``init`` is no transform.
        ValueError: if an option has no sense; the message lists the choices.

    Example:
        >>> import numpy as np
        >>> from align_cli import align
        >>> y, x = np.mgrid[:80, :100]
        >>> target = np.sin(x / 5) + np.cos(y / 7 + x / 20)
        >>> source = np.sin((x + 1) / 5) + np.cos(y / 7 + (x + 1) / 20)
        >>> found = align(source, target, model="translation")
        >>> found.outcome.aligned, found.source_to_target[:2, 2].round(1) + 0.0
        (True, array([1., 0.]))
    """
    aligner = Aligner(
        target,
        model=model,
        loss=loss,
        photometric=photometric,
        levels=levels,
        max_iterations=max_iterations,
        tolerance=tolerance,
        threads=threads,
    )
    return aligner.align(source, init=init)
