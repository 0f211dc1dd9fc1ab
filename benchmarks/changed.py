"""What changed between two screenshots: ``python -m benchmarks.changed``.

Rendered pages, each twice: the second shifted by 1 px, scrolled, at twice the pixel density, or
with its text at another sub-pixel position; every second pair also with a real change of 20x20 px
or more: a button of another colour, a badge that is new, a price that is another, a line that is
gone, or gone so that what follows moves up, or a banner that moves it down. A change is missed if
the pair is aligned and no box and no band of ``changed`` meets it; a false alarm is a pair without
a change that has one, or is not aligned, or one with a change that has some elsewhere. A pair whose
content was moved, and that is aligned, is explained if its only bands are the rows that moved it.

Then pages with a paragraph whose text has another colour, by some grey levels of its contrast: how
many of these are found, of each kind of pair.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from align_cli.engine.aligner import align, changed
from align_cli.engine.options import CHANGED_ABOVE_LEVELS, MODEL_NAMES
from align_cli.engine.result.changed import Band, ChangedArea
from benchmarks.arguments import parser
from benchmarks.changed_pages import (
    DENSITY,
    LINE_PX,
    SIZE,
    TEXT_PX,
    Box,
    Page,
    Patch,
    Pixels,
    random_page,
    render,
    text_box,
)
from benchmarks.goals import Goal, print_goals

RECOLOURED_LEVELS = (17, 34, 51, 85)
"""How much lighter, or darker on dark paper, the text of a paragraph becomes."""

FOUND_LEVELS = 34
"""From here on it must be found: a seventh of the contrast of black on white."""

PARAGRAPH_LINES = 6

NEAR_PX = 5
"""A box this far from a change is still part of it."""

MOST_SCROLLED = 160
BANNER_PX = 40

SEEN = range(MOST_SCROLLED + 20, SIZE[1] - 40)
"""Rows of the page that both windows show."""


@dataclass(frozen=True)
class Case:
    """A pair of screenshots; ``change`` is where the target is another, None for nowhere."""

    kind: str
    what: str
    source: Pixels
    target: Pixels
    change: Box | None


def recoloured(page: Page, rng: np.random.Generator) -> tuple[Page, Box]:
    """A button of another colour, by at least 16 grey levels."""
    buttons = [patch for patch in page.patches if patch.box[2] == 90 and patch.box[1] in SEEN]
    one = buttons[int(rng.integers(len(buttons)))]
    step = int(rng.choice([-1, 1])) * int(rng.integers(16, 40))
    red, green, blue = (int(np.clip(each + step, 0, 255)) for each in one.colour)
    other = replace(one, colour=(red, green, blue))
    patches = tuple(other if each is one else each for each in page.patches)
    return replace(page, patches=patches), one.box


def badge(page: Page, rng: np.random.Generator) -> tuple[Page, Box]:
    """A badge of 20x20 px on the free paper, 20 grey levels from it."""
    shade = 20 if page.background[0] < 128 else -20
    red, green, blue = (each + shade for each in page.background)
    y = int(rng.integers(SEEN.start, SEEN.stop))
    box = 500, y, 20, 20
    return page.with_patch(Patch(box, (red, green, blue), 0)), box


def price(page: Page, rng: np.random.Generator) -> tuple[Page, Box]:
    """Another number, of the same length, 20 px high."""
    prices = [text for text in page.texts if text.words.endswith(".00") and int(text.y) in SEEN]
    one = prices[int(rng.integers(len(prices)))]
    digits = "".join(str((int(each) + 5) % 10) for each in one.words[:-3])
    other = replace(one, words=f"{digits}.00")
    texts = tuple(other if each is one else each for each in page.texts)
    return replace(page, texts=texts), text_box(one)


def line_gone(page: Page, rng: np.random.Generator) -> tuple[Page, Box]:
    """A line of text that is no longer there."""
    lines = [text for text in page.texts if text.x == 20.0 and int(text.y) in SEEN]
    one = lines[int(rng.integers(len(lines)))]
    return page.without(one), text_box(one)


def text_recoloured(page: Page, rng: np.random.Generator, levels: int) -> tuple[Page, Box]:
    """Some lines of text in another colour."""
    lines = [text for text in page.texts if text.x == 20.0 and text.size == TEXT_PX]
    lines = [text for text in lines if int(text.y) in SEEN]
    at = int(rng.integers(len(lines) - PARAGRAPH_LINES))
    some = lines[at : at + PARAGRAPH_LINES]
    step = levels if page.background[0] > some[0].colour[0] else -levels
    red, green, blue = (each + step for each in some[0].colour)
    texts = tuple(
        replace(text, colour=(red, green, blue)) if any(text is one for one in some) else text
        for text in page.texts
    )
    x, top, *_ = text_box(some[0])
    boxes = [text_box(text) for text in some]
    right = max(box[0] + box[2] for box in boxes)
    return replace(page, texts=texts), (x, top, right - x, boxes[-1][1] + boxes[-1][3] - top)


def closed_up(page: Page, rng: np.random.Generator) -> tuple[Page, Box]:
    """The same, and what follows moved up: everything from there on is elsewhere."""
    lines = [text for text in page.texts if text.x == 20.0 and int(text.y) in SEEN]
    one = lines[int(rng.integers(len(lines)))]
    return page.closed_up(one), (0, 0, SIZE[0], 2 * SIZE[1])


def banner(page: Page, rng: np.random.Generator) -> tuple[Page, Box]:
    """A banner that is new, across the page, and what follows moved down."""
    lines = [text for text in page.texts if text.x == 20.0 and int(text.y) in SEEN]
    top = int(lines[int(rng.integers(len(lines)))].y) - LINE_PX // 2
    texts = tuple(
        replace(each, y=each.y + BANNER_PX) if each.y > top else each for each in page.texts
    )
    patches = tuple(
        replace(each, box=(each.box[0], each.box[1] + BANNER_PX, *each.box[2:]))
        if each.box[1] > top
        else each
        for each in page.patches
    )
    moved = replace(page, texts=texts, patches=patches)
    strip = Patch((0, top, SIZE[0], BANNER_PX), (200, 170, 60), 0)
    return moved.with_patch(strip), (0, 0, SIZE[0], 2 * SIZE[1])


CHANGES: tuple[Callable[[Page, np.random.Generator], tuple[Page, Box]], ...] = (
    recoloured,
    badge,
    price,
    line_gone,
    closed_up,
    banner,
)
MOVED = {
    closed_up.__name__: ("rows_only_in_source", LINE_PX),
    banner.__name__: ("rows_only_in_target", BANNER_PX),
}
"""What moves the content, by the changes that do: the band's kind and rows."""

KINDS = ("shift", "scroll", "density 2", "antialiasing")


def case(kind: str, change: int | None, rng: np.random.Generator) -> Case:
    """A pair of a kind; ``change`` numbers one of ``CHANGES``, None for none."""
    page = random_page(rng, height=SIZE[1] + MOST_SCROLLED)
    other, box = page, None
    if change is not None:
        other, box = CHANGES[change](page, rng)
    what = "nothing" if change is None else CHANGES[change].__name__
    return Case(kind, what, seen_as(kind, page, rng), render(other), box)


def seen_as(kind: str, page: Page, rng: np.random.Generator) -> Pixels:
    """The source of a pair of a kind."""
    return {
        "shift": lambda: shifted(page, rng),
        "scroll": lambda: render(page, top=int(rng.integers(LINE_PX, MOST_SCROLLED))),
        "density 2": lambda: render(page, density=DENSITY),
        "antialiasing": lambda: render(page, offset=tuple(rng.uniform(0.0, 0.75, 2))),
    }[kind]()


def shifted(page: Page, rng: np.random.Generator) -> Pixels:
    """The page, one pixel off along one axis or both."""
    x, y = ((1, 0), (0, 1), (-1, 0), (0, -1), (1, 1), (-1, 1))[int(rng.integers(6))]
    moved = np.roll(render(page), (y, x), (0, 1))
    moved[: max(y, 0)] = page.background
    moved[:, : max(x, 0)] = page.background
    return moved


def meets(found: ChangedArea, box: Box) -> bool:
    """Whether a box has pixels in common with a change, or is next to it."""
    x, y, width, height = box
    across = found.x < x + width + NEAR_PX and x - NEAR_PX < found.x + found.width
    return across and found.y < y + height + NEAR_PX and y - NEAR_PX < found.y + found.height


def explained(pair: Case, bands: tuple[Band, ...]) -> bool:
    """Whether the bands are the one that moved the content, to a pixel."""
    kind, rows = MOVED[pair.what]
    return len(bands) == 1 and bands[0].kind == kind and abs(bands[0].count - rows) <= 1


def recoloured_texts(count: int, seed: int) -> list[Goal]:
    """Recoloured text that is found, of each contrast, printed; and what must be found."""
    rng = np.random.default_rng(seed)
    found = dict.fromkeys(RECOLOURED_LEVELS, 0)
    elsewhere = 0
    for levels in RECOLOURED_LEVELS:
        for number in range(count):
            page = random_page(rng, height=SIZE[1] + MOST_SCROLLED)
            other, box = text_recoloured(page, rng, levels)
            source, target = seen_as(KINDS[number % len(KINDS)], page, rng), render(other)
            pair = align(source, target, model=MODEL_NAMES[-1])
            seen = changed(source, target, pair, above_levels=CHANGED_ABOVE_LEVELS)
            boxes = () if seen is None else seen.boxes
            found[levels] += any(meets(each, box) for each in boxes)
            elsewhere += any(not meets(each, box) for each in boxes)
    print()
    for levels, many in found.items():
        print(f"text recoloured by {levels:2} grey levels: {many} of {count} found")
    missed = sum(count - many for levels, many in found.items() if levels >= FOUND_LEVELS)
    return [
        Goal(f"recoloured text missed, from {FOUND_LEVELS} grey levels on", missed, 0),
        Goal("recoloured text with a box elsewhere", elsewhere, 1),
    ]


def main() -> None:
    options = parser(__doc__, count=15, counted="pairs of each kind").parse_args()
    rng = np.random.default_rng(options.seed)
    missed = alarms = pairs = moved = unexplained = 0
    print(f"{'kind':14}{'change':12}{'verdict':10}{'share':>9}{'areas':>7}{'bands':>7}  result")
    for i in range(options.count):
        for k, kind in enumerate(KINDS):
            change = (i // 2 + k) % len(CHANGES) if i % 2 else None
            pair = case(kind, change, rng)
            found = align(pair.source, pair.target, model=MODEL_NAMES[-1])
            seen = changed(pair.source, pair.target, found, above_levels=CHANGED_ABOVE_LEVELS)
            boxes = () if seen is None else seen.boxes
            bands = () if seen is None else seen.inner_bands
            aligned, where = found.outcome.aligned, pair.change
            met = bands or any(where is not None and meets(b, where) for b in boxes)
            miss = where is not None and aligned and not met
            alarm = (where is None and not aligned) or any(
                where is None or not meets(box, where) for box in boxes
            )
            alarm |= bool(bands) and pair.what not in MOVED
            other = pair.what in MOVED and aligned and not explained(pair, bands)
            pairs, missed, alarms = pairs + 1, missed + miss, alarms + alarm
            moved, unexplained = moved + (pair.what in MOVED and aligned), unexplained + other
            share = 0.0 if seen is None else seen.share
            result = "MISSED " * miss + "FALSE ALARM" * alarm + "box by box" * other or "right"
            verdict = found.outcome.verdict.value
            print(
                f"{kind:14}{pair.what:12}{verdict:10}{share:>9.5f}{len(boxes):>7}{len(bands):>7}  "
                f"{result}"
            )
    texts = recoloured_texts(options.count, options.seed)
    print_goals(
        [
            Goal(f"changes missed of {pairs} pairs", missed, 0),
            Goal(f"false alarms of {pairs} pairs", alarms, 1),
            Goal(f"content that was moved not explained, of {moved} pairs", unexplained, 1),
            *texts,
        ]
    )


if __name__ == "__main__":
    main()
