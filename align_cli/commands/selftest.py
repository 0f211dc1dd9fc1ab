"""``imalign selftest SRC DST``: the solver checked on the user's own images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from align_cli.commands.exit_codes import ExitCode, faults
from align_cli.commands.inputs import read_pair
from align_cli.commands.options import debug_opt, max_megapixels_opt, source_arg, target_arg

if TYPE_CHECKING:
    from align_cli.engine.selfcheck import DerivativeCheck, RecoveryCheck

EPILOG = (
    "Example: imalign selftest a.png b.png\n\n"
    "Exit codes: 0 every check passed; 1 one did not; the others as for imalign SRC DST."
)


@click.command(epilog=EPILOG)
@source_arg
@target_arg
@max_megapixels_opt
@debug_opt
def selftest(source_path: str, target_path: str, max_megapixels: float) -> None:
    """Check the solver on your own pair of images.

    Prints two tables: the derivative of the objective against central finite differences, for
    every model and loss, with and without gain and bias; and how exactly a known warp of SRC is
    found again with every model.
    """
    with faults({"source": source_path, "target": target_path}):
        source, target = read_pair(source_path, target_path, max_megapixels)

        from align_cli.engine import selfcheck  # noqa: PLC0415  (help stays quick)

        derivatives = selfcheck.derivative_checks(source.pixels, target.pixels)
        recoveries = selfcheck.recovery_checks(source.pixels)
    click.echo(
        "Derivatives: largest relative difference from central finite differences "
        f"(limit {selfcheck.LARGEST_DIFFERENCE:g})"
    )
    click.echo(derivative_table(derivatives))
    click.echo(
        f"\nRecovery of a known warp of {source_path}: mean corner error "
        f"(limit {selfcheck.LARGEST_ERROR_PX:g} px)"
    )
    click.echo(recovery_table(recoveries))
    passed = [check.passed for check in derivatives] + [check.passed for check in recoveries]
    failed = passed.count(False)
    click.echo(f"\n{failed} checks FAILED" if failed else "\nevery check passed")
    if failed:
        raise SystemExit(ExitCode.NOT_ALIGNED)


def derivative_table(checks: Sequence[DerivativeCheck]) -> str:
    """One line for each model and loss; the light solved for, and not."""
    lines = [f"{'model':<12} {'loss':<14} {'with light':>11} {'without':>9}"]
    by_setting = {(check.model, check.loss, check.photometric): check for check in checks}
    for model, loss in dict.fromkeys((check.model, check.loss) for check in checks):
        pair = [by_setting[model, loss, photometric] for photometric in (True, False)]
        lines.append(
            f"{model:<12} {loss:<14} {pair[0].difference:>11.1e} {pair[1].difference:>9.1e}  "
            f"{'ok' if all(check.passed for check in pair) else 'FAILED'}"
        )
    return "\n".join(lines)


def recovery_table(checks: Sequence[RecoveryCheck]) -> str:
    """One line for each model."""
    lines = [f"{'model':<12} {'outcome':<20} {'error px':>9}"]
    lines += [
        f"{check.model:<12} {check.status.value:<20} {check.error_px:>9.4f}  "
        f"{'ok' if check.passed else 'FAILED'}"
        for check in checks
    ]
    return "\n".join(lines)
