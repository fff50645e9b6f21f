"""The only file that speaks to MLflow: runs, registered versions, the aliases ``challenger`` and ``champion``."""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "1")
# a tracking server that does not answer is said to be so within a minute, not within many
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "15")

import mlflow
import pandas as pd
from mlflow.artifacts import download_artifacts
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec

from features.errors import GuardRefused, InputError
from features.specification import Specification
from models.churn_model import ChurnModel, load

CHAMPION, CHALLENGER = "champion", "challenger"
_HISTORY = "champion_history"
_REQUIREMENTS = ("duckdb", "lightgbm", "msgspec", "numpy", "pandas", "pyarrow", "pydantic", "scikit-learn", "scipy")


@dataclass(frozen=True)
class Run:
    """Everything that one training leaves behind.

    Attributes
    ----------
    datasets
        Context (``training``, ``test``) to digest of the rows.
    artifacts
        Folder whose files are logged as they are.
    """

    model: ChurnModel
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    datasets: Mapping[str, str]
    artifacts: Path


@dataclass(frozen=True)
class Registered:
    """A registered version with its model."""

    name: str
    version: str
    run_id: str
    model: ChurnModel


class Registry:
    """The registered model of one project.

    Parameters
    ----------
    home
        Where ``mlflow.db`` and the artifacts live, unless ``MLFLOW_TRACKING_URI`` names a server or store.
    project
        Name of the registered model and of the experiment.
    """

    def __init__(self, home: Path, project: str) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home.resolve() / 'mlflow.db'}"
        self._registry_uri = os.environ.get("MLFLOW_REGISTRY_URI") or self.uri
        self._is_own = not os.environ.get("MLFLOW_TRACKING_URI")
        self._artifacts = home.resolve() / "artifacts"
        self.project = project
        with self._store():
            self._client = mlflow.MlflowClient(self.uri, self._registry_uri)

    @contextmanager
    def _store(self) -> Generator[None]:
        """Speak to this project's store, and keep MLflow's own chatter (database migrations) out of the user's terminal."""
        loggers = {name: logging.getLogger(name).level for name in ("mlflow", "alembic")}
        with warnings.catch_warnings(), _environment_kept("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
            warnings.simplefilter("ignore")
            mlflow.set_tracking_uri(self.uri)
            mlflow.set_registry_uri(self._registry_uri)
            try:
                for name in loggers:
                    logging.getLogger(name).setLevel(logging.ERROR)
                yield
            except MlflowException as error:
                raise InputError(f"MLflow at {self.uri}: {error}", hint="check MLFLOW_TRACKING_URI") from error
            finally:
                for name, level in loggers.items():
                    logging.getLogger(name).setLevel(level)

    def log(self, run: Run) -> Registered:
        """Log a training as a run, register its model and point ``challenger`` at it."""
        with self._store():
            registered = self._log_run(run)
            self._client.set_registered_model_alias(self.project, CHALLENGER, registered.version)
        return registered

    def _log_run(self, run: Run) -> Registered:  # pyright: ignore[reportReturnType]  # the with-block swallows nothing
        with mlflow.start_run(experiment_id=self._experiment(), tags=dict(run.tags)) as active:
            mlflow.log_params(dict(run.parameters))
            mlflow.log_metrics(dict(run.metrics))
            for context, digest in run.datasets.items():
                source = CodeDatasetSource(tags={"mlflow.source.name": self.project})
                mlflow.log_input(MetaDataset(source, name=f"{context}_profiles", digest=digest[:36]), context=context)
            mlflow.log_artifacts(str(run.artifacts))
            version = self._log_model(run.model)
            return Registered(self.project, version, active.info.run_id, run.model)

    def _experiment(self) -> str:
        found = mlflow.get_experiment_by_name(self.project)
        if found:
            return str(found.experiment_id)
        place = self._artifacts.as_uri() if self._is_own else None
        return str(mlflow.create_experiment(self.project, artifact_location=place))

    def _log_model(self, model: ChurnModel) -> str:
        root = Path(__file__).parent.parent
        with TemporaryDirectory() as folder:
            model.save(Path(folder) / "model")
            info = mlflow.pyfunc.log_model(
                name="model",
                loader_module="models.pyfunc",
                data_path=str(Path(folder) / "model"),
                code_paths=[str(root / "features"), str(root / "models")],
                pip_requirements=[f"{name}=={installed(name)}" for name in _REQUIREMENTS],
                signature=signature(model.specification),
                input_example=example(model.specification),
            )
        self._ensure_registered_model()
        made = self._client.create_model_version(self.project, info.model_uri, info.run_id, model_id=info.model_id)
        return str(made.version)

    def _ensure_registered_model(self) -> None:
        try:
            self._client.get_registered_model(self.project)
        except MlflowException:
            self._client.create_registered_model(self.project)

    def get(self, alias: str) -> Registered:
        """Load the version behind an alias, or a version number.

        Raises
        ------
        InputError
            When there is none.
        """
        found = self._find(alias)
        if found is None:
            raise InputError(f'no model "{self.project}" is registered as {alias}', hint=_way_to(alias))
        with self._store(), TemporaryDirectory() as folder:
            local = download_artifacts(f"models:/{self.project}/{found.version}", dst_path=folder)
            return Registered(self.project, str(found.version), str(found.run_id), load(Path(local) / "data" / "model"))

    def has(self, alias: str) -> bool:
        """Tell whether a version is registered under an alias."""
        return self._find(alias) is not None

    def _find(self, alias: str) -> ModelVersion | None:
        with self._store():
            try:
                if alias.isdecimal():
                    return self._client.get_model_version(self.project, alias)
                return self._client.get_model_version_by_alias(self.project, alias)
            except MlflowException as error:
                if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                    return None
                raise

    def promote(self, version: str, *, why: str) -> None:
        """Point ``champion`` at a version, and remember the one before."""
        with self._store():
            history = self._history()
            self._client.set_registered_model_tag(self.project, _HISTORY, json.dumps([*history, version]))
            self._client.set_model_version_tag(self.project, version, "decision", why[:5000])
            self._client.set_registered_model_alias(self.project, CHAMPION, version)

    def note(self, version: str, decision: str) -> None:
        """Write down, with a version, what was decided about it."""
        with self._store():
            self._client.set_model_version_tag(self.project, version, "decision", decision[:5000])

    def rollback(self) -> tuple[str, str]:
        """Point ``champion`` at the version before it; return (from, to).

        Raises
        ------
        GuardRefused
            When there was no champion before this one.
        """
        with self._store():
            history = self._history() if self.has(CHAMPION) else []
            if len(history) <= 1:
                raise GuardRefused(
                    "there is no earlier champion to go back to", hint="promote a challenger: churn promote"
                )
            self._client.set_registered_model_tag(self.project, _HISTORY, json.dumps(history[:-1]))
            self._client.set_registered_model_alias(self.project, CHAMPION, history[-2])
        return history[-1], history[-2]

    def _history(self) -> list[str]:
        return json.loads(self._client.get_registered_model(self.project).tags.get(_HISTORY, "[]"))


def signature(specification: Specification) -> ModelSignature:
    """Raw profiles in (text, or nullable doubles), one probability out."""
    columns: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.string if feature.is_text else DataType.double, feature.name, required=False)
        for feature in specification.features
    ]
    return ModelSignature(inputs=Schema(columns), outputs=Schema([ColSpec(DataType.double)]))


def example(specification: Specification) -> pd.DataFrame:
    """Two made-up profiles: the first known category and ones, then all absent. No user's data."""
    row = {
        f.name: (specification.categories.get(f.name) or ("unknown",))[0] if f.is_text else 1.0
        for f in specification.features
    }
    frame = pd.DataFrame([row, dict.fromkeys(row)])
    return frame.astype({f.name: "object" if f.is_text else "float64" for f in specification.features})


def _way_to(alias: str) -> str:
    return "promote a challenger: churn promote" if alias == CHAMPION else "train one: churn train"


@contextmanager
def _environment_kept(*names: str) -> Generator[None]:
    """Put variables back afterwards: MLflow writes the store it was told into the environment, where the next project finds it."""
    before = {name: os.environ.get(name) for name in names}
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
