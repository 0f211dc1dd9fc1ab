"""``--similarity``: the similarity measure."""

from __future__ import annotations

import click

from align_cli.commands.choices import did_you_mean
from align_cli.commands.options import meaning
from align_cli.engine.options import (
    DEFAULTS,
    MUTUAL_INFORMATION,
    MUTUAL_INFORMATION_HINT,
    SIMILARITY_NAMES,
)


def known_similarity(name: str) -> str:
    """A name of ``SIMILARITY_NAMES``; mutual information is rejected with the reason."""
    if name == MUTUAL_INFORMATION:
        raise ValueError(f"{MUTUAL_INFORMATION_HINT}.")
    if name not in SIMILARITY_NAMES:
        raise ValueError(
            f"{name!r} is not one of {', '.join(map(repr, SIMILARITY_NAMES))}."
            + did_you_mean(name, SIMILARITY_NAMES)
        )
    return name


similarity_opt = click.option(
    "--similarity",
    callback=meaning(known_similarity),
    metavar=f"[{'|'.join(SIMILARITY_NAMES)}]",
    default=DEFAULTS.similarity,
    show_default=True,
    help="Similarity measure: grey values (intensity); edge orientations, invariant to sign and "
    "contrast (gradient: for a negative, near infra-red); auto: both, grey values first.",
)
