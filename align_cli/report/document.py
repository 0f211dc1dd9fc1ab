"""The JSON document of a finished alignment; ``align_cli/files/schema`` publishes its schema.

No times and no dates: the same inputs and options give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from align_cli.files.schema import ALIGNMENT
from align_cli.version import __version__

if TYPE_CHECKING:
    from align_cli.engine.alignment import Agreement, Alignment, Uncertainty

CONVENTIONS: Final = (
    "source_to_target maps homogeneous source pixels (x right, y down, pixel centres at integers, "
    "(0, 0) the centre of the top-left pixel) to target pixels; target_to_source is its inverse"
)


@dataclass(frozen=True)
class ImageFacts:
    """What the document says of an input."""

    path: str
    width: int
    height: int
    channels: int
    dtype: str


def alignment_document(
    alignment: Alignment,
    *,
    source: ImageFacts,
    target: ImageFacts,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """Everything that is known about an alignment, as plain lists, dicts, numbers and strings."""
    quality = alignment.quality
    return {
        "schema": ALIGNMENT,
        "tool": {"name": "imalign", "version": __version__},
        "source": asdict(source),
        "target": asdict(target),
        "options": dict(options),
        "model": alignment.model,
        "model_scores": [asdict(each) for each in alignment.model_scores],
        "conventions": CONVENTIONS,
        "source_to_target": alignment.source_to_target.tolist(),
        "target_to_source": alignment.target_to_source.tolist(),
        "parameters": {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in alignment.parameters.items()
        },
        "outcome": {
            "verdict": alignment.outcome.verdict.value,
            "status": alignment.outcome.status.value,
            "aligned": alignment.outcome.aligned,
            "sentence": alignment.outcome.sentence,
            "reasons": list(alignment.outcome.reasons),
        },
        "quality": {
            "before": _agreement(quality.before),
            "after": _agreement(quality.after),
            "detail_zncc": quality.detail_zncc,
            "shared_texture": quality.shared_texture,
            "unexplained": quality.unexplained,
            "overlap": quality.overlap,
        },
        "uncertainty": _uncertainty(alignment.uncertainty),
        "gain": alignment.gain,
        "bias": alignment.bias,
        "levels": [
            {**asdict(record), "status": record.status.value} for record in alignment.levels
        ],
    }


def _uncertainty(uncertainty: Uncertainty | None) -> dict[str, Any] | None:
    if uncertainty is None:
        return None
    return {
        "corners_px": uncertainty.corners_px.tolist(),
        "mean_px": uncertainty.mean_px,
        "max_px": uncertainty.max_px,
        "covariance": uncertainty.covariance.tolist(),
    }


def _agreement(agreement: Agreement) -> dict[str, float]:
    return {"zncc": agreement.zncc, "rmse": agreement.rmse, "mae": agreement.mae}
