"""``--changed-above`` and ``--max-changed``: what changed between two aligned images."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import click

from align_cli.commands.options import Decorator, FiniteFloat
from align_cli.engine.options import CHANGED_ABOVE_LEVELS, GRADIENT
from align_cli.files.errors import printable

if TYPE_CHECKING:
    from align_cli.commands.regions import Masks
    from align_cli.engine.options import Options
    from align_cli.engine.result.alignment import Alignment
    from align_cli.engine.result.changed import Changed
    from align_cli.files.images import Picture

NOT_MEASURED: Final = (
    "What changed cannot be measured, because edge orientations were compared and not grey values"
)

changed_above_opt: Decorator = click.option(
    "--changed-above",
    type=FiniteFloat(min=0.0),
    metavar="LEVELS",
    help="What changed: the pixels that differ, after alignment and illumination, by more than "
    "LEVELS of 255 grey levels beyond noise and edges that are up to a pixel off.  "
    f"[default: {CHANGED_ABOVE_LEVELS:g}]",
)
max_changed_opt: Decorator = click.option(
    "--max-changed",
    type=FiniteFloat(min=0.0, max=1.0),
    metavar="SHARE",
    help="Exit with code 1 if more than this share of the overlap changed, 0 to 1 (0.01 is 1 %); "
    "the images are written nevertheless.",
)


class Asked:
    """What was asked about changes.

    Args:
        above: ``--changed-above``; None for the default.
        most: ``--max-changed``; None for no limit.
        similarity: that of the run.

    Raises:
        click.UsageError: for a limit of what cannot be measured.
    """

    def __init__(self, above: float | None, most: float | None, similarity: str) -> None:
        self._told = above is not None or most is not None
        self._above = CHANGED_ABOVE_LEVELS if above is None else above
        self._most = most
        if most is not None and similarity == GRADIENT:
            raise click.UsageError(
                f"--max-changed {most:g} compares grey values, which --similarity {GRADIENT} does "
                "not; omit one of them"
            )

    def _exceeded(self, changes: Changed) -> bool:
        return self._most is not None and changes.share > self._most

    @property
    def record(self) -> dict[str, Any]:
        """The options, for the document."""
        return {"changed_above_levels": self._above, "max_changed": self._most}

    def looked_for(
        self, found: Alignment, source: Picture, target: Picture, masks: Masks, options: Options
    ) -> Alignment:
        """The alignment, with what changed."""
        from align_cli.engine.aligner import changed  # noqa: PLC0415  (help stays quick)

        changes = changed(
            source.pixels,
            target.pixels,
            found,
            above_levels=self._above,
            source_mask=masks.source,
            target_mask=masks.target,
            options=options,
        )
        return replace(found, changes=changes)

    def line(self, found: Alignment, pair: tuple[str, str]) -> str:
        """What changed, in words, or the objection; empty unless it was asked."""
        from align_cli.report.summary import changes_in_words  # noqa: PLC0415

        objection = self.objection(found, pair)
        if objection or not self._told or found.changes is None:
            return objection
        return changes_in_words(found.changes)

    def sentence(self, found: Alignment) -> str:
        """Why the limit is not met, for a page that names the pair; empty as an objection is."""
        if not self.objection(found, ("", "")):
            return ""
        from align_cli.report.summary import exceeds_in_words  # noqa: PLC0415

        if found.changes is None or self._most is None:
            return f"{NOT_MEASURED}; --max-changed is not met."
        return f"{exceeds_in_words(found.changes, self._most)}."

    def objection(self, found: Alignment, pair: tuple[str, str]) -> str:
        """Why the limit is not met by an alignment that is accepted; empty if it is met."""
        if self._most is None:
            return ""
        who = " -> ".join(map(printable, pair))
        limit = f"--max-changed {self._most:g}"
        if found.changes is None:
            return f"{who}: {NOT_MEASURED[0].lower()}{NOT_MEASURED[1:]}; omit {limit}"
        if not self._exceeded(found.changes):
            return ""
        from align_cli.report.summary import changes_in_words  # noqa: PLC0415

        return (
            f"{who}: {changes_in_words(found.changes)}; this exceeds {limit} (a larger one, or "
            "--changed-above, allows more)"
        )
