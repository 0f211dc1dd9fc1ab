"""``--overlay`` and ``--blink``: target and warped source in one picture, or one by one."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Final

import click

from align_cli.commands.choices import Choice
from align_cli.commands.options import path_opt
from align_cli.commands.outputs import Outputs, write_encoded
from align_cli.report.view_names import ANIMATIONS, STYLES

if TYPE_CHECKING:
    from align_cli.engine.result.alignment import Alignment
    from align_cli.files.images import Picture

DEFAULT_STYLE: Final = next(iter(STYLES))

overlay_opt = path_opt(
    "--overlay",
    help="An image of DST and the warped SRC together, on the grid of DST, with boxes around what "
    "changed; see --overlay-style. Also written if the result is doubtful.",
)
overlay_style_opt = click.option(
    "--overlay-style",
    type=Choice(tuple(STYLES)),
    help="; ".join(f"{name} - {text}" for name, text in STYLES.items())
    + f".  [default: {DEFAULT_STYLE}]",
)
blink_opt = path_opt(
    "--blink",
    help=f"An animation ({' '.join(ANIMATIONS)}) of DST and the warped SRC in turn, half a second "
    "each, at most 1600 px wide and high. Also written if the result is doubtful.",
)


def check_views(overlay: str | None, style: str | None, blink: str | None) -> None:
    """Refuse a style without its image, and a name that is not that of an animation.

    Raises:
        click.UsageError: saying what to type.
    """
    if style is not None and overlay is None:
        raise click.UsageError(f"--overlay-style {style} needs --overlay PATH.png")
    if blink is not None and PurePath(blink).suffix.lower() not in ANIMATIONS:
        *most, last = ANIMATIONS
        raise click.UsageError(
            f"--blink {blink}: an animation is written; give it a name in {', '.join(most)} or "
            f"{last}"
        )


def write_views(
    outputs: Outputs,
    style: str | None,
    found: Alignment,
    source: Picture,
    target: Picture,
    *,
    checked: bool = False,
    small: bool = False,
    quiet: bool = False,
) -> tuple[list[str], list[str]]:
    """Write the overlay and the animation, where they are wanted and can be made.

    Args:
        outputs: with their paths.
        style: of the overlay; None for the default.
        found: the alignment.
        source: its source.
        target: its target.
        checked: whether the transform was given, and so is shown whatever the verdict.
        small: whether to compress more.
        quiet: whether only what is missing is said.

    Returns:
        The files written, and what is to be said of them.
    """
    wanted = [path for path in (outputs.overlay, outputs.blink) if path is not None]
    if not wanted:
        return [], []
    from align_cli.files.errors import printable  # noqa: PLC0415  (help stays quick)
    from align_cli.files.images import encode_image  # noqa: PLC0415
    from align_cli.report import blink, overlay  # noqa: PLC0415
    from align_cli.report.page.laid import warped_source, why_not_laid  # noqa: PLC0415
    from align_cli.report.page.shapes import changed_marks, outline  # noqa: PLC0415
    from align_cli.report.page.stretch import shown, stretch_of  # noqa: PLC0415

    why = why_not_laid(found, checked=checked)
    if why:
        look = "--report PATH.html shows both images side by side"
        return [], [f"{printable(path)}: not written, because {why}; {look}" for path in wanted]
    border = outline(found.source_to_target, found.source_size, found.target_size, "")
    pair = overlay.Pair(
        shown(target.pixels, stretch_of(target.pixels)),
        warped_source(found, source.pixels, target.pixels),
        border,
        changed_marks(found.changes, found.target_size),
    )

    def still(path: str) -> bytes:
        return encode_image(path, overlay.draw(style or DEFAULT_STYLE, pair), small=small)

    def animation(path: str) -> bytes:
        return blink.encode(path, pair.target, pair.warped)

    makers = ((outputs.overlay, still), (outputs.blink, animation))
    written = write_encoded(makers, target.width * target.height)
    return written, [] if quiet else _notes(outputs, style, source, target, bordered=bool(border))


def _notes(
    outputs: Outputs, style: str | None, source: Picture, target: Picture, *, bordered: bool
) -> list[str]:
    """How the files that were written differ from what may be expected of them."""
    from align_cli.files.errors import printable  # noqa: PLC0415  (help stays quick)
    from align_cli.report.blink import reduced_size  # noqa: PLC0415

    notes = []
    whole, reduced = (target.width, target.height), reduced_size(target.width, target.height)
    if outputs.blink is not None and reduced != whole:
        before, after = (f"{width}x{height} px" for width, height in (whole, reduced))
        notes.append(f"{printable(outputs.blink)}: reduced from {before} to {after}")
    if outputs.overlay is not None and style == "outline" and not bordered:
        names = map(printable, (outputs.overlay, source.path))
        notes.append(f"{': without the border of '.join(names)}: it is too far away")
    return notes
