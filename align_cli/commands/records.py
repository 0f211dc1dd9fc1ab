"""The options of a run, for the document."""

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
"""Options whose names in the JSON include their unit."""


def options_record(options: Options, init: str) -> dict[str, Any]:
    """The engine's options, for the document; ``init`` is the initial transform as given."""
    record = asdict(options)
    for name, unit in UNITS.items():
        record[f"{name}_{unit}"] = record.pop(name)
    record["tolerance_px"] = options.tolerance_px
    return {**record, "init": init}
