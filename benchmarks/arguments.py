"""The few options of the benchmark commands."""

from __future__ import annotations

import argparse

from benchmarks.scenes import LARGE_PHOTOGRAPHS


def names(text: str) -> tuple[str, ...]:
    """``a.png,b.png`` as a tuple."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def numbers(text: str) -> tuple[float, ...]:
    """``1,2.5`` as a tuple."""
    return tuple(float(number) for number in names(text))


def parser(
    module: str,
    *,
    count: int | None = None,
    counted: str = "",
    pictures: bool = False,
    blur: float = 0.0,
) -> argparse.ArgumentParser:
    """A parser with ``--seed``, and ``--count``, ``--pictures`` and ``--blur`` where they apply.

    ``module`` is the benchmark's docstring, ``counted`` says what there is ``count`` of, ``blur``
    is the default of a benchmark that has ``pictures``.
    """
    options = argparse.ArgumentParser(
        description=module, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--seed", type=int, default=0, help="of everything random (default 0)")
    if count is not None:
        options.add_argument(
            "--count", type=int, default=count, metavar="N", help=f"{counted} (default {count})"
        )
    if pictures:
        options.add_argument(
            "--pictures",
            type=names,
            default=LARGE_PHOTOGRAPHS,
            metavar="A.png,B.png",
            help="names in scikit-image's data folder, or paths "
            f"(default {','.join(LARGE_PHOTOGRAPHS)})",
        )
        options.add_argument(
            "--blur",
            type=float,
            default=blur,
            metavar="PX",
            help="standard deviation of a Gaussian that takes from the pictures what aliases when "
            f"they are resampled; 0 leaves them as they are (default {blur:g})",
        )
    return options
