"""The notebook of the guides runs from top to bottom, and shows what it printed."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "docs/guides/python.ipynb"


# Not what it shows, but all that its cells ask for, in half of the time.
QUICK = {
    "CHURN_MODEL__MAX_ROUNDS": "30",
    "CHURN_MODEL__LOGISTIC_WEIGHT": "0",
    "CHURN_FEATURES__WINDOWS_DAYS": "[7, 28]",
    "CHURN_FEATURES__MAIN_EVENT_TYPES": "1",
    "CHURN_AUDIT__MAX_ROWS": "2000",
    "CHURN_AUDIT__REBUILT_PROFILES": "100",
}


def cells() -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]


def test_every_cell_shows_what_it_printed_and_compiles():
    assert all(cell.outputs for cell in cells())
    for number, cell in enumerate(cells()):
        compile(cell.source, f"cell {number}", "exec")


@pytest.mark.slow
def test_the_notebook_runs_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name, value in QUICK.items():
        monkeypatch.setenv(name, value)
    shown = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in shown.cells if cell.cell_type == "code"]
    again = NotebookClient(shown, timeout=200, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}})
    again.execute()
    assert all(output.output_type != "error" for cell in code for output in cell.outputs)
