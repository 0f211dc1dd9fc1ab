"""``--similarity``: what is compared."""

from __future__ import annotations

import click

from align_cli.engine.options import (
    DEFAULTS,
    INSTEAD_OF_IT,
    MUTUAL_INFORMATION,
    SIMILARITY_NAMES,
)


def known_similarity(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """Callback: a name of ``SIMILARITY_NAMES``; else a usage error, for one name with a reason."""
    if value == MUTUAL_INFORMATION:
        raise click.BadParameter(f"{INSTEAD_OF_IT}.", ctx, param)
    if value not in SIMILARITY_NAMES:
        raise click.BadParameter(
            f"{value!r} is not one of {', '.join(map(repr, SIMILARITY_NAMES))}.", ctx, param
        )
    return value


similarity_opt = click.option(
    "--similarity",
    callback=known_similarity,
    metavar=f"[{'|'.join(SIMILARITY_NAMES)}]",
    default=DEFAULTS.similarity,
    show_default=True,
    help="What is compared: grey values; the orientation of edges, blind to sign and contrast "
    "(a negative, near infra-red); auto: the second where the first fails.",
)
