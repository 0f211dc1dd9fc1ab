"""Which numbers were chosen, and on what grounds? ``python -m benchmarks.constants``.

Every numeric literal other than -1, 0, 1, 2 and 1/2 in the value of a module's or a class's name,
in a default argument, in a comparison, and in a call that clips (``clip``, ``min``, ``max`` and
their like); with it its measurement: the first sentence of the docstring that follows the name or
the names that it stands among. Left out are array indices, comparisons with an array's ``ndim`` or
``shape``, and what ``EXCEPTED`` names: what a unit, a type or a standard fixes. First the count of
each folder, then the list.
"""

from __future__ import annotations

import argparse
import ast
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "align_cli"

FREE = frozenset({0, 1, 2, 0.5})
CLIPPING = frozenset({"clip", "min", "max", "minimum", "maximum", "fmin", "fmax"})
LAYOUT = frozenset({"ndim", "shape"})
EXCEPTED: dict[str, tuple[str, ...]] = {
    "what a file format writes": (
        "files.metadata",
        "files.encode.FORMATS",
        "files.encode.PNG",
        "files.nodata.TAG",
        "files.orientation",
        "files.png._header",
        "files.png._key_chunk",
        "files.png._split",
        "files.png._with_key_as_alpha",
        "files.png.decoded",
        "files.pillow._JFIF_DENSITIES",
        "files.png_chunks",
        "files.pnm",
        "files.tiff._DEFLATES",
        "files.tiff._NO_COMPRESSION",
        "files.tiff._ORIENTATION_TAG",
        "files.tiff._WHITE_IS_ZERO",
        "files.tiff._EXTRA_SAMPLES_TAG",
        "files.tiff._PACKBITS",
        "files.tiff._PALETTE",
        "files.tiff._UNUSABLE_COLOURS",
        "files.tiff._YCBCR",
        "files.tiff._plain",
        "files.transform_formats.numbers",
        "files.transform_formats.parametric.PARAMETRISATIONS",
    ),
    "what a system or a library fixes": (
        "commands.exit_codes",
        "engine.images.luma.LARGEST_SIDE",
        "engine.images.luma.MOST_CV2_CHANNELS",
        "files.images._DECODERS",
    ),
    "the number of channels, entries or parameters": (
        "commands.inits._motion",
        "commands.regions.roi_in_px",
        "engine.images.luma.ALPHA_CHANNELS",
        "engine.search.mirror.LEFT_AND_RIGHT",
        "engine.equations.dense._IMAGE_IMAGE",
        "engine.equations.dense._ONE_ONE",
        "engine.geometry.models.MotionModel.projective",
        "engine.result.transform._UNIT_ENTRIES",
        "engine.result.warp.TOGETHER",
        "engine.result.warp.warp_image",
        "files.encode._CHANNEL_NAMES",
        "files.nodata._ALPHA_CHANNELS",
        "files.pillow._pixels",
        "files.tiff._opencv_pixels",
        "files.tiff._without_multiplied_alpha",
        "files.tiff.encode",
    ),
    "the range of a type": (
        "engine.selfcheck.GREY_LEVEL",
        "engine.starts.features.features",
        "files.tiff._through_palette",
        "report.error_scale.INK",
    ),
    "a unit": (
        "engine.options.LIMIT_RANGES",
        "report.legend.draw.percent / 100 >= error_scale.LAST_ERROR",
    ),
    "a definition or a formula": (
        "engine.images.luma.RED_GREEN_BLUE",
        "engine.images.noise.SECOND_DIFFERENCES",
        "engine.images.pyramid.BINOMIAL",
        "engine.numerics.losses.NORMAL_MEDIAN",
        "engine.sampling.bspline.POLE",
    ),
}
"""Whose numbers nobody chose, by what fixes them: names as the list writes them, after the name of
their module; a module or a function stands for all within it."""
FIXED = tuple(name for names in EXCEPTED.values() for name in names)


@dataclass(frozen=True)
class Constant:
    """The literals of one name, default or expression.

    Attributes:
        path: of the module.
        line: of the first of them.
        where: the name; or function and argument, or the function and what it compares or clips.
        literals: as they are written.
        measurement: the first sentence of the docstring; empty where there is none.
    """

    path: Path
    line: int
    where: str
    literals: tuple[str, ...]
    measurement: str = ""


def numbers(node: ast.AST) -> Iterator[ast.Constant]:
    """The literals of an expression that count; those of an index do not."""
    if isinstance(node, ast.Constant):
        if type(node.value) in {int, float} and node.value not in FREE:
            yield node
    else:
        parts = [node.value] if isinstance(node, ast.Subscript) else ast.iter_child_nodes(node)
        for part in parts:
            yield from numbers(part)


def of_layout(node: ast.expr) -> bool:
    """Whether an expression is an array's ``ndim`` or ``shape``, or a part of that."""
    node = node.value if isinstance(node, ast.Subscript) else node
    return isinstance(node, ast.Attribute) and node.attr in LAYOUT


def documented(body: Sequence[ast.stmt]) -> Iterator[tuple[ast.Assign | ast.AnnAssign, str]]:
    """The names of a module or class, each with the docstring of the block it stands in.

    A block are names on consecutive lines; its docstring follows the last.
    """
    block: list[ast.Assign | ast.AnnAssign] = []
    for statement, inlier_fraction in pairwise([*body, ast.Pass(lineno=0, end_lineno=0)]):
        if not isinstance(statement, ast.Assign | ast.AnnAssign):
            continue
        block.append(statement)
        adjoins = inlier_fraction.lineno == (statement.end_lineno or 0) + 1
        if adjoins and isinstance(inlier_fraction, ast.Assign | ast.AnnAssign):
            continue
        yield from ((name, text_of(inlier_fraction) if adjoins else "") for name in block)
        block = []


def names_of(statement: ast.Assign | ast.AnnAssign) -> list[str]:
    """What is assigned to, the parts of a tuple one by one."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    parts = (part.elts if isinstance(part, ast.Tuple) else [part] for part in targets)
    return [ast.unparse(name) for part in parts for name in part]


def text_of(statement: ast.stmt) -> str:
    """The first sentence of a docstring; empty where the statement is none."""
    value = statement.value if isinstance(statement, ast.Expr) else None
    if not isinstance(value, ast.Constant) or not isinstance(value.value, str):
        return ""
    return re.split(r"(?<=[.!?])\s", " ".join(value.value.split()), maxsplit=1)[0]


def excepted(name: str) -> bool:
    """Whether ``EXCEPTED`` names it, or what it stands in."""
    return any(f"{name}.".startswith(f"{fixed}.") for fixed in FIXED)


class Reader(ast.NodeVisitor):
    """Collects the constants of one module, each literal once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.module = module_name(path)
        self.found: list[Constant] = []
        self._scope: list[str] = []
        self._taken: set[ast.Constant] = set()

    def _add(self, nodes: Sequence[ast.AST], names: Sequence[str], measurement: str = "") -> None:
        """The literals of ``nodes``, unless all ``names`` that they have together are excepted."""
        literals = [n for node in nodes for n in numbers(node) if n not in self._taken]
        scope = "".join(f"{name}." for name in self._scope)
        if not literals or all(excepted(f"{self.module}.{scope}{name}") for name in names):
            return
        self._taken.update(literals)
        where, written = scope + ", ".join(names), tuple(map(ast.unparse, literals))
        line = literals[0].lineno
        self.found.append(Constant(self.path, line, where, written, measurement))

    def _names(self, body: Sequence[ast.stmt]) -> None:
        for statement, measurement in documented(body):
            if statement.value is not None:
                self._add([statement.value], names_of(statement), measurement)

    def visit_Module(self, node: ast.Module) -> None:
        self._names(node.body)
        self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._scope.append(node.name)
        self._names(node.body)
        self.generic_visit(node)
        self._scope.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._scope.append(node.name)
        every = node.args
        positional = [*every.posonlyargs, *every.args]
        last = positional[len(positional) - len(every.defaults) :]
        for argument, default in [
            *zip(last, every.defaults, strict=True),
            *zip(every.kwonlyargs, every.kw_defaults, strict=True),
        ]:
            if default is not None:
                self._add([default], [f"{argument.arg}="])
        self.generic_visit(node)
        self._scope.pop()

    def visit_Compare(self, node: ast.Compare) -> None:
        sides = [node.left, *node.comparators]
        if not any(map(of_layout, sides)):
            self._add(sides, [ast.unparse(node)])
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
        if name in CLIPPING:
            self._add([*node.args, *node.keywords], [ast.unparse(node)])
        self.generic_visit(node)


def module_name(path: Path) -> str:
    """As ``engine.luma``: from the package downwards."""
    inside = path.relative_to(PACKAGE) if path.is_relative_to(PACKAGE) else Path(path.name)
    return ".".join(inside.with_suffix("").parts)


def constants(path: Path) -> list[Constant]:
    """Of a module, or of all modules below a folder."""
    found: list[Constant] = []
    for module in [path] if path.is_file() else sorted(path.rglob("*.py")):
        reader = Reader(module)
        reader.visit(ast.parse(module.read_text("utf-8")))
        found += sorted(reader.found, key=lambda constant: constant.line)
    return found


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


def print_counts(found: Sequence[Constant]) -> None:
    literals: Counter[str] = Counter()
    unmeasured: Counter[str] = Counter()
    for constant in found:
        for group in (shown(constant.path.parent), "together"):
            literals[group] += len(constant.literals)
            unmeasured[group] += 0 if constant.measurement else len(constant.literals)
    print(f"{'':44}{'literals':>10}{'not measured':>14}")
    for group in [*sorted(literals.keys() - {"together"}), "together"]:
        print(f"{group:44}{literals[group]:>10}{unmeasured[group]:>14}")


def print_list(found: Sequence[Constant]) -> None:
    for constant in found:
        where = f"{shown(constant.path)}:{constant.line}"
        print(f"\n{where}  {constant.where}: {', '.join(constant.literals)}")
        print(f"    {constant.measurement or 'no measurement'}")


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument(
        "--of", type=Path, default=PACKAGE, metavar="PATH", help="a folder or module (align_cli)"
    )
    found = constants(options.parse_args().of.resolve())
    print_counts(found)
    print_list(found)


if __name__ == "__main__":
    main()
