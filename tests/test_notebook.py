"""The notebook of the guides runs from top to bottom, and shows what it printed."""

from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "docs/guides/python.ipynb"


def test_the_notebook_is_executed_and_runs_again(tmp_path: Path):
    shown = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in shown.cells if cell.cell_type == "code"]
    assert all(cell.outputs for cell in code)
    again = NotebookClient(shown, timeout=200, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}})
    again.execute()
    assert all(output.output_type != "error" for cell in code for output in cell.outputs)
