"""The options of an alignment by what they are for: of ``--help``, ``-h`` and docs/options.md."""

from __future__ import annotations

from typing import Final, NamedTuple

import click


class Group(NamedTuple):
    """Options that belong together.

    Attributes:
        about: what they are for, in a few words.
        options: their long names, in the order in which they are told.
    """

    about: str
    options: tuple[str, ...]


GROUPS: Final = {
    "Output": Group(
        "what is written, and how SRC is resampled",
        (
            "--output",
            "--json",
            "--error-map",
            "--error-legend",
            "--raw-error",
            "--displacement-map",
            "--report",
            "--report-lossless",
            "--overlay",
            "--overlay-style",
            "--blink",
            "--no-image",
            "--no-error-map",
            "--canvas",
            "--interpolation",
            "--fill",
            "--valid-mask",
            "--no-metadata",
            "--small-files",
        ),
    ),
    "Model": Group(
        "motion model, similarity and solver",
        (
            "--model",
            "--preset",
            "--similarity",
            "--loss",
            "--photometric",
            "--channel",
            "--levels",
            "--max-iterations",
            "--tolerance",
        ),
    ),
    "Start": Group("the initial transform", ("--init", "--allow-flip")),
    "Pixels": Group(
        "which of them are used",
        (
            "--page",
            "--roi",
            "--source-mask",
            "--target-mask",
            "--ignore-alpha",
            "--keep-fixed-pattern",
            "--max-megapixels",
        ),
    ),
    "Limits": Group(
        "of an acceptable result",
        (
            "--max-shift",
            "--max-rotation",
            "--max-scale",
            "--max-shear",
            "--min-overlap",
            "--min-score",
            "--max-changed",
            "--changed-above",
            "--accept-doubtful",
            "--accept-residual",
        ),
    ),
    "Run": Group(
        "threads and messages", ("--threads", "--quiet", "--verbose", "--debug", "--help")
    ),
}
"""Each option is in one of them."""

OTHERS: Final = "Others"
"""Where an option is shown that is in no group."""


class GroupedCommand(click.Command):
    """A command whose help shows the options by ``GROUPS``."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each group that the command has options of, under its heading."""
        records = {
            name: record
            for param in self.get_params(ctx)
            if isinstance(param, click.Option) and (record := param.get_help_record(ctx))
            for name in param.opts
            if name.startswith("--")
        }
        for title, group in GROUPS.items():
            rows = [records.pop(name) for name in group.options if name in records]
            _write(formatter, f"{title} ({group.about})", rows)
        _write(formatter, OTHERS, list(records.values()))


def _write(formatter: click.HelpFormatter, heading: str, rows: list[tuple[str, str]]) -> None:
    if rows:
        with formatter.section(heading):
            formatter.write_dl(rows)
