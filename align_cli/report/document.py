"""The JSON document of a finished alignment; ``align_cli/files/schema`` publishes its schema.

No times and no dates: the same inputs and options give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, NamedTuple

from align_cli.files.schema import ALIGNMENT, CONVENTIONS
from align_cli.version import __version__

if TYPE_CHECKING:
    from align_cli.engine.displacements.records import Displacements
    from align_cli.engine.records import Agreement, IlluminationRecord, Uncertainty
    from align_cli.engine.result.alignment import Alignment
    from align_cli.engine.result.canvas import Canvas
    from align_cli.engine.result.changed import Changed
    from align_cli.files.images import Picture


class ImageFacts(NamedTuple):
    """An input, for the document; None is what is not known."""

    path: str | None
    width: int
    height: int
    channels: int | None
    dtype: str | None


def image_facts(picture: Picture) -> ImageFacts:
    """An image, for the document."""
    return ImageFacts(picture.path, picture.width, picture.height, picture.channels, picture.dtype)


def python_document(alignment: Alignment, *, accept_doubtful: bool) -> dict[str, Any]:
    """The document of an alignment of arrays, which have no names, by Python."""
    facts = [
        ImageFacts(None, *size, *((kind.channels, kind.dtype) if kind else (None, None)))
        for size, kind in (
            (alignment.source_size, alignment.source_kind),
            (alignment.target_size, alignment.target_kind),
        )
    ]
    return alignment_document(
        alignment,
        source=facts[0],
        target=facts[1],
        options={"accept_doubtful": accept_doubtful},
    )


def alignment_document(
    alignment: Alignment,
    *,
    source: ImageFacts,
    target: ImageFacts,
    options: Mapping[str, Any],
    canvas: Canvas | None = None,
) -> dict[str, Any]:
    """The whole document of an alignment, as plain lists, dicts, numbers and strings."""
    quality = alignment.quality
    return {
        "schema": ALIGNMENT,
        "tool": {"name": "imalign", "version": __version__},
        "source": source._asdict(),
        "target": target._asdict(),
        "options": dict(options),
        "model": alignment.model,
        "model_scores": [asdict(each) for each in alignment.model_scores],
        "conventions": CONVENTIONS,
        "source_to_target": alignment.source_to_target.tolist(),
        "target_to_source": alignment.target_to_source.tolist(),
        "parameters": parameters_record(alignment.parameters),
        "outcome": {
            "verdict": alignment.outcome.verdict.value,
            "status": alignment.outcome.status.value,
            "aligned": alignment.outcome.aligned,
            "sentence": alignment.outcome.sentence,
            "reasons": list(alignment.outcome.reasons),
        },
        "canvas": canvas_record(canvas),
        "valid_area": (
            _valid_area(alignment) if canvas is not None or alignment.outcome.aligned else None
        ),
        "quality": {
            "before": _agreement(quality.before),
            "after": _agreement(quality.after),
            "overlap": quality.overlap,
        },
        "changed": changed_record(alignment.changes, options.get("max_changed")),
        "displacements": displacements_record(alignment.displacements),
        "uncertainty": uncertainty_record(alignment.uncertainty),
        "gain": alignment.gain,
        "bias": alignment.bias,
        "illumination": illumination_record(alignment.illumination),
        "start": alignment.start,
        "similarity": alignment.similarity,
        "mirrored": alignment.mirrored,
        "levels": [
            {**asdict(record), "status": record.status.value} for record in alignment.levels
        ],
    }


def canvas_record(canvas: Canvas | None) -> dict[str, Any] | None:
    """The canvas of the warped image in the target's plane; None if there is no warped image."""
    if canvas is None:
        return None
    width, height = canvas.size
    offset = [*canvas.offset]
    return {"name": canvas.name, "offset_px": offset, "width": width, "height": height}


def _valid_area(alignment: Alignment) -> dict[str, Any] | None:
    rectangle = alignment.inner_rectangle
    if rectangle is None:
        return None
    x, y, width, height = rectangle
    return {
        "polygon_px": alignment.overlap_polygon.tolist(),
        "rectangle_px": {"x": x, "y": y, "width": width, "height": height},
    }


def parameters_record(parameters: Mapping[str, float | tuple[float, float]]) -> dict[str, Any]:
    """The parameters of the transform, for the documents."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in parameters.items()
    }


def uncertainty_record(uncertainty: Uncertainty | None) -> dict[str, Any] | None:
    """The uncertainty of the transform, for the documents."""
    if uncertainty is None:
        return None
    return {
        "corners_px": uncertainty.corners_px.tolist(),
        "mean_px": uncertainty.mean_px,
        "max_px": uncertainty.max_px,
        "covariance": uncertainty.covariance.tolist(),
    }


def illumination_record(illumination: IlluminationRecord | None) -> dict[str, Any] | None:
    """The illumination between grey values, for the documents."""
    if illumination is None:
        return None
    # Adding zero makes -0.0 a plain 0.0.
    factor, offset = ((each + 0.0).tolist() for each in (illumination.factor, illumination.offset))
    return {"factor": factor, "offset": offset}


def changed_record(changes: Changed | None, most: float | None) -> dict[str, Any] | None:
    """What changed, for the document; ``most``: the share that may have, None for any."""
    if changes is None:
        return None
    return {
        **asdict(changes),
        "max_share": most,
        "exceeds": most is not None and changes.share > most,
        "boxes": [asdict(each) for each in changes.boxes],
        "bands": [asdict(each) for each in changes.bands],
    }


def displacements_record(displacements: Displacements | None) -> dict[str, Any] | None:
    """The displacements that remain, for the document, without the single tiles."""
    if displacements is None:
        return None
    record = {
        field.name: getattr(displacements, field.name)
        for field in fields(displacements)
        if field.name != "field"
    }
    record |= {"searched": displacements.searched, "matched": displacements.matched}
    for name in ("second_motion", "fixed_pattern"):
        record[name] = None if record[name] is None else asdict(record[name])
    return record


def _agreement(agreement: Agreement) -> dict[str, float]:
    return {
        "zncc": agreement.zncc,
        "rmse": agreement.rmse,
        "mae": agreement.mae,
        "rmse_raw": agreement.rmse_raw,
        "mae_raw": agreement.mae_raw,
    }
