"""The verdict: all evidence held against each other, and put into words.

What is cheap is measured for every pair (``agreement``, ``level_evidence``, ``uncertainty``,
``repeats``). Where that leaves no doubt, nothing more is asked. Else the tiles are, and where they
do not settle it either, the way back, aligned by itself. An answer against which something speaks
is failed, or doubtful where the tiles are for it all the same; unless it explains most of the
target's texture by itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from align_cli.engine.alignment import LevelRecord, Outcome, Quality, Status, Verdict
from align_cli.engine.options import MODEL_NAMES
from align_cli.engine.repeats import Repeat
from align_cli.engine.tiles import TileVotes

CLEAR_DETAIL_ZNCC: Final = 0.9
CLEAR_TEXTURE: Final = 0.6
CLEAR_UNEXPLAINED: Final = 0.25
"""Where textures and details agree at least so well, and no more is unexplained, an alignment needs
no second opinion."""

LEAST_TEXTURE: Final = 0.4
"""Below this share of common texture the picture does not fix every parameter. Measured: stripes
with noise reach 0.31, a photograph of mostly sky 0.82, a change of viewpoint 0.69."""

NO_TEXTURE: Final = 0.1
"""Below this it fixes some not at all, whatever else agrees."""

LEAST_DETAIL_ZNCC: Final = 0.5
"""Below this the images do not show the same thing. Measured on 400x300 photographs with noise of
5 to 30 grey levels: every aligned pair reached 0.51; the best of the runs that came to rest on
pairs of different photographs 0.30."""

LARGEST_UNEXPLAINED: Final = 0.55
"""Where more of the details' amplitude than this is neither in both images nor noise, they do not
lie on one another. Measured: right answers reach 0.45 (a fifth covered, clipped highlights), the
runs that came to rest where only the coarse shapes agree began at 0.63."""

STOOD_STILL_PX: Final = 1.0
WORSE_BY: Final = 0.01
"""Where no corner left its start by as much as ``STOOD_STILL_PX``, a ZNCC lower than the start's by
up to this is no failure."""

REFUTABLE: Final = 0.02
"""A larger loss than this is an objection that tiles do not refute: what covers a part of the
source may be a part of the same scene, and fit elsewhere."""

FEWEST_VOTES: Final = 12
"""Fewer tiles say nothing."""

MOST_AT_HOME: Final = 0.5
AHEAD: Final = 0.35
"""From the first share at home on, and as many more than elsewhere as the second, tiles settle it.
Measured: right answers have 0.51 at home (a third covered) and are ahead by 0.34 at least; of wrong
ones, but for stripes and where the texture leaves a part of the image open, 1 in 100 reach 0.5."""

LEAST_AHEAD: Final = 0.25
"""Tiles that are ahead by less are an objection, though nothing else may be; where texture and
details are clear, this much settles it."""

SOME_AT_HOME: Final = 0.35
SOME_AHEAD: Final = 0.1
"""With at least so many at home, and so many more than elsewhere, an answer is doubtful, not
failed. Pages of different text reach 0.51 at home, 0.04 ahead: their lines lie on one another."""

MILD_TEXTURE: Final = 0.3
MILD_DETAIL_ZNCC: Final = 0.4
"""Where noise leaves the tiles nothing to say, an answer with at least so much is doubtful too, not
failed."""

LARGEST_LOOP_PX: Final = 3.0
"""There and back, the corners must end this near to where they were. Where two different things
happened to agree one way, they do not agree in the same place the other way."""

LARGEST_UNCERTAINTY_PX: Final = 0.3
CLOSED_LOOP_PX: Final = 1.0
LARGEST_EXCUSED_PX: Final = 4.0
"""An answer whose own uncertainty (standard deviation, mean over the target) is larger than the
first is doubtful, unless the way back ends so near to where it began; beyond the third a closed
loop is chance. Measured on 2250 pairs: of those with less, all that were called aligned were right
to 1 px; of 31 with more, 7 were not, and only one of these closed its loop, at 19 px."""

MOST_EXPLAINED: Final = 0.5
SOME_EXPLAINED: Final = 0.3
"""An answer that explains so much of the target's texture to within the noise and a fraction of a
pixel (``align_cli.engine.majority``) is right, whatever the images as a whole agree in: nothing
else can explain as much. With the second it is doubtful at least. Measured where the uncertainty is
small: right answers that other evidence left in doubt reach 0.5 to 0.9, wrong ones 0.18."""

LARGEST_UNLIKE_PX: Final = 0.4
"""The same between orientations of edges, whatever the way back says: where the same edges are
mistaken for others both ways, it closes. Half a pixel is what is promised there, and this
uncertainty is right to a fifth (``benchmarks.unlike``)."""

LOOSE_UNEXPLAINED: Final = 0.2
"""Between two motions there is one that fits neither and half of both. An answer that is more
uncertain than ``LARGEST_UNCERTAINTY_PX`` is not clear, and doubtful where more than this is
unexplained: not noise leaves it loose, then. Measured with 30 and 40 % of photographs moving by
themselves: right answers reach 0.13 px; of five between two motions three were above 0.4, with 0.24
to 0.5 unexplained. With 0.15 px, 4.5 % of right answers, mostly in blur or noise, were
doubtful."""

SHARE_OF_REPEAT: Final = 0.4
"""Where a target repeats itself, only a start that was given tells which answer was meant: the one
nearest to it, no corner further than this share of the repeat. Half of it is half way to the
next."""

UNLIKE: Final = "they may not show the same thing, or start too far apart for this solver"

_ADVICE: Final = "give a start nearer to the answer, or another motion model"

_SENTENCES: Final = {
    Status.ITERATION_LIMIT: (
        f"the images do not come to rest on one another; {UNLIKE} (the last level still moved by "
        "{step:.3g} px a step when its iterations were used up): give a start nearer to the "
        "answer, a simpler motion model, or more iterations"
    ),
    Status.SINGULAR: (
        "what the source covers of the target ({overlap:.0%}) has too little texture to fix every "
        "parameter of the {model} model: try {simpler}a start nearer to the answer, or pictures "
        "with more texture"
    ),
    Status.DIVERGED: (
        f"the solver ran away from every sensible transform; {UNLIKE}: give a start nearer to the "
        "answer, or a simpler motion model"
    ),
    Status.TOO_LITTLE_OVERLAP: (
        "the source covers too little of the target ({overlap:.0%}): "
        "give a start nearer to the answer, or a simpler motion model"
    ),
}
"""For people, where the solver itself found no answer."""

_CIRCLES: Final = (
    "the images may be aligned, but they do not come to rest (the last level still moved by "
    "{step:.3g} px a step when its iterations were used up): look at the result before you use it, "
    "or give a simpler motion model, or more iterations"
)


@dataclass(frozen=True)
class Evidence:
    """What speaks for or against an alignment besides its quality.

    Attributes:
        status: how the last level ended.
        moved_px: how far the corners went from the start.
        start_given: whether somebody gave the start.
        uncertainty_px: predicted from the residuals, mean over the target; None where there is too
            little to tell.
        repeat: the shortest shift under which the target looks like itself; None for none.
        folded: whether the transform mirrors a part of the source, or its horizon crosses it.
        tiles: what the target's tiles say; None where nobody asked.
        loop_px: how far the corners end from where they were after aligning there and back, each by
            itself; None where nobody asked.
        unlike: whether the images were compared by the orientation of their edges.
        rivalled: whether another motion may fit a part of the images; False where most tiles agree
            and it was looked for in vain.
        explained: the share of the target's texture that the answer explains strictly; None where
            nobody asked, or too little texture stands out of the noise.
    """

    status: Status
    moved_px: float
    start_given: bool = False
    uncertainty_px: float | None = None
    repeat: Repeat | None = None
    folded: bool = False
    tiles: TileVotes | None = None
    loop_px: float | None = None
    unlike: bool = False
    rivalled: bool = True
    explained: float | None = None


@dataclass(frozen=True)
class Objection:
    """What speaks against an answer.

    Attributes:
        status: its kind.
        words: with what was measured and what is needed.
        of_agreement: whether it says that the images do not agree, which tiles may refute.
        mild: whether it alone is no proof.
    """

    status: Status
    words: str
    of_agreement: bool = True
    mild: bool = False


def asks_tiles(evidence: Evidence, quality: Quality) -> bool:
    """True where the tiles of the target should be asked."""
    return evidence.status is Status.CONVERGED and not clear(evidence, quality)


def asks_way_back(evidence: Evidence, quality: Quality) -> bool:
    """True where it should be aligned the other way.

    Nothing is clear and nothing is against it; or it is, but how exactly it is fixed is in doubt.
    """
    if evidence.status is not Status.CONVERGED:
        return False
    if beyond_doubt(evidence, quality):
        return _uncertain(evidence)
    return not objections(evidence, quality)


def asks_explained(evidence: Evidence) -> bool:
    """True where it should be asked how much of the texture an answer in doubt explains.

    Of one that is loose it says nothing: stripes are explained wherever they lie.
    """
    uncertainty = evidence.uncertainty_px
    return (
        evidence.status is Status.CONVERGED
        and uncertainty is not None
        and uncertainty <= LARGEST_UNCERTAINTY_PX
    )


def clear(evidence: Evidence, quality: Quality) -> bool:
    """True where textures and details agree beyond doubt, and what is left leaves nothing loose."""
    return (
        improved(quality, evidence.moved_px)
        and not _loose(evidence)
        and quality.shared_texture >= CLEAR_TEXTURE
        and quality.detail_zncc >= CLEAR_DETAIL_ZNCC
        and quality.unexplained <= CLEAR_UNEXPLAINED
    )


def _loose(evidence: Evidence) -> bool:
    uncertainty = evidence.uncertainty_px
    return evidence.rivalled and uncertainty is not None and uncertainty > LARGEST_UNCERTAINTY_PX


def beyond_doubt(evidence: Evidence, quality: Quality) -> bool:
    """True where the images agree, whatever else speaks against an answer."""
    return evidence.status is Status.CONVERGED and (
        clear(evidence, quality) or _settled(evidence, quality) or _explains_most(evidence)
    )


def _explains(evidence: Evidence, share: float) -> bool:
    explained = evidence.explained
    return explained is not None and explained >= share


def _explains_most(evidence: Evidence) -> bool:
    return _explains(evidence, MOST_EXPLAINED)


def improved(quality: Quality, moved_px: float) -> bool:
    """True where the images agree more than at the start, or still do where that was the answer.

    Args:
        quality: what was measured.
        moved_px: how far the corners went from the start. Where the start was right to a pixel
            already, robust weights may give up a little correlation.
    """
    before, after = quality.before.zncc, quality.after.zncc
    slack = WORSE_BY if moved_px < STOOD_STILL_PX else 0.0
    return after > 0.0 and not after < before - slack


def _known(tiles: TileVotes | None) -> TileVotes | None:
    """What the tiles say, if they are enough to say anything."""
    return tiles if tiles is not None and tiles.votes >= FEWEST_VOTES else None


def _settled(evidence: Evidence, quality: Quality) -> bool:
    """Whether the tiles settle it; fewer need to where the details are explained."""
    known = _known(evidence.tiles)
    explained = quality.shared_texture >= CLEAR_TEXTURE and quality.unexplained <= CLEAR_UNEXPLAINED
    ahead = LEAST_AHEAD if explained else AHEAD
    return (
        known is not None
        and known.at_home >= MOST_AT_HOME
        and known.at_home - known.elsewhere >= ahead
    )


def _for_it(tiles: TileVotes | None) -> bool:
    known = _known(tiles)
    return (
        known is not None
        and known.at_home >= SOME_AT_HOME
        and known.at_home - known.elsewhere >= SOME_AHEAD
    )


def _uncertain(evidence: Evidence) -> bool:
    """Whether the texture may not fix the transform."""
    uncertainty, loop = evidence.uncertainty_px, evidence.loop_px
    if uncertainty is None or uncertainty <= _allowed_px(evidence):
        return False
    closed = loop is not None and loop <= CLOSED_LOOP_PX and uncertainty <= LARGEST_EXCUSED_PX
    return not closed or evidence.unlike


def _allowed_px(evidence: Evidence) -> float:
    return LARGEST_UNLIKE_PX if evidence.unlike else LARGEST_UNCERTAINTY_PX


def objections(evidence: Evidence, quality: Quality) -> list[Objection]:
    """All that speaks against an answer at which the solver came to rest, the gravest first."""
    found = []

    def objects(holds: bool, status: Status, words: str, **kind: bool) -> None:
        if holds:
            found.append(Objection(status, words, **kind))

    before, after, tiles = quality.before.zncc, quality.after.zncc, _known(evidence.tiles)
    objects(
        not improved(quality, evidence.moved_px),
        Status.NOT_IMPROVED,
        "the images agree no better than at the start "
        f"(ZNCC {before:.3f} before, {_measured(after)} after)",
        of_agreement=after >= before - REFUTABLE,
    )
    objects(
        not quality.detail_zncc >= LEAST_DETAIL_ZNCC,
        Status.NO_AGREEMENT,
        f"the images do not agree in their details (ZNCC {_measured(quality.detail_zncc)}, "
        f"{LEAST_DETAIL_ZNCC:g} needed)",
        mild=quality.detail_zncc >= MILD_DETAIL_ZNCC,
    )
    objects(
        # What hides the texture from one image fixes nothing, but the rest may fix all.
        quality.shared_texture < LEAST_TEXTURE and not _explains_most(evidence),
        Status.SINGULAR,
        "the images share too little texture to fix every parameter "
        f"({quality.shared_texture:.2f}, {LEAST_TEXTURE:g} needed)",
        of_agreement=False,
        mild=quality.shared_texture >= MILD_TEXTURE,
    )
    objects(
        quality.unexplained > LARGEST_UNEXPLAINED,
        Status.NO_AGREEMENT,
        "the target has details that are neither in the source nor noise (unexplained "
        f"{quality.unexplained:.2f}, {LARGEST_UNEXPLAINED:g} allowed)",
    )
    if tiles is not None:
        objects(
            not (_for_it(tiles) and tiles.at_home - tiles.elsewhere >= LEAST_AHEAD),
            Status.NO_AGREEMENT,
            f"only {tiles.at_home:.0%} of the target's tiles fit best where they lie, and "
            f"{tiles.elsewhere:.0%} fit better elsewhere ({SOME_AT_HOME:.0%} needed, and "
            f"{LEAST_AHEAD:.0%} more than elsewhere)",
            # A source out of focus blurs what tells one place from the next.
            mild=quality.shared_texture >= CLEAR_TEXTURE
            and quality.detail_zncc >= CLEAR_DETAIL_ZNCC,
        )
    if evidence.loop_px is not None:
        objects(
            not evidence.loop_px <= LARGEST_LOOP_PX,
            Status.NO_AGREEMENT,
            "the target, aligned to the source, comes to rest elsewhere "
            f"({evidence.loop_px:.3g} px from where it began, {LARGEST_LOOP_PX:g} allowed)",
            mild=True,
        )
    return found


def _measured(zncc: float) -> str:
    return "not measurable" if math.isnan(zncc) else f"{zncc:.3f}"


def caveats(evidence: Evidence, quality: Quality) -> list[Objection]:
    """What leaves an answer in doubt on which the images agree."""
    found: list[Objection] = []
    if _uncertain(evidence):
        found.append(
            Objection(
                Status.SINGULAR,
                f"the texture fixes the transform only to {evidence.uncertainty_px:.2g} px "
                f"({_allowed_px(evidence):g} px allowed)",
            )
        )
    elif _loose(evidence) and quality.unexplained > LOOSE_UNEXPLAINED:
        found.append(
            Objection(
                Status.NO_AGREEMENT,
                "several motions may fit parts of the images and none most of them: the best "
                f"leaves its pixels uncertain by {evidence.uncertainty_px:.2g} px "
                f"({LARGEST_UNCERTAINTY_PX:g} px allowed where so much is unexplained)",
            )
        )
    repeat = evidence.repeat
    if repeat is not None and not (
        evidence.start_given and evidence.moved_px <= SHARE_OF_REPEAT * repeat.length_px
    ):
        x, y = repeat.shift_px
        found.append(
            Objection(
                Status.AMBIGUOUS,
                f"the target repeats itself every {repeat.length_px:.3g} px (x {x:+.3g}, "
                f"y {y:+.3g}), so that the source fits in other places as well",
            )
        )
    if evidence.folded:
        found.append(Objection(Status.DIVERGED, "the horizon of the transform crosses the source"))
    return found


def judge(evidence: Evidence, quality: Quality) -> tuple[Verdict, list[Objection]]:
    """Aligned, doubtful or failed, and what speaks against it.

    Only asked where the solver came to rest.
    """
    against = objections(evidence, quality)
    if beyond_doubt(evidence, quality):
        against = [each for each in against if not each.of_agreement]
    if not against:
        against = caveats(evidence, quality)
        return (Verdict.DOUBTFUL if against else Verdict.ALIGNED), against
    fixed = not quality.shared_texture < NO_TEXTURE
    for_it = _for_it(evidence.tiles) or _explains(evidence, SOME_EXPLAINED)
    doubtful = fixed and (for_it or all(each.mild for each in against))
    return (Verdict.DOUBTFUL if doubtful else Verdict.FAILED), against


def _circles(evidence: Evidence, quality: Quality, last: LevelRecord) -> bool:
    """Whether it still moved a little, as where the last steps go round in a circle in noise."""
    restless = evidence.status is Status.ITERATION_LIMIT
    small = last.last_step_px * 2.0**last.level <= LARGEST_UNCERTAINTY_PX
    return restless and small and not objections(evidence, quality)


def outcome(evidence: Evidence, quality: Quality, last: LevelRecord, *, model: str) -> Outcome:
    """The verdict with its reasons, and one sentence for people."""
    if evidence.status is not Status.CONVERGED:
        sentence = _SENTENCES[evidence.status].format(
            step=last.last_step_px,
            model=model,
            simpler="" if model == MODEL_NAMES[0] else "a simpler one, ",
            overlap=quality.overlap,
        )
        if _circles(evidence, quality, last):
            circles = _CIRCLES.format(step=last.last_step_px)
            return Outcome(evidence.status, circles, (circles,), doubtful=True)
        return Outcome(evidence.status, sentence, (sentence,))
    verdict, against = judge(evidence, quality)
    if verdict is Verdict.ALIGNED:
        return Outcome(Status.CONVERGED, "the images are aligned")
    reasons = tuple(each.words for each in against)
    status = against[0].status
    if verdict is Verdict.DOUBTFUL:
        sentence = (
            f"the images may be aligned, but {'; '.join(reasons)}: look at the result before you "
            f"use it, or {_ADVICE}"
        )
        return Outcome(status, sentence, reasons, doubtful=True)
    advice = _ADVICE
    if status is Status.SINGULAR:
        advice = "give a start nearer to the answer, a simpler motion model, or more texture"
    sentence = f"the solver came to rest, but {reasons[0]}; {UNLIKE}: {advice}"
    return Outcome(status, sentence, reasons)
