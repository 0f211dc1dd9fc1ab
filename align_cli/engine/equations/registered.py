"""The normal equations of registered planes: the source is warped to the target's grid already.

The residuals at the current state are then the difference of two images, and the equations are sums
over all pixels that read each plane once. After a step the source is warped again.

Edge orientations are noisy, and so are their gradients: up to nine tenths of J_T^T W J_T are due to
noise, and Gauss-Newton steps are too short by as much. The true derivative of the score J_T^T w r
by a motion of the source is

    A = J_T^T W J_S

times the slope of the loss's influence function, because the noises of both images are independent.
With A steps are about Newton's: two or three are enough. Far from the optimum A may be indefinite,
so its eigenvalues relative to J_T^T W J_T are clamped from below.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Plane
from align_cli.engine.equations.dense import (
    assemble_vector,
    cross_matrix,
    matrix_row_step,
    native_run,
    strips,
)
from align_cli.engine.equations.illumination import Illumination
from align_cli.engine.equations.normal_equations import NormalEquations, least_scale
from align_cli.engine.equations.state import State
from align_cli.engine.geometry.models import MotionModel
from align_cli.engine.numerics.losses import Loss, scale_of
from align_cli.engine.numerics.samples import SAMPLE_STEP
from align_cli.engine.numerics.threads import Threads
from align_cli.engine.target.planes import TargetPlanes
from align_cli.native.rows import (
    TEXTURED,
    Run,
    RunPixels,
    RunSums,
    SourceView,
    run_sums,
    total_sums,
)

SCALE_STEP: Final = SAMPLE_STEP
"""The scale of the residuals is estimated from every n-th pixel of every n-th row."""


class RegisteredEquations:
    """The normal equations of planes that move together, at the identity.

    Args:
        rows: the target's planes, all of one size, valid where both images are.
        source: the source's, on the target's grid, (height, width) each.
        model: the motion model.
        loss: the robust loss.
        threads: where to work.
        least_eigenvalue: lower limit of the eigenvalues of the matrix relative to J_T^T W J_T; with
            1 a step is that of Gauss-Newton, or shorter.
    """

    mean = 0.0
    illumination_terms = 0

    def __init__(
        self,
        rows: Sequence[TargetPlanes],
        source: Sequence[Plane],
        model: MotionModel,
        loss: Loss,
        *,
        threads: Threads,
        least_eigenvalue: float,
    ) -> None:
        self.size, self.motion_size = rows[0].size, model.size
        self.spread = float(np.mean([plane.spread for plane in rows]))
        (x, y), (height, width) = rows[0].origin, rows[0].shape
        self._rows, self._source = rows, source
        self._inner = [plane[y : y + height, x : x + width] for plane in source]
        self._known = rows[0].valid
        self._model, self._loss = model, loss
        self._threads = threads
        self._least_eigenvalue = least_eigenvalue
        self.matrix: NDArray[np.float64] | None = None

    def at(
        self, state: State, scale: float | None, *, at_least: float = 0.0, with_matrix: bool
    ) -> NormalEquations:
        """The equations at ``state``, which must be the identity without illumination."""
        estimate = self._scale() if scale is None else scale
        scale = max(estimate, at_least)
        parts = [
            (which, rows) for rows in strips(self._rows[0]) for which in range(len(self._rows))
        ]

        def strip_sums(part: tuple[int, slice]) -> RunSums:
            return self._strip_sums(*part, scale=scale)

        sums = total_sums(self._threads.map(strip_sums, parts))
        vector = assemble_vector(sums.moments[:4], self._model, self._rows[0].pixels_per_unit)
        weight, squares, slopes, _ = sums.totals.tolist()
        if with_matrix and self.matrix is None:
            step = matrix_row_step(self._rows[0].shape)
            matrices = self._threads.map(
                lambda part: self._matrices(*part, scale=scale, step=step), parts
            )
            self.matrix = self._clamped(*(np.sum(matrices, axis=0) * step))
        return NormalEquations(
            vector=vector[: self.motion_size],
            matrix=self.matrix if with_matrix else None,
            weight=weight,
            squares=squares,
            share=1.0,
            scale=scale,
            estimate=estimate,
            slope=slopes / weight if weight > 0.0 else 1.0,
        )

    def _strip_sums(self, which: int, rows: slice, *, scale: float) -> RunSums:
        unit = self._loss.constant * scale if self._loss.robust else 1.0
        return run_sums(*self._run_and_view(which, rows), loss=self._loss.name, unit=unit)

    def _run_and_view(self, which: int, rows: slice) -> tuple[Run, SourceView]:
        """Rows of a plane of the target and of the source, as the native core takes them."""
        target = self._rows[which]
        illumination = Illumination.uniform(bias=target.mean)
        seen = SourceView(
            self._inner[which][rows],
            None,
            target.size,
            1,
            0.0,
            np.eye(3),
            illumination.factor,
            illumination.offset,
            sampled=True,
        )
        known = None if self._known is None else self._known[rows]
        return native_run(target, rows)._replace(valid=known), seen

    def _matrices(self, which: int, rows: slice, *, scale: float, step: int) -> NDArray[np.float64]:
        """(2, p, p): J_T^T W J_S and J_T^T W J_T, summed over some rows."""
        target, source = self._rows[which], self._source[which]
        (left, top), width = target.origin, target.shape[1]
        of_planes = np.arange(rows.start, rows.stop)[-rows.start % step :: step]
        here = target.part(of_planes)
        y, x = top + of_planes, np.s_[left : left + width]
        before, after = np.s_[left - 1 : left + width - 1], np.s_[left + 1 : left + width + 1]
        half = np.float32(0.5)
        of_source = (
            half * (source[y, after] - source[y, before]),
            half * (source[y + 1, x] - source[y - 1, x]),
        )
        of_target = here.gradient_x, here.gradient_y
        weight = self._inner[which][of_planes] - here.image - np.float32(target.mean)
        if self._loss.robust:
            np.square(weight / np.float32(self._loss.constant * scale), out=weight)
        self._loss.weigh(weight)
        if self._known is not None:
            weight *= self._known[of_planes]
        return np.stack(
            [
                cross_matrix(of_target, other, weight, target, self._model, of_planes)
                for other in (of_source, of_target)
            ]
        )

    def _clamped(
        self, shared: NDArray[np.float64], own: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(p, p): ``shared`` with its eigenvalues relative to ``own`` clamped from below."""
        try:
            root = np.linalg.cholesky(own)
        except np.linalg.LinAlgError:
            return own
        inverse = np.linalg.inv(root)
        shares, motions = np.linalg.eigh(inverse @ shared @ inverse.T)
        basis = root @ motions
        matrix: NDArray[np.float64] = (basis * np.maximum(shares, self._least_eigenvalue)) @ basis.T
        return matrix

    def _scale(self) -> float:
        """Standard deviation of the residuals, from a sample of the pixels with texture."""
        residuals = []
        for which, target in enumerate(self._rows):
            height, width = target.shape
            shown = RunPixels.empty(-(-height // SCALE_STEP), width)
            run, seen = self._run_and_view(which, slice(0, height))
            run_sums(run._replace(row_step=SCALE_STEP), seen, shown=shown)
            textured = shown.inside[:, ::SCALE_STEP] == TEXTURED
            residuals.append(shown.residual[:, ::SCALE_STEP][textured])
        spread = max(plane.spread for plane in self._rows)
        return max(scale_of(np.concatenate(residuals)), least_scale(spread))
