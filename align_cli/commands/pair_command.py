"""The arguments SRC and DST, and what is said where there are more images than these two."""

from __future__ import annotations

import os
import shlex
from pathlib import PurePath

import click

from align_cli.commands.option_groups import GroupedCommand

MOST_NAMED = 4
"""Sources from which on a message names the first two only."""


class PairCommand(GroupedCommand):
    """A command of one SRC and one DST, the last of its arguments."""

    # More than two are refused here, because click knows no more to say than that.
    allow_extra_args = True

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse more than one pair, and name what to type."""
        super().parse_args(ctx, args)
        if ctx.args and not ctx.resilient_parsing:
            raise self._too_many(ctx)
        return ctx.args

    def _too_many(self, ctx: click.Context) -> click.UsageError:
        """The error for several sources: they come first, and the target is the last, as for cp."""
        given = [ctx.params[param.name] for param in self._arguments() if param.name is not None]
        first = len(given) - 2
        *sources, target = map(str, [*given[first:], *ctx.args])
        some = [*map(shlex.quote, sources)]
        some = some if len(some) < MOST_NAMED else [*some[:2], "..."]
        before = " ".join([ctx.command_path, *map(shlex.quote, given[:first])])
        loop = f'for f in {" ".join(some)}; do {before} "$f" {shlex.quote(target)}; done'
        json = shlex.quote(f"{PurePath(sources[0]).stem}_aligned.json")
        return click.UsageError(
            f"one SRC and one DST are expected, and {len(sources) + 1} images are given; align "
            f"each to {target} by itself: {loop}; or, if one transform holds for all, align one "
            f"and type imalign apply {json} FOLDER",
            ctx,
        )

    def _arguments(self) -> list[click.Argument]:
        return [param for param in self.params if isinstance(param, click.Argument)]


def refuse_folder(source_path: str, target_path: str) -> None:
    """Refuse a folder in place of SRC.

    Raises:
        click.UsageError: with a loop over its images.
    """
    if not os.path.isdir(source_path):  # noqa: PTH112
        return
    folder, target = (shlex.quote(path) for path in (source_path.rstrip("/"), target_path))
    raise click.UsageError(
        f"{source_path} is a folder, and SRC is one image; align each image in it by itself: "
        f'for f in {folder}/*; do imalign "$f" {target}; done; or, if one transform holds for all, '
        f"align one and type imalign apply X_aligned.json {folder} -o aligned/"
    )
