"""docs/method.md stays true: its names exist, its tables match, its numbers can be reproduced."""

from __future__ import annotations

import configparser
import importlib
import math
import re
from pathlib import Path

import numpy as np
import pytest

from align_cli import engine
from align_cli.engine.equations.dense import assemble_matrix, assemble_vector
from align_cli.engine.equations.illumination import NO_TERMS, VARYING, Illumination, updated
from align_cli.engine.equations.normal_equations import Solver
from align_cli.engine.equations.normal_equations import columns as kept_columns
from align_cli.engine.geometry.coordinates import (
    at_level,
    corner_step_px,
    corners,
    inverse,
    map_points,
    normalisation,
)
from align_cli.engine.geometry.models import MODELS, MONOMIALS
from align_cli.engine.images.luma import luma
from align_cli.engine.images.pyramid import REACH, pyramid
from align_cli.engine.numerics.losses import LOSSES
from align_cli.engine.options import DEFAULTS
from align_cli.engine.records import Status
from align_cli.engine.result.warp import warp_image
from align_cli.engine.solver.gauss_newton import (
    PreviousStep,
    acceleration,
    compose_inverse,
)
from align_cli.engine.target.planes import target_planes

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "method.md").read_text(encoding="utf-8")
LINES = TEXT.splitlines()
REASONS = {"definition.", "derivation step.", "for comparison only."}
COMPUTED, NOT_COMPUTED = "Computed by: ", "Not computed: "


def names_in(line: str) -> list[str]:
    return re.findall(r"`([^`]+)`", line)


def table(header: str) -> list[list[str]]:
    """Cells of the rows of the table whose header line starts with ``header``."""
    start = next(i for i, line in enumerate(LINES) if line.startswith(header))
    rows = []
    for line in LINES[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line[1:-1].split("|")])
    return rows


def numbers() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.optionxform = str
    for block in re.findall(r"```ini\n(.*?)```", TEXT, re.DOTALL):
        parser.read_string(block)
    return parser


NUMBERS = numbers()


def number(section: str, name: str) -> float:
    return NUMBERS.getfloat(section, name)


def vector(section: str, name: str) -> np.ndarray:
    return np.array([float(word) for word in NUMBERS.get(section, name).split()])


COMPUTED_NAMES = sorted({n for line in LINES if line.startswith(COMPUTED) for n in names_in(line)})
DOTTED_NAMES = sorted(set(re.findall(r"`(align_cli\.[A-Za-z0-9_.]+)`", TEXT)))


# Names


def test_the_document_names_the_functions_that_a_reader_looks_for():
    assert len(COMPUTED_NAMES) > 25
    assert "align_cli.engine.equations.dense.RowEquations" in COMPUTED_NAMES
    assert "align_cli.engine.solver.gauss_newton.compose_inverse" in COMPUTED_NAMES


@pytest.mark.parametrize("name", COMPUTED_NAMES)
def test_every_computed_by_name_is_a_public_function_or_class_of_its_module(name):
    module_name, attribute = name.rsplit(".", 1)
    found = getattr(importlib.import_module(module_name), attribute)
    assert callable(found)
    assert found.__module__ == module_name
    assert not attribute.startswith("_")


@pytest.mark.parametrize("name", DOTTED_NAMES)
def test_every_dotted_name_in_the_text_exists(name):
    module_name, attribute = name.rsplit(".", 1)
    module = importlib.import_module(module_name)
    assert hasattr(module, attribute) or importlib.import_module(name)


def test_every_displayed_equation_says_what_computes_it():
    fences = [i for i, line in enumerate(LINES) if line.strip() == "$$"]
    assert len(fences) % 2 == 0
    for end in fences[1::2]:
        marker = next((line for line in LINES[end + 1 : end + 3] if line.strip()), "")
        where = f"line {end + 1}, the equation is followed by {marker!r}"
        if marker.startswith(COMPUTED):
            rest = re.sub(r"`[^`]+`(, )?", "", marker.removeprefix(COMPUTED))
            assert names_in(marker), where
            assert rest == "", where
        else:
            assert marker.startswith(NOT_COMPUTED), where
            assert marker.removeprefix(NOT_COMPUTED) in REASONS, where


def test_mathematics_uses_only_what_github_renders():
    displayed = re.findall(r"^\$\$\n(.*?)\n\$\$$", TEXT, re.DOTALL | re.MULTILINE)
    prose = re.sub(r"^\$\$\n.*?\n\$\$$", "", TEXT, flags=re.DOTALL | re.MULTILINE)
    prose = re.sub(r"```.*?```", "", prose, flags=re.DOTALL)
    prose = re.sub(r"`[^`]*`", "", prose)
    assert all(line.count("$") % 2 == 0 for line in prose.splitlines())
    for formula in displayed + re.findall(r"\$([^$]+)\$", prose):
        assert formula.count("{") == formula.count("}"), formula
        assert formula.count(r"\left") == formula.count(r"\right") + formula.count(r"\leftarrow")
        # Markdown eats these backslashes, save for a line break at the end of a line.
        assert not re.search(r"\\[,;:!{}|#]", formula), formula
        assert not re.search(r"\\\\(?!$)", formula, re.MULTILINE), formula
        assert r"\operatorname" not in formula


# Tables


def polynomial(text: str) -> np.ndarray:
    """Coefficients of 0, or of plus or minus one monomial, in the order of ``MONOMIALS``."""
    if text == "0":
        return np.zeros(len(MONOMIALS))
    names = ["1", "x", "y", "x^2", "x*y", "y^2"]
    assert MONOMIALS == ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2))
    sign = -1.0 if text.startswith("-") else 1.0
    return sign * np.eye(len(names))[names.index(text.lstrip("-"))]


def entry(text: str, values: dict[str, float]) -> float:
    """Value of a sum of numbers, parameters, and cos or sin of a parameter."""
    total = 0.0
    for sign, function, name in re.findall(r"([+-]?)(?:(cos|sin)\()?(\w+)\)?", text):
        value = values[name] if name in values else float(name)
        value = getattr(math, function)(value) if function else value
        total += -value if sign == "-" else value
    return total


MODEL_ROWS = {row[0]: row for row in table("| model | size | p |")}


def test_the_table_of_models_is_the_registry():
    assert list(MODEL_ROWS) == list(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_each_row_of_the_models_matches_the_code(name):
    model = MODELS[name]
    _, size, p, matrix, dx, dy = (cell.strip("`") for cell in MODEL_ROWS[name])
    assert int(size) == model.size
    assert len(p.split(", ")) == model.size
    np.testing.assert_array_equal([polynomial(t) for t in dx.split(", ")], model.jacobian_x)
    np.testing.assert_array_equal([polynomial(t) for t in dy.split(", ")], model.jacobian_y)
    values = np.linspace(0.01, 0.08, model.size)
    named = dict(zip(p.split(", "), values.tolist(), strict=True))
    rows = [[entry(t, named) for t in row.split(", ")] for row in matrix.split("; ")]
    np.testing.assert_allclose(rows, model.to_matrix(values), rtol=1e-14)


@pytest.mark.parametrize("name", MODELS)
def test_the_polynomials_are_the_derivatives_of_the_matrix(name):
    model = MODELS[name]
    point = np.array([[0.3, -0.7]])
    monomials = [point[0, 0] ** i * point[0, 1] ** j for i, j in MONOMIALS]
    for k, step in enumerate(np.eye(model.size) * 1e-6):
        up, down = (map_points(model.to_matrix(s), point)[0] for s in (step, -step))
        expected = [model.jacobian_x[k] @ monomials, model.jacobian_y[k] @ monomials]
        np.testing.assert_allclose((up - down) / 2e-6, expected, atol=1e-9)


LOSS_ROWS = {row[0]: row for row in table("| loss | rho(u) |")}


def weights(name: str, u: np.ndarray) -> np.ndarray:
    squared = np.square(u)
    LOSSES[name].weigh(squared)
    return squared


def test_the_table_of_losses_is_the_registry():
    assert list(LOSS_ROWS) == list(LOSSES)
    assert f"The default is `{DEFAULTS.loss}`" in TEXT.replace("\n", " ")


@pytest.mark.parametrize("name", LOSSES)
def test_each_row_of_the_losses_matches_the_code(name):
    loss = LOSSES[name]
    constant, rho, *sampled = LOSS_ROWS[name][3:]
    assert (math.inf if constant == "none" else float(constant)) == loss.constant
    assert float(rho) == pytest.approx(float(loss.rho(np.array([2.0]))[0]), abs=1e-6)
    np.testing.assert_allclose(
        [float(value) for value in sampled], weights(name, np.array([0.5, 2.0]))
    )


@pytest.mark.parametrize("name", [name for name, loss in LOSSES.items() if loss.robust])
def test_each_constant_keeps_95_percent_efficiency(name):
    z = np.linspace(-12.0, 12.0, 240_001)
    density = np.exp(-(z**2) / 2.0) / np.sqrt(2.0 * np.pi) * (z[1] - z[0])
    psi = z * weights(name, z / LOSSES[name].constant)
    efficiency = (np.gradient(psi, z) @ density) ** 2 / (psi**2 @ density)
    assert efficiency == pytest.approx(0.95, abs=1e-4)


def test_every_constant_in_the_text_is_one_of_the_engine():
    paths = Path(engine.__file__).parent.rglob("*.py")
    names = {name for path in paths for name in re.findall(r"[A-Z][A-Z_]+", path.read_text())}
    mentioned = set(re.findall(r"`([A-Z][A-Z_]+)`", TEXT)) - {"SRC", "DST"}
    assert mentioned <= names


def test_the_table_of_outcomes_is_complete():
    assert {row[0].strip("`") for row in table("| outcome | when |")} == {s.value for s in Status}


# Worked examples


def test_the_worked_point():
    section = "worked point"
    angle = np.radians(number(section, "angle_deg"))
    shift = [number(section, "shift_x"), number(section, "shift_y")]
    source = np.array([[number(section, "source_x"), number(section, "source_y")]])
    target = np.array([[number(section, "target_x"), number(section, "target_y")]])
    source_to_target = MODELS["rigid"].to_matrix(np.array([angle, *shift]))
    np.testing.assert_allclose(map_points(source_to_target, source), target, atol=1e-12)
    warp = inverse(source_to_target)
    np.testing.assert_allclose(map_points(warp, target), source, atol=1e-12)
    picture = np.arange(48, dtype=np.uint8).reshape(6, 8)
    warped = warp_image(picture, warp, target_size=(8, 6), source_size=(8, 6))
    (column, row), (warped_column, warped_row) = source[0].astype(int), target[0].astype(int)
    assert warped[warped_row, warped_column] == picture[row, column]
    assert f"`source[{row}, {column}]`" in TEXT
    assert f"`warped[{warped_row}, {warped_column}]`" in TEXT


Y, X = np.mgrid[:3, :3].astype(np.float64)
PIXELS = np.column_stack([X.ravel(), Y.ravel()])


def source_values(points: np.ndarray) -> np.ndarray:
    x, y = points.T
    return x**2 + x * y


TARGET = source_values(PIXELS + np.array([1.0, 0.0]))


def squared_error(warp: np.ndarray) -> float:
    return float(np.mean((source_values(map_points(warp, PIXELS)) - TARGET) ** 2))


def turned(theta: float, tx: float, ty: float, centre: float) -> np.ndarray:
    """The rigid warp about (centre, centre)."""
    there = MODELS["translation"].to_matrix(np.array([centre, centre]))
    return there @ MODELS["rigid"].to_matrix(np.array([theta, tx, ty])) @ np.linalg.inv(there)


def test_the_rigid_derivative_is_what_finite_differences_give():
    section, step = "rigid derivative", 1e-6
    assert squared_error(np.eye(3)) == pytest.approx(number(section, "E"), abs=1e-6)
    for centre, names in (
        (1.0, ("dE_dtheta_about_centre", "dE_dtx", "dE_dty")),
        (0.0, ("dE_dtheta_about_origin", "dE_dtx", "dE_dty")),
    ):
        for name, p in zip(names, np.eye(3) * step, strict=True):
            up, down = (squared_error(turned(*q, centre)) for q in (p, -p))
            assert (up - down) / (2.0 * step) == pytest.approx(number(section, name), abs=1e-5)


def test_the_rows_of_the_rigid_table():
    *rows, total = table("| x | y | r |")
    values = np.array([[float(cell) for cell in row] for row in rows])
    x, y = values[:, 0], values[:, 1]
    np.testing.assert_array_equal(values[:, :2], PIXELS)
    r = source_values(PIXELS) - TARGET
    gradient_x, gradient_y = 2.0 * x + y, x
    turn = -(y - 1.0) * gradient_x + (x - 1.0) * gradient_y
    expected = [r, gradient_x, gradient_y, r * gradient_x, r * gradient_y, r * turn]
    np.testing.assert_array_equal(values[:, 2:].T, expected)
    sums = [float(cell) for cell in total[5:]]
    np.testing.assert_array_equal(sums, values[:, 5:].sum(axis=0))
    listed = [
        number("rigid derivative", name) for name in ("dE_dtx", "dE_dty", "dE_dtheta_about_centre")
    ]
    np.testing.assert_allclose(np.array(sums) * 2.0 / 9.0, listed, atol=1e-6)


def test_what_gradient_descent_does():
    section = "gradient descent"
    width, height = (int(number(section, side)) for side in ("width", "height"))
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    about_centre = ((x - (width - 1) / 2) ** 2 + (y - (height - 1) / 2) ** 2).mean()
    about_origin = (x**2.0 + y**2.0).mean()
    assert about_centre == pytest.approx((width**2 - 1) / 12 + (height**2 - 1) / 12)
    assert number(section, "ratio_about_centre") == pytest.approx(about_centre, abs=0.01)
    assert number(section, "ratio_about_origin") == pytest.approx(about_origin, abs=0.01)
    assert number(section, "angle_error_factor") == pytest.approx(1.0 - about_centre, abs=0.01)
    steps = math.log(10.0) / -math.log1p(-1.0 / about_centre)
    assert number(section, "steps_for_one_digit_of_shift") == pytest.approx(steps, abs=1.0)


def test_how_far_the_corners_move_in_normalised_coordinates():
    section = "normalised coordinates"
    size = (int(number(section, "width")), int(number(section, "height")))
    to_normalised = normalisation(size)
    lengths = []
    for p in np.eye(3) * 1e-6:
        small = np.linalg.inv(to_normalised) @ MODELS["rigid"].to_matrix(p) @ to_normalised
        lengths.append(corner_step_px(small, size) / 1e-6)
    angle, shift = (number(section, f"corner_px_per_unit_{name}") for name in ("angle", "shift"))
    np.testing.assert_allclose(lengths, [angle, shift, shift], atol=1e-3)
    about_centre = number("gradient descent", "ratio_about_centre")
    ratio = about_centre / max(size) ** 2 * 4.0
    assert number(section, "ratio_about_centre") == pytest.approx(ratio, abs=1e-5)


def one_step(warp: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """J^T J, J^T r, p and the new warp of one step on the nine pixels, by the solver's parts."""
    model, size = MODELS["rigid"], (3, 3)
    to_normalised = normalisation(size)
    half = 1.0 / to_normalised[0, 0]
    r = (source_values(map_points(warp, PIXELS)) - TARGET).reshape(3, 3)
    gradient_x, gradient_y = 2.0 * (X + 1.0) + Y, X + 1.0
    powers = ((np.arange(3) - 1.0) / half)[:, None] ** np.arange(5)

    def moments(image: np.ndarray) -> np.ndarray:
        return powers.T @ image @ powers

    dark = np.zeros((3, 3))
    products = [gradient_x**2, gradient_x * gradient_y, gradient_y**2, *[dark] * 7]
    matrix = assemble_matrix(np.stack([moments(image) for image in products]), model, half)
    columns = (gradient_x, gradient_y, dark, dark)
    tables = np.stack([moments(column * r)[:3, :3] for column in columns])
    right = assemble_vector(tables, model, half)
    chosen = kept_columns(model.size, NO_TERMS, VARYING)
    p = Solver(matrix[np.ix_(chosen, chosen)]).step(right[chosen])
    small = np.linalg.inv(to_normalised) @ model.to_matrix(p[:3]) @ to_normalised
    return matrix[:3, :3], right[:3], p[:3], compose_inverse(warp, small)


def test_one_step_of_the_solver():
    section = "one step"
    matrix, right, p, warp = one_step(np.eye(3))
    listed = [[float(word) for word in row.split()] for row in NUMBERS[section]["JtJ"].split(",")]
    np.testing.assert_allclose(matrix, listed, atol=1e-9)
    np.testing.assert_allclose(right, vector(section, "Jtr"), atol=1e-9)
    np.testing.assert_allclose(p, vector(section, "p"), atol=1e-6)
    shift = map_points(warp, np.array([[1.0, 1.0]]))[0] - 1.0
    np.testing.assert_allclose(shift, vector(section, "centre_shift_px"), atol=1e-6)
    assert squared_error(np.eye(3)) == pytest.approx(number(section, "E_before"), abs=1e-6)
    assert squared_error(warp) == pytest.approx(number(section, "E_after"), abs=1e-6)
    for _ in range(4):
        *_, warp = one_step(warp)
    assert squared_error(warp) == pytest.approx(number(section, "E_after_5_steps"), abs=1e-20)
    np.testing.assert_allclose(warp, turned(0.0, 1.0, 0.0, 0.0), atol=1e-12)


def test_the_update_of_the_illumination():
    section = "illumination"
    illumination = Illumination.uniform(number(section, "gain"), number(section, "bias"))
    step = np.array([number(section, "d"), number(section, "e")])
    mean = number(section, "target_mean")
    new = updated(illumination, step, mean)
    assert new.gain == pytest.approx(number(section, "new_gain"), abs=1e-12)
    assert new.bias == pytest.approx(number(section, "new_bias"), abs=1e-12)
    # What the step explained is gone, for any target value.
    target = np.array([0.0, 0.4, 1.0])
    explained = target + step[0] * (target - mean) + step[1]
    source = illumination.gain * explained + illumination.bias
    np.testing.assert_allclose((source - new.bias) / new.gain, target, atol=1e-12)


def test_acceleration_sums_the_geometric_series():
    ratio = number("acceleration", "ratio")
    before = np.array([0.01, -0.004, 0.002])
    step = acceleration(ratio * before, PreviousStep(before, before))
    np.testing.assert_allclose(step, ratio * before * number("acceleration", "factor"), rtol=1e-6)


# Equations about whole levels


def test_the_pyramid_keeps_even_samples_of_the_binomial_filter():
    image = np.random.default_rng(1).uniform(size=(31, 37))
    below, above = pyramid(luma((255.0 * image).astype(np.uint8)), 2)
    kernel = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16.0
    assert above.size == (19, 16)
    for row, column in ((2, 3), (7, 9), (13, 16)):
        around = below.image[2 * row - 2 : 2 * row + 3, 2 * column - 2 : 2 * column + 3]
        assert above.image[row, column] == pytest.approx(float(kernel @ around @ kernel), abs=1e-6)
    warp = MODELS["homography"].to_matrix(np.array([0.1, 0.2, 3.0, -0.1, 0.3, -5.0, 1e-3, 2e-3]))
    points = corners(above.size)
    expected = map_points(warp, 2.0 * points) / 2.0
    np.testing.assert_allclose(map_points(at_level(warp, 1), points), expected, atol=1e-12)


def test_the_gradient_is_the_central_difference():
    image = np.random.default_rng(2).integers(0, 256, (20, 24)).astype(np.uint8)
    (level,) = pyramid(luma(image), 1)
    planes = target_planes(level)
    assert planes is not None
    assert planes.origin == (REACH + 1, REACH + 1)
    left, top = planes.origin
    x, y = 9, 11
    expected_x = (level.image[y, x + 1] - level.image[y, x - 1]) / 2.0
    expected_y = (level.image[y + 1, x] - level.image[y - 1, x]) / 2.0
    assert planes.whole.gradient_x[y - top, x - left] == pytest.approx(expected_x, abs=1e-6)
    assert planes.whole.gradient_y[y - top, x - left] == pytest.approx(expected_y, abs=1e-6)
