import copy

import jsonschema
import pytest

from align_cli.engine.options import START_NAMES
from align_cli.engine.records import Status
from align_cli.engine.starts.given import GIVEN
from align_cli.files.schema import ALIGNMENT, EARLIER_ALIGNMENTS, alignment_schema

AGREEMENT = {"zncc": 0.5, "rmse": 0.1, "mae": 0.05, "rmse_raw": 0.2, "mae_raw": 0.15}
PICTURE = {"path": "a.png", "width": 4, "height": 3, "channels": 3, "dtype": "uint8"}
UNIT = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
LEVEL = {
    "level": 1,
    "width": 2,
    "height": 2,
    "iterations": 3,
    "last_step_px": 0.01,
    "rmse": 0.02,
    "status": "converged",
}
DOCUMENT = {
    "schema": ALIGNMENT,
    "tool": {"name": "imalign", "version": "0.1.0"},
    "source": PICTURE,
    "target": {**PICTURE, "dtype": "float64"},
    "options": {
        "model": "homography",
        "preset": "precise",
        "loss": "geman-mcclure",
        "photometric": True,
        "similarity": "intensity",
        "levels": None,
        "max_iterations": 50,
        "tolerance_px": 0.001,
        "max_shift_px": 40,
        "max_rotation_deg": 5.0,
        "max_scale": 1.2,
        "max_shear": None,
        "min_overlap": 0.5,
        "min_score": 0.8,
        "init": "auto",
        "allow_flip": False,
        "accept_doubtful": False,
        "accept_residual_px": 3.5,
        "keep_fixed_pattern": True,
        "channel": 3,
        "ignore_alpha": False,
        "source_mask": None,
        "target_mask": "mask.png",
        "roi_px": {"x": 0, "y": 1, "width": 2, "height": 3},
        "interpolation": "cubic",
        "canvas": "union",
        "fill": 0,
        "source_page": None,
        "target_page": None,
        "changed_above_levels": 8.0,
        "max_changed": 0.01,
    },
    "model": "homography",
    "model_scores": [{"model": "rigid", "parameters": 3, "score": -4.5}],
    "conventions": "pixels, x right, y down",
    "source_to_target": UNIT,
    "target_to_source": UNIT,
    "parameters": {"angle_deg": 3.5, "shift_px": [1.5, -2], "perspective": [None, 0.0]},
    "outcome": {
        "verdict": "aligned",
        "status": "converged",
        "aligned": True,
        "sentence": "Converged.",
        "reasons": [],
    },
    "canvas": {"name": "union", "offset_px": [-3, 0], "width": 7, "height": 3},
    "valid_area": {
        "polygon_px": [[0.0, 0.0], [3.0, 0.0], [3.0, 2.0]],
        "rectangle_px": {"x": 1, "y": 0, "width": 2, "height": 1},
    },
    "quality": {
        "before": AGREEMENT,
        "after": AGREEMENT,
        "overlap": 0.9,
    },
    "displacements": {
        "tiles": 130,
        "sampled": 110,
        "stationary": 96,
        "log10_false_alarms": -42.5,
        "searched": 142,
        "matched": 115,
        "median_px": 0.08,
        "p95_px": 0.4,
        "largest_px": 5.1,
        "largest_at_px": [310.5, 20.0],
        "within_half_px": 0.9,
        "within_1_px": 0.95,
        "within_2_px": 1.0,
        "systematic_px": 4.2,
        "systematic_at_px": [300.0, 280.0],
        "explained_by": "homography",
        "second_motion": {
            "share": 0.18,
            "shift_px": [12.0, -0.4],
            "centre_px": [150.0, 30.0],
            "where": "at the top",
        },
        "fixed_pattern": {"kinds": ["isolated pixels"], "share": 0.003},
    },
    "changed": {
        "share": 0.25,
        "pixels": 30,
        "above_levels": 8.0,
        "max_share": 0.01,
        "exceeds": True,
        "areas": 2,
        "boxes": [{"x": 3, "y": 4, "width": 6, "height": 5, "area": 30}],
        "bands": [{"kind": "rows_only_in_target", "at": 3, "count": 4, "border": False}],
    },
    "uncertainty": {
        "corners_px": [0.01, 0.02, 0.03, 0.02],
        "mean_px": 0.01,
        "max_px": 0.03,
        "covariance": [[1e-6] * 8] * 8,
    },
    "gain": 1.01,
    "bias": -0.02,
    "illumination": {"factor": [0.99, 0.0, 0.1, -0.2, 0.0, 0.3], "offset": [0.02, *[0.0] * 5]},
    "start": "fourier",
    "similarity": "gradient",
    "mirrored": False,
    "levels": [LEVEL],
}


@pytest.fixture(scope="module")
def validator():
    return jsonschema.Draft202012Validator(alignment_schema())


def changed(path, value):
    """DOCUMENT with one entry replaced; the path is dotted, a number indexes a list."""
    document = copy.deepcopy(DOCUMENT)
    *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    entry = document
    for key in parents:
        entry = entry[key]
    entry[last] = value
    return document


def test_the_schema_itself_is_valid():
    jsonschema.Draft202012Validator.check_schema(alignment_schema())
    assert alignment_schema()["properties"]["schema"]["const"] == ALIGNMENT


def test_a_full_document_is_valid(validator):
    validator.validate(DOCUMENT)


@pytest.mark.parametrize(
    "path",
    [
        *(f"quality.{when}.{what}" for when in ("before", "after") for what in AGREEMENT),
        "quality.overlap",
        "displacements",
        "displacements.log10_false_alarms",
        "displacements.median_px",
        "displacements.largest_at_px.0",
        "displacements.systematic_px",
        "displacements.explained_by",
        "displacements.second_motion",
        "displacements.fixed_pattern",
        "options.accept_residual_px",
        "options.max_changed",
        "changed.max_share",
        "changed",
        "gain",
        "bias",
        "illumination",
        "illumination.factor.0",
        "illumination.offset.5",
        "levels.0.last_step_px",
        "levels.0.rmse",
        "uncertainty",
        "canvas",
        "valid_area",
        "options.levels",
        "options.max_shift_px",
        "options.min_score",
        "source.path",
        "source.channels",
        "target.dtype",
        "model_scores.0.score",
    ],
)
def test_what_cannot_be_measured_is_null(validator, path):
    validator.validate(changed(path, None))


def test_of_the_options_python_knows_whether_a_doubtful_result_is_accepted(validator):
    validator.validate(changed("options", {"accept_doubtful": True}))


@pytest.mark.parametrize("levels", [[], [LEVEL, {**LEVEL, "level": 0, "iterations": 0}]])
def test_any_number_of_levels(validator, levels):
    validator.validate(changed("levels", levels))


@pytest.mark.parametrize("verdict", ["doubtful", "failed"])
@pytest.mark.parametrize("status", [s.value for s in Status if s is not Status.CONVERGED])
def test_every_other_ending_is_not_aligned(validator, status, verdict):
    ending = {
        "verdict": verdict,
        "status": status,
        "aligned": False,
        "sentence": "No.",
        "reasons": ["No."],
    }
    validator.validate(changed("outcome", ending))
    for wrong in ({"aligned": True}, {"verdict": "aligned"}, {"reasons": []}):
        assert not validator.is_valid(changed("outcome", {**ending, **wrong}))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("schema", "imalign/alignment/1"),
        ("schema", "imalign/alignment/2"),
        ("displacements.within_1_px", 1.5),
        ("displacements.tiles", -1),
        ("displacements.explained_by", "auto"),
        ("displacements.second_motion.share", None),
        ("displacements.fixed_pattern.kinds", ["isolated pixels", ""]),
        ("options.accept_residual_px", -0.1),
        ("tool.name", "other"),
        ("source.dtype", "int16"),
        ("source.width", 0),
        ("source.height", 2.5),
        ("target.channels", 0),
        ("options", {}),
        ("options", {"accept_doubtful": False, "model": "rigid"}),
        ("options.model", "projective"),
        ("options.loss", "cauchy"),
        ("options.tolerance_px", 0),
        ("model", "projective"),
        ("source_to_target", UNIT[:2]),
        ("source_to_target", [*UNIT, UNIT[0]]),
        ("source_to_target.0", [1.0, 0.0]),
        ("source_to_target.0.0", None),
        ("target_to_source.1.1", "1"),
        ("parameters.shift_px", [1, 2, 3]),
        ("parameters.shift_px", [1]),
        ("parameters.angle_deg", "3.5"),
        ("outcome.aligned", False),
        ("outcome.status", "fine"),
        ("outcome.verdict", "fine"),
        ("outcome.verdict", "doubtful"),
        ("outcome.reasons", ["but"]),
        ("options.max_scale", 0.9),
        ("options.max_rotation_deg", 181),
        ("options.min_overlap", 1.1),
        ("options.min_score", -1.1),
        ("options.accept_doubtful", None),
        ("model_scores.0.model", "auto"),
        ("outcome.sentence", ""),
        ("quality.overlap", 1.5),
        ("quality.after.zncc", 1.5),
        ("quality.after.rmse", -0.1),
        ("quality.before.rmse_raw", -0.1),
        ("quality.after", {name: 0.1 for name in AGREEMENT if name != "mae_raw"}),
        ("changed.share", 1.5),
        ("changed.max_share", 1.5),
        ("changed.exceeds", None),
        ("displacements.searched", 1.5),
        ("displacements.matched", None),
        ("changed.boxes", [{"x": 3, "y": 4, "width": 0, "height": 5, "area": 30}]),
        ("changed.boxes", [{"x": 3, "y": 4}]),
        ("options.max_changed", 1.1),
        ("options.changed_above_levels", None),
        ("illumination", {"factor": [1.0, *[0.0] * 5]}),
        ("illumination.factor", [1.0]),
        ("illumination.offset", [0.0] * 7),
        ("levels.0.status", "fine"),
        ("levels.0.iterations", -1),
        ("levels.0.width", 0),
    ],
)
def test_wrong_values_are_invalid(validator, path, value):
    assert not validator.is_valid(changed(path, value))


def objects(schema, path=""):
    """Every subschema that describes an object, with where it stands."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield path, schema
        for key, inner in schema.items():
            yield from objects(inner, f"{path}/{key}")


def test_nothing_is_undescribed_or_unlisted():
    found = list(objects(alignment_schema()))
    assert len(found) >= 9
    for path, schema in found:
        if path.endswith("/parameters"):  # open: its keys depend on the model
            continue
        assert schema["additionalProperties"] is False, path
        # Of the options Python knows one; whoever gives more gives all.
        required = schema.get("then", {}).get("required", schema["required"])
        assert sorted(required) == sorted(schema["properties"]), path
        for name, entry in schema["properties"].items():
            assert entry["description"], f"{path}/{name}"


def places(value, path=()):
    """Every object of a document, as the path of keys that leads to it."""
    if isinstance(value, dict):
        yield path
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from places(inner, (*path, index))


@pytest.mark.parametrize("place", [p for p in places(DOCUMENT) if p != ("parameters",)])
def test_missing_and_unknown_keys_are_invalid(validator, place):
    def at_place(document):
        for key in place:
            document = document[key]
        return document

    for key in at_place(DOCUMENT):
        document = copy.deepcopy(DOCUMENT)
        del at_place(document)[key]
        assert not validator.is_valid(document), key
    document = copy.deepcopy(DOCUMENT)
    at_place(document)["unknown"] = 1
    assert not validator.is_valid(document)


def test_every_start_and_no_other_has_a_name_in_the_schema():
    names = alignment_schema()["properties"]["start"]["enum"]
    assert names == [*START_NAMES, GIVEN]


def test_the_schema_of_an_earlier_version_is_still_published():
    for version in EARLIER_ALIGNMENTS:
        assert alignment_schema(version)["properties"]["schema"]["const"] == version
        assert version != ALIGNMENT


def test_each_call_gives_a_new_dict():
    alignment_schema()["properties"].clear()
    assert alignment_schema()["properties"]
