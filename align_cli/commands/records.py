"""What the document says of the options of a run."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from align_cli.engine.options import Options

UNITS: Final = {
    "tolerance": "px",
    "accept_residual": "px",
    "max_shift": "px",
    "max_rotation": "deg",
}
"""Options whose names in the JSON say their unit."""


def options_record(options: Options, init: str) -> dict[str, Any]:
    """The engine's options as the document holds them; ``init`` is the start as it was given."""
    record = asdict(options)
    for name, unit in UNITS.items():
        record[f"{name}_{unit}"] = record.pop(name)
    record["tolerance_px"] = options.tolerance_px
    return {**record, "init": init}
