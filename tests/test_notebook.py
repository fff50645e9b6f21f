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


def test_the_notebook_is_executed_and_runs_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name, value in QUICK.items():
        monkeypatch.setenv(name, value)
    shown = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in shown.cells if cell.cell_type == "code"]
    assert all(cell.outputs for cell in code)
    again = NotebookClient(shown, timeout=200, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}})
    again.execute()
    assert all(output.output_type != "error" for cell in code for output in cell.outputs)
