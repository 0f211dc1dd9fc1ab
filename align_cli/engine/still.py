"""The normal equations of planes that lie on one another already: nothing need be sampled.

Where the source has been warped to where it is believed to lie, the residuals at that place are a
difference of two images, and the equations there are sums over all pixels that read each plane
once. A step that is solved for is then made by warping the source anew.

Orientations of edges are noisy, and so are their gradients: in J_T^T W J_T most is noise, often
nine parts in ten, and Gauss-Newton steps fall short by as much. How the score J_T^T w r really
changes with a motion of the source is

    A = J_T^T W J_S

times the slope of the loss's pull; its two noises know nothing of each other. With A steps are
about Newton's: two or three are enough. Where the images do not lie right A knows nothing, and may
have any sign; so no motion counts for less than a share of what J_T^T W J_T has of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Plane, Vector
from align_cli.engine.equations import NormalEquations, least_scale
from align_cli.engine.moments import (
    SLOPE_STEP,
    Scratch,
    assemble_vector,
    cross_matrix,
    rows_apart,
    strips,
)
from align_cli.engine.motion import MotionModel
from align_cli.engine.place import Place
from align_cli.engine.products import inner, times
from align_cli.engine.robust import Loss, scale_of
from align_cli.engine.targets import TargetPlanes, TargetRows, textured
from align_cli.engine.threads import Threads

SCALE_STEP: Final = 4
"""Every so manieth pixel, both ways, tells the residuals' scale."""


class _Sums(NamedTuple):
    """Of a strip of one plane: see ``moments.Sums``."""

    moments: NDArray[np.float64]  # (2, 3, 3): M(gx w r), M(gy w r)
    totals: Vector  # sums of w and w r r, slopes and weights of some pixels
    matrices: NDArray[np.float64] | None  # (2, p, p): see ``StillEquations._matrices``


class StillEquations:
    """The normal equations of planes that move together, at the place where they lie.

    Args:
        rows: the target's planes, all of one size, and valid where both images are known.
        source: the source's, on the target's grid, (height, width) each.
        model: the motion model.
        loss: the robust loss.
        threads: where to work.
        scratch: buffers.
        matrix: the ``matrix`` of equations nearby; None for its own, found when asked for.
        least_shared: of J_T^T W J_T each motion has so much in the matrix at least; with 1 a step
            is Gauss-Newton's, or shorter.
    """

    mean = 0.0
    light_terms = 0

    def __init__(
        self,
        rows: Sequence[TargetPlanes],
        source: Sequence[Plane],
        model: MotionModel,
        loss: Loss,
        *,
        threads: Threads,
        scratch: Scratch,
        least_shared: float,
        matrix: NDArray[np.float64] | None = None,
    ) -> None:
        self.size, self.motion_size = rows[0].size, model.size
        self.spread = float(np.mean([plane.spread for plane in rows]))
        (x, y), (height, width) = rows[0].origin, rows[0].shape
        self._rows, self._source = rows, source
        self._inner = [plane[y : y + height, x : x + width] for plane in source]
        valid = rows[0].valid
        self._known = None if valid is None else valid.astype(np.float32)
        self._model, self._loss = model, loss
        self._threads, self._scratch = threads, scratch
        self._least_shared, self.matrix = least_shared, matrix

    def at(
        self, place: Place, scale: float | None, *, at_least: float = 0.0, with_matrix: bool
    ) -> NormalEquations:
        """The equations where the planes lie: ``place`` must be no motion and no light."""
        estimate = self._scale() if scale is None else scale
        scale = max(estimate, at_least)
        own_matrix = with_matrix and self.matrix is None
        step = rows_apart(self._rows[0].shape) if own_matrix else 0
        parts = [
            (which, rows) for rows in strips(self._rows[0]) for which in range(len(self._rows))
        ]

        def strip_sums(part: tuple[int, slice]) -> _Sums:
            return self._strip_sums(*part, scale=scale, matrix_step=step)

        sums = self._threads.map(strip_sums, parts)
        moments = np.zeros((4, 3, 3))
        moments[:2] = np.sum([each.moments for each in sums], axis=0)
        vector = assemble_vector(moments, self._model, self._rows[0].pixels_per_unit)
        weight, squares, slopes, weights = np.sum([each.totals for each in sums], axis=0).tolist()
        matrices = [each.matrices for each in sums if each.matrices is not None]
        if matrices:
            self.matrix = self._bold(*(np.sum(matrices, axis=0) * step))
        return NormalEquations(
            vector=vector[: self.motion_size],
            matrix=self.matrix if with_matrix else None,
            weight=weight,
            squares=squares,
            share=1.0,
            scale=scale,
            estimate=estimate,
            slope=slopes / weights if weights > 0.0 else 1.0,
        )

    def _strip_sums(self, which: int, rows: slice, *, scale: float, matrix_step: int) -> _Sums:
        target = self._rows[which]
        here = target.part(rows)
        r, w, product = self._scratch.planes(3, here.image.shape)
        cv2.addWeighted(self._inner[which][rows], 1.0, here.image, -1.0, -target.mean, dst=r)
        if self._loss.robust:
            cv2.multiply(r, r, dst=w, scale=1.0 / (self._loss.constant * scale) ** 2)
            self._loss.weigh(w)
        else:
            w.fill(1.0)
        if self._known is not None:
            w *= self._known[rows]
        np.multiply(w, r, out=product)
        some = w[::SLOPE_STEP, ::SLOPE_STEP]
        totals = np.array(
            [w.sum(), inner(product, r), self._loss.slope(some).sum(), some.sum()], np.float64
        )
        powers_x, powers_y = target.powers_x[:, :3], target.powers_y[rows, :3]
        moments = np.empty((2, 3, 3))
        for table, gradient in zip(moments, (here.gradient_x, here.gradient_y), strict=True):
            # r is spent: its buffer takes the products.
            np.multiply(gradient, product, out=r)
            table[:] = powers_y.T @ times(r, powers_x)
        matrices = None
        if matrix_step:
            matrices = self._matrices(here, which, rows, w, matrix_step)
        return _Sums(moments, totals, matrices)

    def _matrices(
        self, here: TargetRows, which: int, rows: slice, w: Plane, step: int
    ) -> NDArray[np.float64]:
        """(2, p, p): J_T^T W J_S and J_T^T W J_T, of some rows."""
        target, source = self._rows[which], self._source[which]
        (left, top), width = target.origin, target.shape[1]
        picked = np.s_[-rows.start % step :: step]
        of_planes = np.arange(rows.start, rows.stop)[picked]
        y, x = top + of_planes, np.s_[left : left + width]
        before, after = np.s_[left - 1 : left + width - 1], np.s_[left + 1 : left + width + 1]
        half = np.float32(0.5)
        of_source = (
            half * (source[y, after] - source[y, before]),
            half * (source[y + 1, x] - source[y - 1, x]),
        )
        of_target = here.gradient_x[picked], here.gradient_y[picked]
        weight = w[picked]
        return np.stack(
            [
                cross_matrix(of_target, other, weight, target, self._model, of_planes)
                for other in (of_source, of_target)
            ]
        )

    def _bold(self, shared: NDArray[np.float64], own: NDArray[np.float64]) -> NDArray[np.float64]:
        """(p, p) by which the score changes, each motion with its least share of ``own``."""
        try:
            root = np.linalg.cholesky(own)
        except np.linalg.LinAlgError:
            return own
        inverse = np.linalg.inv(root)
        shares, motions = np.linalg.eigh(inverse @ shared @ inverse.T)
        basis = root @ motions
        matrix: NDArray[np.float64] = (basis * np.maximum(shares, self._least_shared)) @ basis.T
        return matrix

    def _scale(self) -> float:
        """Standard deviation of the residuals of some of the pixels with texture."""
        picked = np.s_[::SCALE_STEP, ::SCALE_STEP]
        residuals = []
        for target, source in zip(self._rows, self._inner, strict=True):
            known = textured(target, picked)
            if self._known is not None:
                known &= self._known[picked] > 0.0
            difference = source[picked] - target.image[picked] - np.float32(target.mean)
            residuals.append(difference[known])
        spread = max(plane.spread for plane in self._rows)
        return max(scale_of(np.concatenate(residuals)), least_scale(spread))
