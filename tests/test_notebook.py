"""docs/notebook.ipynb runs, and shows what ``_repr_html_`` and ``plot`` make of a result."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "docs" / "notebook.ipynb"


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The outputs of each cell by its id, from a front end that has just opened it."""
    with pytest.MonkeyPatch.context() as patch:
        # Of whoever runs the tests, neither settings nor history are read or written.
        for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"):
            patch.setenv(name, str(tmp_path_factory.mktemp(name.lower())))
        patch.setenv("JUPYTER_PLATFORM_DIRS", "1")  # without it, jupyter_core warns of the change
        notebook = nbformat.read(NOTEBOOK, as_version=4)
        where = {"metadata": {"path": str(NOTEBOOK.parent)}}
        NotebookClient(notebook, timeout=120, resources=where).execute()
    return {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}


def data(outputs: Any, kind: str) -> str:
    """The only picture or text of a kind."""
    (found,) = [each.data[kind] for each in outputs if kind in each.get("data", {})]
    return str(found)


def test_it_is_small_and_holds_no_output() -> None:
    assert NOTEBOOK.stat().st_size < 10_000
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells)


def test_no_cell_fails_or_warns(cells: dict[str, Any]) -> None:
    assert len(cells) == 4
    for name, outputs in cells.items():
        assert all(each.output_type != "error" for each in outputs), name
        # Of the first use Matplotlib says that it looks for fonts.
        said = [each.text for each in outputs if each.get("name") == "stderr"]
        assert not any("Warning" in text for text in said), said


def test_a_result_shows_its_report_and_asks_no_server(cells: dict[str, Any]) -> None:
    shown = data(cells["found"], "text/html")
    assert "<strong>The images are aligned" in shown
    for words in ("homography", "ZNCC", "+-0.01", "89.2 %"):
        assert words in shown, words
    assert not re.search(r"""(?:src|href)\s*=\s*["']?\s*(?:https?:)?//""", shown)
    assert data(cells["found"], "text/plain").startswith("<Alignment aligned: homography, ")


def test_plot_and_warped_source_are_pictures(cells: dict[str, Any]) -> None:
    for name in ("plot", "warp"):
        assert data(cells[name], "image/png")
    (said,) = [each.text for each in cells["warp"] if each.get("name") == "stdout"]
    assert re.fullmatch(r"\[\[\d+\.\d+ +\d+\.\d+\]\]\n", said), said
