"""``imalign selftest SRC DST``: the solver checked on the user's own images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from align_cli.commands.exit_codes import ExitCode, faults
from align_cli.commands.inputs import read_pair
from align_cli.commands.options import (
    debug_opt,
    max_megapixels_opt,
    quiet_opt,
    source_arg,
    target_arg,
)
from align_cli.commands.outputs import LOOK_WHERE, to_stdout
from align_cli.commands.pages import Pages, pages_opt
from align_cli.commands.pair_command import PairCommand
from align_cli.commands.threads import on_threads, threads_opt

if TYPE_CHECKING:
    from align_cli.engine.selfcheck import DerivativeCheck, RecoveryCheck

EPILOG = (
    "Example: imalign selftest a.png b.png\n\n"
    "Exit codes: 0 no check failed; 1 a check failed; the others as for imalign SRC DST."
)


@click.command(cls=PairCommand, epilog=EPILOG)
@source_arg
@target_arg
@pages_opt
@max_megapixels_opt
@threads_opt
@quiet_opt
@debug_opt
def selftest(
    source_path: str,
    target_path: str,
    pages: Pages | None,
    max_megapixels: float,
    threads: int | None,
    quiet: bool,
) -> None:
    """Test the solver on your own pair of images.

    Prints two tables: the derivatives of the objective compared with central finite differences,
    for every model and loss, with and without gain and bias; and the error with which each model
    recovers a known warp of SRC. If the texture of SRC does not determine a model, or is periodic,
    the check is left open: it says nothing about the solver.
    """
    with faults({"source": source_path, "target": target_path}), on_threads(threads):
        source, target = read_pair(source_path, target_path, max_megapixels, pages)

        from align_cli.engine import selfcheck  # noqa: PLC0415  (help stays quick)

        derivatives = selfcheck.derivative_checks(source.pixels, target.pixels)
        recoveries = selfcheck.recovery_checks(source.pixels)
    failed = not all(check.passed for check in derivatives)
    failed |= any(check.failed for check in recoveries)
    if failed or not quiet:
        to_stdout(
            "Derivatives: largest difference from central finite differences, relative to the sum "
            "of the absolute contributions of all pixels "
            f"(limit {selfcheck.LARGEST_DIFFERENCE:g})\n"
            f"{derivative_table(derivatives)}\n\n"
            f"Recovery of a known warp of {source_path}: mean corner error "
            f"(limit {selfcheck.LARGEST_ERROR_PX:g} px)\n"
            f"{recovery_table(recoveries)}\n\n"
            f"{summary(source_path, derivatives, recoveries)}\n",
            advice=LOOK_WHERE,
        )
    if failed:
        raise SystemExit(ExitCode.NOT_ALIGNED)


def summary(
    source_path: str, derivatives: Sequence[DerivativeCheck], recoveries: Sequence[RecoveryCheck]
) -> str:
    """The result of the checks with advice, one line for each kind."""
    wrong = sum(not check.passed for check in derivatives)
    unfound = sum(check.failed for check in recoveries)
    undetermined = sum(check.undetermined for check in recoveries)
    lines = []
    if wrong:
        lines.append(
            f"{_checks(wrong)} of derivatives FAILED: a bug in imalign; please report it with both "
            "images"
        )
    if unfound:
        lines.append(
            f"{_checks(unfound)} of recovery FAILED: imalign does not recover this small warp of "
            f"{source_path}; do not use these models with it"
        )
    if undetermined:
        lines.append(
            f"{_checks(undetermined)} of recovery left open: {source_path} is periodic, or has too "
            "little texture to determine these models; it cannot be aligned with them"
        )
    if not lines:
        return "every check passed"
    if not (wrong or unfound):
        lines.append("every other check passed")
    return "\n".join(lines)


def _checks(count: int) -> str:
    return f"{count} check{'s' * (count != 1)}"


def derivative_table(checks: Sequence[DerivativeCheck]) -> str:
    """The derivatives: one line for each model and loss, with and without gain and bias."""
    lines = [f"{'model':<12} {'loss':<14} {'gain, bias':>11} {'without':>9}"]
    by_setting = {(check.model, check.loss, check.photometric): check for check in checks}
    for model, loss in dict.fromkeys((check.model, check.loss) for check in checks):
        pair = [by_setting[model, loss, photometric] for photometric in (True, False)]
        lines.append(
            f"{model:<12} {loss:<14} {pair[0].difference:>11.1e} {pair[1].difference:>9.1e}  "
            f"{'ok' if all(check.passed for check in pair) else 'FAILED'}"
        )
    return "\n".join(lines)


def recovery_table(checks: Sequence[RecoveryCheck]) -> str:
    """The recoveries: one line for each model."""
    lines = [f"{'model':<12} {'outcome':<20} {'error px':>9}"]
    lines += [
        f"{check.model:<12} {check.status.value:<20} {check.error_px:>9.4f}  "
        f"{'FAILED' if check.failed else 'open' if check.undetermined else 'ok'}"
        for check in checks
    ]
    return "\n".join(lines)
