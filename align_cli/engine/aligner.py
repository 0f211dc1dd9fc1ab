"""From two images to an ``Alignment``.

An ``Aligner`` holds everything that depends on the target alone (its luma, its pyramid, its
gradients), so that many sources can be aligned to one target for little more than the cost of
the source.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Final

import numpy as np

from align_cli.engine import trust, unlike_search, verdict
from align_cli.engine.alignment import (
    Alignment,
    ModelScore,
    Outcome,
    Quality,
    Status,
    Uncertainty,
    Verdict,
)
from align_cli.engine.arrays import Image, Mask, Matrix, Plane, Vector
from align_cli.engine.bands import Bands
from align_cli.engine.coarse_to_fine import (
    FIELD_SIDE,
    Descent,
    Progress,
    TargetLevel,
    coarse_to_fine,
    level_record,
)
from align_cli.engine.coordinates import (
    Size,
    at_level,
    coarser_by,
    inverse,
    like_level,
    plausible,
)
from align_cli.engine.errors import ImageError
from align_cli.engine.judge import Judge
from align_cli.engine.limits import within_limits
from align_cli.engine.lucas_kanade import corner_step_px
from align_cli.engine.luma import LargeLuma, Luma, check_image, luma
from align_cli.engine.memory import keep_freed_memory
from align_cli.engine.mirror import allowing_flip
from align_cli.engine.model_choice import model_scores, simplest
from align_cli.engine.motion import LARGEST, MODELS, describe
from align_cli.engine.noise import believed, left_on, noise_energy, noise_level
from align_cli.engine.options import AUTO, DEFAULTS, GRADIENT, INTENSITY, PRESETS, Options
from align_cli.engine.photometry import FIELD, Light, first_guess
from align_cli.engine.place import Place
from align_cli.engine.points import PointSource, TargetPoints, points_of, target_points
from align_cli.engine.polish import polish
from align_cli.engine.pyramid import REACH, FullSize, Level, held, level_count, pyramid
from align_cli.engine.repeats import Repeat, find_repeat
from align_cli.engine.robust import LOSSES
from align_cli.engine.sampling import row_intervals
from align_cli.engine.search import Found, search
from align_cli.engine.starts import GIVEN, IDENTITY, STARTS, Views, chosen_starts
from align_cli.engine.targets import TargetPlanes, target_planes
from align_cli.engine.threads import Threads
from align_cli.engine.tiles import MOST_TILED_PIXELS, TileVotes, tile_votes
from align_cli.engine.uncertainty import uncertainty
from align_cli.engine.unlike import descend, judged
from align_cli.engine.unlike_views import View

SPARED_LEVELS: Final = 3
"""Where all levels together fail, a second attempt does without so many of the coarsest. Something
that covers a fifth of the source can lead a picture of 15x13 pixels anywhere."""

ENOUGH_PIXELS: Final = 1 << 19
"""Of larger levels about so many pixels are looked at, unless noise asks for more on the last."""

MOST_PIXELS: Final = 1 << 24
"""However large and noisy the image."""

PIXELS_FOR_NOISE: Final = 40.0
"""Pixels, times the mean squared gradient over the variance of the noise, that leave a homography
an error of 1 px. Measured: 35 to 38 on a mosaic of photographs, noise of 2 to 10 grey levels."""

ENERGY_ROWS: Final = 16
"""Rows from which the texture of a level is estimated."""

MOST_COPIED: Final = 1 << 23
"""Pixels of an image that is copied, so that its owner may change it."""

EVEN_STEP: Final = 4
EVEN_SHARE: Final = 0.6
"""Bands with less than this share of the texture, looked at in every fourth column of half
their size, are no sample of the image."""

ROWS_ASKED: Final = 64
SPANNED_SHARE: Final = 0.75
"""Of so many rows the source must reach this share, at the start, or all rows are looked at."""


def _row_energies(level: Level) -> Vector:
    """(h - 2,) squared gradient of each row but the first and the last, in every fourth column."""
    image = level.image[:, ::EVEN_STEP]
    along_x = image[1:-1, 2:] - image[1:-1, :-2]
    along_y = image[2:] - image[:-2]
    energies = np.einsum("ij,ij->i", along_x, along_x) + np.einsum("ij,ij->i", along_y, along_y)
    return np.asarray(energies, np.float64)


def _energy(level: Level, above: Vector) -> float:
    """Mean squared gradient of a level, from some of its rows and all those of the level above.

    The level above tells which rows have more of it than others.
    """
    width, height = level.size
    here = there = 0.0
    for row in range(2, height - 2, max(1, height // ENERGY_ROWS)):
        rows = level.part(np.s_[row - 1 : row + 2, 0:width])
        along_x, along_y = rows[1, 2:] - rows[1, :-2], rows[2] - rows[0]
        here += 0.25 * float(along_x @ along_x + along_y @ along_y) / width
        there += float(above[row // 2 - 1])
    return here / there * float(above.mean()) if there > 0.0 else 0.0


def _even(bands: Bands, above: Vector) -> bool:
    """Whether bands of rows of a level have their share of the texture, by the level above it."""
    rows = ((bands.y + REACH) / 2.0).astype(np.intp).clip(0, above.size - 1)
    return bool(above[rows].mean() >= EVEN_SHARE * above.mean() > 0.0)


@dataclass(frozen=True)
class _Attempt:
    descent: Descent
    quality: Quality
    uncertainty: Uncertainty | None
    outcome: Outcome
    agrees: bool

    @property
    def warp(self) -> Matrix:
        """Where it ended, target -> source."""
        return self.descent.place.warp

    @property
    def aligned(self) -> bool:
        """What the verdict says."""
        return self.outcome.aligned

    @property
    def unexplained(self) -> float:
        """How much of the target's details is neither in the source nor noise; NaN if unknown."""
        return self.quality.unexplained

    @property
    def beyond_doubt(self) -> bool:
        """Whether it is aligned, and the images agree whatever else is asked."""
        return self.outcome.aligned and self.agrees

    def better_than(self, first: _Attempt) -> bool:
        """Whether a second attempt counts: who tries twice is wrong more often."""
        if self.outcome.aligned:
            return self.agrees
        return self.outcome.doubtful and first.outcome.verdict is Verdict.FAILED


class Aligner:
    """Aligns sources to one target.

    Args:
        target: (height, width) or (height, width, channels); uint8, uint16, float32 or float64.
            It is not changed, and may be thrown away; but an integer image of more than 8 MP is
            not copied, so leave it as it is while the aligner is used.
        mask: (height, width) bool, the pixels of the target that take part; None for all.
        threads: how many to use; None for one for each core, at most 4. Does not change results.
        options: the fields of ``align_cli.engine.options.Options``, by name.

    Raises:
        ImageError: if the target cannot be aligned (shape, dtype, size, flat, nothing finite),
            or has no such channel, or the mask does not fit it or marks nothing.
        TypeError: if an option is unknown.
        ValueError: if an option has no sense; the message lists the choices.
    """

    def __init__(
        self,
        target: Image,
        *,
        mask: Mask | None = None,
        threads: int | None = None,
        **options: Any,
    ) -> None:
        chosen = Options(**options)
        plane = _seen(target, "target", mask, chosen)
        if isinstance(plane, LargeLuma) and plane.size[0] * plane.size[1] <= MOST_COPIED:
            plane = plane.copied()
        self._prepare(plane, chosen, threads)

    @classmethod
    def _of(cls, target: Luma, options: Options, threads: int | None) -> Aligner:
        aligner = cls.__new__(cls)
        aligner._prepare(target, options, threads)
        return aligner

    def _prepare(self, target: Luma, options: Options, threads: int | None) -> None:
        keep_freed_memory()
        self.options = options
        self.model = MODELS[LARGEST if options.model == AUTO else options.model]
        self.loss = LOSSES[options.loss]
        self.threads = threads
        self._target = target
        count = level_count(target.size)
        self._last = options.finest_level(target.size, range(count))
        self._levels = pyramid(target, count)
        self._noise = noise_level(target)
        self._rows: dict[int, TargetPlanes | None] = {}
        self._whole: dict[int, TargetPlanes | None] = {}
        self._chosen: dict[int, TargetPoints | None] = {}
        likely = (*range(self._last, len(self._levels)), *range(self._last))
        if not any(self._known(level) for level in likely):
            raise ImageError(
                "no pixel is far enough from those that take no part (masked, transparent, not "
                "finite) to align; let more take part",
                role="target",
            )

    def _known(self, level: int) -> bool:
        """Whether a level has an interior."""
        return isinstance(self._levels[level], FullSize) or self._points(level) is not None

    def _points(self, level: int) -> TargetPoints | None:
        """The points of a level: chosen when they are first asked for."""
        if isinstance(self._levels[level], FullSize):
            return None
        if level not in self._chosen:
            rows = self._planes(level) if level == self._last else None
            self._chosen[level] = (
                target_points(self._levels[level])
                if rows is None
                else points_of(rows, self._levels[level])
            )
        return self._chosen[level]

    def _planes(self, level: int) -> TargetPlanes | None:
        """The rows of a level that may be the last: made when they are first asked for."""
        if level not in self._rows:
            self._rows[level] = self._enough(level)
        return self._rows[level]

    def _enough(self, level: int) -> TargetPlanes | None:
        """The planes of a level that may be the last: as many rows as the noise asks for.

        All rows where the texture lies between those.
        """
        image = self._levels[level]
        planes = None
        if self._pixels(level) > ENOUGH_PIXELS and level + 1 < len(self._levels):
            above = _row_energies(self._levels[level + 1])
            planes = target_planes(image, self._needed_pixels(level, _energy(image, above)))
            if planes is not None and not planes.bands.all_rows:
                planes = planes if _even(planes.bands, above) else None
        planes = target_planes(image) if planes is None else planes
        return believed(planes, self._noise) if planes is not None and level == 0 else planes

    def _needed_pixels(self, level: int, energy: float) -> int:
        """Pixels of a level that the noise asks for, ``energy`` being its mean squared gradient."""
        # Smoothing spreads the noise over pixels and takes away none of its lowest frequencies.
        variance = (self._noise * 0.5**level) ** 2
        # Half of what seems to be texture may be noise; more is not believed.
        tiny = float(np.finfo(np.float64).tiny)
        signal = max(energy - noise_energy(level, self._noise), 0.5 * energy, tiny)
        wanted_px = PRESETS[self.options.preset].certain_px * 0.5**level
        needed = min(PIXELS_FOR_NOISE * variance / signal / wanted_px**2, MOST_PIXELS)
        return max(ENOUGH_PIXELS, math.ceil(needed))

    @property
    def target_size(self) -> Size:
        """(width, height) of the target in pixels."""
        return self._target.size

    def align(
        self,
        source: Image,
        *,
        mask: Mask | None = None,
        init: str | Matrix = AUTO,
        allow_flip: bool = False,
        progress: Progress | None = None,
    ) -> Alignment:
        """Align one source to the target.

        Args:
            source: like the target; size, dtype and channels may differ.
            mask: (height, width) bool, the pixels of the source that take part; None for all.
            init: "auto", the name of a start ("identity", "translation", "fourier",
                "features"), or (3, 3) ``source_to_target`` to start from.
            allow_flip: try the source's mirror image too, where the source cannot be aligned.
            progress: called with each level's record when it is finished.

        Returns:
            The alignment, whatever its outcome: check ``outcome.aligned``.

        Raises:
            ImageError: if the source cannot be aligned, its mask does not fit it or marks
                nothing, or ``init`` is no transform.
        """
        if allow_flip:
            check_image(source, "source")
            return allowing_flip(
                lambda image, seen, start: self.align(
                    image, mask=seen, init=start, progress=progress
                ),
                source,
                mask,
                init,
            )
        if self.options.similarity != INTENSITY:
            return self._unlike(source, mask, init, progress)
        if self.options.model == AUTO:
            return self._simplest(source, mask, init, progress)
        plane = _seen(source, "source", mask, self.options)
        starts, begin = chosen_starts(init, self.model, self.target_size)
        with Threads(self.threads) as threads:
            count = min(level_count(plane.size), len(self._levels))
            levels = pyramid(plane, count)
            judge = self._judge(plane, levels)
            start, attempt = self._found(plane, levels, judge, starts, begin, threads, progress)
            descent, place = attempt.descent, attempt.descent.place
        gain, bias = self._full_scale_light(plane, place.light)
        source_to_target = inverse(place.warp)
        parameters = describe(source_to_target, self.model, plane.size)
        outcome = within_limits(attempt.outcome, self.options, parameters, attempt.quality)
        return Alignment(
            model=self.model.name,
            source_to_target=source_to_target,
            target_to_source=place.warp,
            parameters=parameters,
            outcome=outcome,
            quality=attempt.quality,
            uncertainty=attempt.uncertainty if outcome.aligned or outcome.doubtful else None,
            gain=gain,
            bias=bias,
            levels=descent.records,
            start=start,
            source_size=plane.size,
            target_size=self.target_size,
        )

    def _unlike(
        self,
        source: Image,
        mask: Mask | None,
        init: str | Matrix,
        progress: Progress | None,
    ) -> Alignment:
        """Align by the orientation of edges; with "auto", where grey values lead to nothing."""
        by_intensity = None
        if self.options.similarity == AUTO:
            by_intensity = self._with(similarity=INTENSITY).align(
                source, mask=mask, init=init, progress=progress
            )
            if by_intensity.outcome.aligned:
                return by_intensity
        plane = _seen(source, "source", mask, self.options)
        levels = pyramid(plane, min(level_count(plane.size), len(self._levels)))
        starts, begin = chosen_starts(init, self.model, self.target_size)
        moving, still = View(plane, levels), self._view
        with Threads(self.threads) as threads:
            solve = partial(
                descend, model=self.model, loss=self.loss, options=self.options, threads=threads
            )

            def attempt(start: str, warp: Matrix) -> unlike_search.Attempt:
                rest = solve(moving, still, warp, progress=progress)
                judgement = judged(
                    moving,
                    still,
                    begin,
                    rest,
                    lambda: solve(still, moving, inverse(warp)),
                    model=self.model,
                    start_given=start == GIVEN,
                    repeat=self._repeat or still.repeat,
                )
                return unlike_search.Attempt(start, rest, *judgement)

            found = unlike_search.found(
                moving,
                still,
                starts,
                begin,
                model=self.model,
                attempt=attempt,
                coarsely=lambda warp, level: solve(moving, still, warp, finest=level),
            )
        rest, quality, outcome = found.rest, found.quality, found.outcome
        if by_intensity is not None and outcome.verdict is Verdict.FAILED:
            return by_intensity
        source_to_target = inverse(rest.warp)
        parameters = describe(source_to_target, self.model, plane.size)
        outcome = within_limits(outcome, self.options, parameters, quality)
        return Alignment(
            model=self.model.name,
            source_to_target=source_to_target,
            target_to_source=rest.warp,
            parameters=parameters,
            outcome=outcome,
            quality=quality,
            uncertainty=found.uncertainty if outcome.aligned or outcome.doubtful else None,
            gain=math.nan,
            bias=math.nan,
            levels=rest.records,
            start=found.start,
            source_size=plane.size,
            target_size=self.target_size,
            similarity=GRADIENT,
        )

    def _found(
        self,
        source: Luma,
        levels: Sequence[Level],
        judge: Judge,
        starts: Sequence[str],
        begin: Matrix,
        threads: Threads,
        progress: Progress | None,
    ) -> tuple[str, _Attempt]:
        """The start that did best, and its attempt.

        ``begin`` is where the first attempt begins, if any comes before the search.
        """
        first = None
        if starts[0] in (IDENTITY, GIVEN):
            given = len(starts) == 1
            attempt = self._from(source, levels, begin, given, threads, progress)
            if given:
                return starts[0], attempt
            if attempt.beyond_doubt and judge.convinced(attempt.warp, attempt.quality.unexplained):
                return IDENTITY, attempt
            first = Found(attempt, IDENTITY, judge.compared(attempt.warp))
        views = Views(levels, self._levels, self.model)
        found = search(
            first,
            [name for name in starts if name != IDENTITY],
            guesses=lambda name: STARTS[name](views),
            judge=judge,
            attempt=lambda judged: self._attempt(
                source, levels, judged.used, judged.warp, False, threads, progress, before=begin
            ),
        )
        if found is None:
            return IDENTITY, self._from(source, levels, begin, False, threads, progress)
        return found.start, found.attempt

    def _judge(self, source: Luma, levels: Sequence[Level]) -> Judge:
        """Who compares the source with the target on coarse levels."""
        return Judge(
            self._levels,
            levels,
            self._points,
            model=self.model,
            loss=self.loss,
            photometric=self.options.photometric,
            as_it_is=self._light_as_it_is(source),
            noise=(noise_level(source), self._noise),
        )

    def _from(
        self,
        source: Luma,
        levels: Sequence[Level],
        start: Matrix,
        given: bool,
        threads: Threads,
        progress: Progress | None,
    ) -> _Attempt:
        """Align from ``start`` with all levels; where that fails, without the coarsest."""
        attempt = self._attempt(source, levels, len(levels), start, given, threads, progress)
        if self._led_astray(attempt, levels):
            finer = len(levels) - SPARED_LEVELS
            second = self._attempt(source, levels, finer, start, given, threads, progress)
            attempt = second if second.better_than(attempt) else attempt
        return attempt

    def _simplest(
        self, source: Image, mask: Mask | None, init: str | Matrix, progress: Progress | None
    ) -> Alignment:
        """Align by the simplest model that explains the images."""
        largest = self._with_model(LARGEST).align(source, mask=mask, init=init, progress=progress)
        if largest.outcome.verdict is Verdict.FAILED:
            # Too little texture for so many parameters may be enough for fewer.
            for name in tuple(MODELS)[-2::-1]:
                found = self._with_model(name).align(source, mask=mask, init=init)
                if found.outcome.aligned:
                    return found
            return largest
        plane = _seen(source, "source", mask, self.options)
        scores = self._model_scores(plane, largest.target_to_source)
        name = simplest(scores) if scores else LARGEST
        found = largest
        if name != LARGEST:
            simpler = self._with_model(name).align(source, mask=mask, init=init)
            doubts = simpler.outcome.doubtful and not largest.outcome.aligned
            if simpler.outcome.aligned or doubts:
                found = simpler
        return replace(found, model_scores=scores)

    def _with_model(self, name: str) -> Aligner:
        """The same aligner for one model: what it holds of the target serves them all."""
        other = self._with(model=name)
        other.model = MODELS[name]
        return other

    def _with(self, **options: Any) -> Aligner:
        """The same aligner with other options that leave what it holds of the target as it is."""
        other = copy(self)
        other.options = replace(self.options, **options)
        return other

    def _model_scores(self, source: Luma, warp: Matrix) -> tuple[ModelScore, ...]:
        """On the finest level that is seen at points; none where there is no such level."""
        count = min(level_count(source.size), len(self._levels))
        levels = pyramid(source, count)
        for level in range(count):
            points = self._points(level)
            if points is not None:
                light = self._first_light(source, levels, warp)
                noise = math.hypot(self._noise, noise_level(source) * light.factor[0])
                varies = self.options.photometric and min(points.size) >= FIELD_SIDE
                # Where something covers a part, a light that may vary may run away.
                for terms in (FIELD,) * varies + (int(self.options.photometric),):
                    scores = model_scores(
                        points,
                        PointSource(levels[level]),
                        Place(warp, light).at_level(level),
                        noise * left_on(level),
                        light_terms=terms,
                    )
                    if scores:
                        return scores
        return ()

    def _led_astray(self, attempt: _Attempt, levels: Sequence[Level]) -> bool:
        """True where a second attempt that begins on a finer level may do better.

        Not where the picture does not fix the model, or repeats itself: on fewer pixels that would
        only be overlooked.
        """
        settled = attempt.outcome.status in (
            Status.CONVERGED,
            Status.SINGULAR,
            Status.AMBIGUOUS,
        )
        enough = len(levels) > SPARED_LEVELS + 1
        return self.options.levels is None and enough and not settled

    def _attempt(
        self,
        source: Luma,
        levels: Sequence[Level],
        used: int,
        start: Matrix,
        given: bool,
        threads: Threads,
        progress: Progress | None,
        *,
        before: Matrix | None = None,
    ) -> _Attempt:
        """Align on the ``used`` finest levels from ``start``, the warp target -> source.

        ``before`` is the warp that the answer must be better than; None for the start.
        ``given`` says whether somebody gave the start.
        """
        before = start if before is None else before
        descent = self._descend(source, levels[:used], start, threads, progress)
        if self.options.polish:
            descent = self._polished(source, descent, threads, progress)
        place, last = descent.place, descent.records[-1]
        quality = trust.measure(
            source,
            self._target,
            before,
            place.warp,
            detail=self._detail_zncc(levels, place.warp),
            texture=self._shared_texture(levels, place),
            unexplained=self._unexplained(source, levels, place),
        )
        uncertain = None
        evidence = verdict.Evidence(
            status=last.status,
            moved_px=corner_step_px(inverse(before) @ place.warp, self.target_size),
            start_given=given,
        )
        if last.status is Status.CONVERGED:
            uncertain = uncertainty(descent.solved, self.target_size, source.size)
            evidence = replace(
                evidence,
                uncertainty_px=None if uncertain is None else uncertain.mean_px,
                repeat=self._repeat,
                folded=not plausible(inverse(place.warp), source.size),
            )
        if verdict.asks_tiles(evidence, quality):
            evidence = replace(evidence, tiles=self._tile_votes(source, levels, place))
        if verdict.asks_way_back(evidence, quality):
            loop_px = self._loop_px(source, start, place.warp, used, threads)
            evidence = replace(evidence, loop_px=loop_px)
        outcome = verdict.outcome(evidence, quality, last, model=self.model.name)
        agrees = verdict.beyond_doubt(evidence, quality)
        return _Attempt(descent, quality, uncertain, outcome, agrees)

    def _descend(
        self,
        source: Luma,
        levels: Sequence[Level],
        start: Matrix,
        threads: Threads,
        progress: Progress | None = None,
    ) -> Descent:
        """Solve every level from ``start``, the warp target -> source."""
        if self.options.levels is not None:
            levels = levels[: self.options.levels]
        sizes = zip(self.target_size, source.size, strict=True)
        width, height = (min(both) for both in sizes)
        finest = self.options.finest_level((width, height), range(len(levels)))
        known = [n for n in range(len(levels)) if self._known(n)]
        if not known:
            raise ImageError("the levels that were asked for have no interior", role="target")
        last = next((n for n in known if n >= finest), known[0])
        rows = (self._planes if self._spans(source, start) else self._all_rows)(last)
        targets = [
            TargetLevel(n, self._levels[n].size, self._points(n), rows if n == last else None)
            for n in reversed(known)
            if n >= last
        ]
        return coarse_to_fine(
            targets,
            levels,
            source,
            Place(start, self._first_light(source, levels, start)),
            model=self.model,
            loss=self.loss,
            options=self.options,
            unit=self._target.scale,
            threads=threads,
            progress=progress,
        )

    def _spans(self, source: Luma, start: Matrix) -> bool:
        """Whether the source reaches most of the target's rows: else it may lie between bands."""
        width, height = self.target_size
        rows = np.linspace(0.0, height - 1.0, ROWS_ASKED)
        first, end = row_intervals(start, rows, width, source.size, 0.0)
        return float((end > first).mean()) >= SPANNED_SHARE

    def _polished(
        self, source: Luma, descent: Descent, threads: Threads, progress: Progress | None
    ) -> Descent:
        """A descent that came to rest, polished at full size; any other as it is."""
        if descent.records[-1].status is not Status.CONVERGED:
            return descent
        solved = polish(
            self._target,
            source,
            descent.place,
            descent.solved.settings,
            tolerance_px=self.options.tolerance_px,
            threads=threads,
        )
        if solved is None:
            return descent
        result = solved.result
        record = level_record(0, self.target_size, result, result.iterations, self._target.scale)
        if progress is not None:
            progress(record)
        return Descent(solved.result.place, (*descent.records, record), solved)

    def _loop_px(
        self, source: Luma, start: Matrix, warp: Matrix, used: int, threads: Threads
    ) -> float:
        """How far the corners end from where they were, there and back, in target pixels.

        Back is an alignment of its own, of the target to the source, from the same start. Only
        where that comes to no rest does it begin at the answer, and must then stay there.
        """
        try:
            backward = Aligner._of(source, self.options, self.threads)
        except ImageError:  # so full of holes that it cannot be a target
            return math.inf
        levels = self._levels[: min(used, len(backward._levels))]
        for begin in (start, warp):
            back = backward._descend(self._target, levels, inverse(begin), threads)
            if back.records[-1].status is Status.CONVERGED:
                return corner_step_px(back.place.warp @ warp, self.target_size)
        return math.inf

    def _first_light(self, source: Luma, levels: Sequence[Level], warp: Matrix) -> Light:
        """The light to begin with: on the coarsest level that has an interior, or as it is."""
        as_it_is = self._light_as_it_is(source)
        if not self.options.photometric:
            return as_it_is
        for level in reversed(range(len(levels))):
            points = self._points(level)
            if points is not None:
                there = at_level(warp, level)
                values = PointSource(levels[level]).beside(points, there, ranked=False)
                return first_guess(*values) if values[0].size else as_it_is
        return as_it_is

    def _light_as_it_is(self, source: Luma) -> Light:
        """No change of light, in the units of both planes."""
        # Images of floating point had their mean and spread taken out, each its own.
        return Light.uniform(
            self._target.scale / source.scale, (self._target.offset - source.offset) / source.scale
        )

    def _full_scale_light(self, source: Luma, light: Light) -> tuple[float, float]:
        """Gain and bias at the centre of the target, from the units of the planes."""
        gain = light.gain * source.scale / self._target.scale
        bias = source.offset + source.scale * light.bias - gain * self._target.offset
        return gain, bias

    def _detail_zncc(self, levels: Sequence[Level], warp: Matrix) -> float:
        coarsest = len(self._levels) - 1
        level = min(trust.DETAIL_LEVEL, coarsest)
        while level < coarsest and self._pixels(level) > trust.MOST_EXPLAINED_PIXELS:
            level += 1
        of_source, there = self._like_level(levels, warp, level)
        return trust.detail_zncc(levels[of_source], self._levels[level], there)

    def _like_level(self, levels: Sequence[Level], warp: Matrix, level: int) -> tuple[int, Matrix]:
        """The source's level that shows as much as a level of the target, and the warp to it."""
        return like_level(warp, level, self.target_size, held(levels))

    def _shared_texture(self, levels: Sequence[Level], place: Place) -> float:
        """The best of the levels that are compared, coarsest first, until one is beyond doubt."""
        best = math.nan
        last = len(self._levels) - 1
        coarsest = min(trust.COARSEST_TEXTURE, last)
        while coarsest < last and self._pixels(coarsest) > trust.MOST_COMPARED_PIXELS:
            coarsest += 1
        for level in range(coarsest, 0, -1) or (0,):
            planes = self._all_rows(level)
            if planes is not None:
                of_source, warp = self._like_level(levels, place.warp, level)
                at_this = Place(warp, place.light)
                share = trust.shared_texture(
                    levels[of_source], self._levels[level], planes, at_this, self.model
                )
                best = share if math.isnan(best) else max(best, share)
            if best >= verdict.CLEAR_TEXTURE:
                break
        return best

    def _all_rows(self, level: int) -> TargetPlanes | None:
        """The target's planes of a level, none of its rows left out."""
        planes = self._rows.get(level)
        if planes is not None and planes.bands.all_rows:
            return planes
        if level not in self._whole:
            whole = target_planes(self._levels[level])
            if whole is not None and level == 0:
                whole = believed(whole, self._noise)
            self._whole[level] = whole
        return self._whole[level]

    def _pixels(self, level: int) -> int:
        """Pixels of a level of the target."""
        return math.prod(self._levels[level].size)

    @cached_property
    def _view(self) -> View:
        """The target as it is held against unlike images."""
        return View(self._target, self._levels)

    @cached_property
    def _repeat(self) -> Repeat | None:
        return find_repeat(self._levels, self._noise)

    def _tile_votes(self, source: Luma, levels: Sequence[Level], place: Place) -> TileVotes:
        """Of the finest level on which enough of them have texture, or that with the most."""
        noise = max(self._noise, noise_level(source) * abs(place.light.factor[0]))
        most = TileVotes(0, 0.0, 0.0)
        for level in range(len(levels)):
            if self._pixels(level) <= MOST_TILED_PIXELS:
                of_source, there = self._like_level(levels, place.warp, level)
                votes = tile_votes(
                    levels[of_source], self._levels[level], there, noise * left_on(level)
                )
                most = votes if votes.votes > most.votes else most
                if most.votes >= verdict.FEWEST_VOTES:
                    break
        return most

    def _unexplained(self, source: Luma, levels: Sequence[Level], place: Place) -> float:
        """Of the finest level that tells it."""
        noise = noise_level(source), self._noise
        # A source of larger pixels cannot show the target's finest details.
        coarser = max(0, coarser_by(place.warp, self.target_size))
        finest = min(trust.FINEST_EXPLAINED + coarser, len(levels) - 1)
        for level in range(finest, len(levels)):
            if self._pixels(level) > trust.MOST_EXPLAINED_PIXELS:
                continue
            planes = self._all_rows(level)
            if planes is None:
                continue
            of_source, warp = self._like_level(levels, place.warp, level)
            unexplained = trust.unexplained(
                levels[of_source],
                self._levels[level],
                planes,
                Place(warp, place.light),
                noise=(noise[0] * left_on(of_source), noise[1] * left_on(level)),
            )
            if not math.isnan(unexplained):
                return unexplained
        return math.nan


def _seen(image: Image, role: str, mask: Mask | None, options: Options) -> Luma:
    """An image as the options see it."""
    return luma(image, role, mask=mask, channel=options.channel, ignore_alpha=options.ignore_alpha)


def residual(
    source: Image,
    target: Image,
    alignment: Alignment,
    *,
    source_mask: Mask | None = None,
    target_mask: Mask | None = None,
    options: Options = DEFAULTS,
) -> tuple[Plane, Mask]:
    """``warped - target`` of the lumas, or of the channel that was aligned, where it is defined.

    Args:
        source: as it was aligned.
        target: the same.
        alignment: how.
        source_mask: (height, width) bool, the pixels of the source that take part; None for all.
        target_mask: the same of the target.
        options: those of the alignment; of them only what is seen of the images counts here.

    Returns:
        (height, width) float32 in units of full scale, 0 outside the overlap, and
        (height, width) bool, the overlap; both on the target's grid.
    """
    return trust.residual_image(
        _seen(source, "source", source_mask, options),
        _seen(target, "target", target_mask, options),
        alignment.target_to_source,
    )


def align(
    source: Image,
    target: Image,
    *,
    model: str = DEFAULTS.model,
    preset: str = DEFAULTS.preset,
    loss: str = DEFAULTS.loss,
    photometric: bool = DEFAULTS.photometric,
    similarity: str = DEFAULTS.similarity,
    levels: int | None = DEFAULTS.levels,
    max_iterations: int = DEFAULTS.max_iterations,
    tolerance: float | None = DEFAULTS.tolerance,
    source_mask: Mask | None = None,
    target_mask: Mask | None = None,
    channel: str | int = DEFAULTS.channel,
    ignore_alpha: bool = DEFAULTS.ignore_alpha,
    init: str | Matrix = AUTO,
    allow_flip: bool = False,
    threads: int | None = None,
    **limits: float | None,
) -> Alignment:
    """Find the transform that lays ``source`` over ``target``.

    Args:
        source: the image that moves, (height, width) or (height, width, channels); uint8,
            uint16, float32 or float64. Neither image is changed.
        target: the image that stays; size, dtype and channels may differ from the source's.
        model: "translation", "rigid", "similarity", "affine" or "homography"; or "auto", the
            simplest that explains the images.
        preset: "fast", "balanced" or "precise".
        loss: "tukey", "huber", "lorentzian", "geman-mcclure" or "l2".
        photometric: solve for gain and bias too.
        similarity: what is compared: "intensity", grey values; "gradient", the orientation of
            edges, blind to their sign and contrast; "auto", the second where the first fails.
        levels: number of pyramid levels; None for as many as both images carry.
        max_iterations: limit for each level.
        tolerance: converged when the next step would move no corner by more, in pixels; None for
            the preset's.
        source_mask: (height, width) bool, the pixels of the source that take part; None for all.
            What it holds elsewhere changes nothing.
        target_mask: the same of the target.
        channel: what both images are seen by: "luma", "all" (the mean of all channels), or the
            number of one channel from 0.
        ignore_alpha: whether transparent pixels take part too.
        init: "auto", the name of a start ("identity", "translation", "fourier", "features"), or
            (3, 3) ``source_to_target`` to start from.
        allow_flip: try the source's mirror image too, where the source cannot be aligned.
        threads: how many to use; None for one for each core, at most 4. Does not change results.
        limits: what the result is held to, by name: max_shift (pixels), max_rotation (degrees),
            max_scale (a factor), max_shear, min_overlap (a share), min_score (a ZNCC).

    Returns:
        The alignment, whatever its outcome: check ``outcome.aligned``.

    Raises:
        ImageError: if an image cannot be aligned or has no such channel, a mask does not fit its
            image or marks nothing, or ``init`` is no transform.
        TypeError: if a limit is unknown.
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
    options = Options(
        model=model,
        preset=preset,
        loss=loss,
        photometric=photometric,
        similarity=similarity,
        levels=levels,
        max_iterations=max_iterations,
        tolerance=tolerance,
        channel=channel,
        ignore_alpha=ignore_alpha,
        **limits,
    )
    # Nobody changes the target meanwhile: it need not be copied.
    aligner = Aligner._of(_seen(target, "target", target_mask, options), options, threads)
    return aligner.align(source, mask=source_mask, init=init, allow_flip=allow_flip)
