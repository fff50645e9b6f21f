"""A registered model is the one that was logged: here, in a process that knows no checkout, and served by MLflow."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from models.registry.pyfunc import example
from models.registry.registry import CHALLENGER, RegisteredModel, Registry
from tests.models.model_builder import profiles_of, tiny_model
from tests.models.run_builder import PROJECT
from tests.models.tracking_server import free_port, running


def files_of(home: Path) -> list[Path]:
    (model,) = home.glob("**/MLmodel")
    return [path for path in model.parent.rglob("*") if path.is_file()]


def test_a_registered_model_is_the_one_that_was_logged(registry: Registry):
    profiles = profiles_of(200, seed=3)
    found = registry.get(CHALLENGER).model.predict_probability(profiles)
    assert found.tobytes() == tiny_model().predict_probability(profiles).tobytes()


def test_nothing_is_pickled(home: Path, logged: RegisteredModel):
    assert not [path for path in files_of(home) if path.suffix in {".pkl", ".pickle", ".cloudpickle", ".joblib"}]
    assert "loader_module: models.registry.pyfunc" in next(home.glob("**/MLmodel")).read_text()


def test_requirements_are_pinned_and_hold_what_the_model_imports(home: Path, logged: RegisteredModel):
    (listed,) = (path.read_text().split() for path in files_of(home) if path.name == "requirements.txt")
    pinned = dict(line.split("==") for line in listed)
    assert {"lightgbm", "numpy", "pyarrow", "msgspec", "scipy", "scikit-learn"} <= set(pinned)


def at_store(registry: Registry) -> None:
    """Let MLflow's own functions look here, for this test."""
    import mlflow

    mlflow.set_tracking_uri(registry.uri)
    mlflow.set_registry_uri(registry.uri)


def test_the_signature_takes_text_as_text_and_numbers_as_nullable_doubles(registry: Registry, logged: RegisteredModel):
    from mlflow.models import get_model_info

    at_store(registry)
    signature = get_model_info(f"models:/{PROJECT}/{logged.version}").signature
    kinds = {column.name: (column.type.name, column.required) for column in signature.inputs}
    for feature in tiny_model().specification.features:
        assert kinds.pop(feature.name) == ("string" if feature.is_text else "double", False)
    assert kinds == {}
    assert [column.type.name for column in signature.outputs] == ["double"]


def test_the_input_example_is_made_up():
    frame = example(tiny_model().specification)
    numbers = frame.select_dtypes("number").iloc[0]
    assert (numbers == 1.0).all()
    assert frame.iloc[1].isna().all()


def frame() -> Any:
    return profiles_of(40, seed=8).to_pandas()


def test_the_pyfunc_gives_probabilities_and_the_same_ones(registry: Registry, monkeypatch: pytest.MonkeyPatch):
    import mlflow

    monkeypatch.setattr(sys, "path", list(sys.path))  # MLflow puts the model's own code there, and leaves it
    at_store(registry)
    found = mlflow.pyfunc.load_model(f"models:/{PROJECT}@{CHALLENGER}").predict(frame())
    assert np.asarray(found).tobytes() == tiny_model().predict_probability(profiles_of(40, seed=8)).tobytes()


ELSEWHERE = """
import sys
checkout = sys.argv[1]
sys.path = [place for place in sys.path if place not in ("", checkout)]  # the .pth of the checkout put it there
sys.meta_path = [finder for finder in sys.meta_path if "editable" not in repr(finder)]
import importlib.util
assert importlib.util.find_spec("features") is None and importlib.util.find_spec("models") is None
import mlflow, numpy, pandas
mlflow.set_tracking_uri(sys.argv[2])
found = mlflow.pyfunc.load_model(sys.argv[3]).predict(pandas.read_parquet("frame.parquet"))
import features, models
assert checkout not in features.__file__ and checkout not in models.__file__
numpy.save("found.npy", found)
"""


def test_a_process_that_knows_nothing_of_the_checkout_predicts_the_same(registry: Registry, tmp_path: Path):
    frame().to_parquet(tmp_path / "frame.parquet")
    checkout = str(Path(__file__).parents[3])
    asked = [checkout, registry.uri, f"models:/{PROJECT}@{CHALLENGER}"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(
        [sys.executable, "-P", "-c", ELSEWHERE, *asked],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    expected = tiny_model().predict_probability(profiles_of(40, seed=8))
    assert np.load(tmp_path / "found.npy").tobytes() == expected.tobytes()


@pytest.mark.slow
def test_the_scoring_server_of_mlflow_gives_the_same_probabilities(registry: Registry, tmp_path: Path):
    port = free_port()
    at_store(registry)  # the server finds the store in the environment
    arguments = ["models", "serve", "-m", f"models:/{PROJECT}@{CHALLENGER}", "--env-manager", "local"]
    arguments += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    address = f"http://127.0.0.1:{port}"
    asked = frame().drop(columns=["user_id", "cutoff"]).astype(object)
    rows = asked.where(asked.notna(), None).to_dict(orient="records")
    with running(arguments, ready=f"{address}/ping", log=tmp_path / "log.txt"):
        answer = httpx.post(f"{address}/invocations", json={"dataframe_records": rows}, timeout=30)
    expected = tiny_model().predict_probability(profiles_of(40, seed=8))
    assert answer.json()["predictions"] == expected.tolist()
