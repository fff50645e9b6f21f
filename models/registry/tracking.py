"""Trainings as MLflow runs: the contents of a run, and its store. With registry.py the only file that imports mlflow."""

from __future__ import annotations

import json
import logging
import os
import time
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import version as installed
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # the command has its own
# report a tracking server that does not answer within a minute, not within many
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "15")

import mlflow
from mlflow import entities
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor
from mlflow.tracking.context.registry import resolve_tags
from mlflow.utils.git_utils import get_git_commit
from mlflow.utils.mlflow_tags import MLFLOW_GIT_COMMIT, MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NOTE

from features.errors import ChurnError, InputError, translated
from features.storage.locks import locked
from models.churn_model import ChurnModel
from models.registry.killed_runs import close_killed, own_process
from models.registry.pyfunc import columns, example
from models.registry.run_record import (
    RECIPE,
    ChildRun,
    DatasetRecord,
    MetricHistory,
    RunRecord,
    parameter_text,
    shortened,
)
from models.registry.trouble import shown, store_error

_REQUIREMENTS = ("duckdb", "lightgbm", "msgspec", "numpy", "pandas", "pyarrow", "pydantic", "scikit-learn", "scipy")
_SAMPLE_EVERY_SECONDS = 5
_WAIT_SECONDS = 120
_BATCH = 100  # MLflow takes 1,000 metrics or 100 parameters at a time


class Store:
    """Where the runs and the registered model of one project are kept.

    Parameters
    ----------
    home
        Where ``mlflow.db`` and the artifacts are kept, unless ``MLFLOW_TRACKING_URI`` names a server or store.
    project
        Name of the experiment and of the registered model.
    """

    def __init__(self, home: Path, project: str) -> None:
        configured = os.environ.get("MLFLOW_TRACKING_URI")
        if not configured and (odd := {"?", "%"}.intersection(str(home.resolve()))):
            raise InputError(
                f"{home.resolve()}: MLflow cannot keep its database in a folder with {' or '.join(sorted(odd))} in its path",
                hint="use another home with --home, or name a store with MLFLOW_TRACKING_URI",
            )
        home.mkdir(parents=True, exist_ok=True)
        self.project = project
        self.uri = configured or f"sqlite:///{home.resolve() / 'mlflow.db'}"
        self._registry_uri = os.environ.get("MLFLOW_REGISTRY_URI") or self.uri
        self._artifacts = None if configured else (home.resolve() / "artifacts").as_uri()
        with nullcontext() if configured else _laying_out(home), self.open():
            self.client = mlflow.MlflowClient(self.uri, self._registry_uri)

    @contextmanager
    def open(self) -> Generator[None]:
        """Point MLflow here, and hide its own log messages (database migrations) from the user.

        Raises
        ------
        InputError
            When the store does not answer, cannot be used, or refuses the request.
        """
        loggers = {name: logging.getLogger(name).level for name in ("mlflow", "alembic")}
        with warnings.catch_warnings(), _environment_kept("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
            warnings.simplefilter("ignore")
            mlflow.set_tracking_uri(self.uri)
            mlflow.set_registry_uri(self._registry_uri)
            try:
                for name in loggers:
                    logging.getLogger(name).setLevel(logging.CRITICAL)  # errors are raised
                with translated(Exception, self._in_words):
                    yield
            finally:
                for name, level in loggers.items():
                    logging.getLogger(name).setLevel(level)

    def _in_words(self, error: Exception) -> ChurnError | None:
        known = store_error(error, self.uri)
        if known or not isinstance(error, MlflowException):
            return known
        hint = "ask for the permission there" if is_refusal(error) else "check MLFLOW_TRACKING_URI"
        return InputError(f"MLflow at {shown(self.uri)}: {error}", hint=hint)

    def close_killed(self) -> list[str]:
        """End the open runs of this machine's dead processes, as far as the store permits; return their names."""
        with suppress(InputError), self.open():
            found = self.client.get_experiment_by_name(self.project)
            return close_killed(self.client, str(found.experiment_id)) if found else []
        return []

    def experiment(self) -> str:
        """Return the id of the project's experiment; create it where it is missing."""
        found = self.client.get_experiment_by_name(self.project)
        if found:
            return str(found.experiment_id)
        tags = {"mlflow.experimentKind": "custom_model_development"}  # else the page opens on traces of language models
        try:
            return str(self.client.create_experiment(self.project, artifact_location=self._artifacts, tags=tags))
        except MlflowException as error:
            if not exists_already(error):
                raise
            return self.experiment()  # another run was first


def _laying_out(home: Path) -> AbstractContextManager[None]:
    """Let one run at a time open the database: MLflow makes its tables then, and two runs at once would fail."""
    busy = InputError(
        f"{home}: another run has been opening MLflow's database for {_WAIT_SECONDS} seconds",
        hint="wait for it or end it",
    )
    return locked(home / "locks" / "mlflow.lock", busy, wait_seconds=_WAIT_SECONDS)


def exists_already(error: MlflowException) -> bool:
    """Whether what was to be created is there: another run created it meanwhile."""
    return error.error_code == "RESOURCE_ALREADY_EXISTS"


def is_refusal(error: MlflowException) -> bool:
    """Whether the server understood the request and did not permit it."""
    return error.error_code in ("PERMISSION_DENIED", "UNAUTHENTICATED")


# --- The life cycle of a run ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OpenRun:
    """An open run."""

    store: Store
    run_id: str
    commit: str


@contextmanager
def open_run(store: Store, name: str = "") -> Generator[OpenRun]:
    """Open a run that spans a training.

    It ends as finished; as failed, with the reason in the tag ``error``, when the training raises; as killed when the user stops it.
    """
    with store.open():
        tags = _environment_tags()
        made = store.client.create_run(store.experiment(), tags=tags | own_process(), run_name=name or None)
        run = OpenRun(store, str(made.info.run_id), tags.get(MLFLOW_GIT_COMMIT, ""))
        monitor = _start_monitor(run)
    try:
        yield run
    except BaseException as error:
        with suppress(InputError), store.open():
            store.client.set_tag(run.run_id, "error", _reason(error))
            _end(run, monitor, status="FAILED" if isinstance(error, Exception) else "KILLED")
        raise
    with store.open():
        _end(run, monitor, status="FINISHED")


def _environment_tags() -> dict[str, str]:
    """What MLflow finds out itself: user and program; and the commit of the folder that churn runs in.

    MLflow looks for the commit next to the program, which is installed in an environment outside the repository.
    """
    found = {key: str(value) for key, value in resolve_tags().items()}
    commit = found.get(MLFLOW_GIT_COMMIT) or get_git_commit(str(Path.cwd()))
    return found | ({MLFLOW_GIT_COMMIT: commit} if commit else {})


def _reason(error: BaseException) -> str:
    """Our own messages contain no user ids; those of others may."""
    return shortened(f"{type(error).__name__}: {error}" if isinstance(error, ChurnError) else type(error).__name__)


def _start_monitor(run: OpenRun) -> SystemMetricsMonitor | None:
    if os.environ.get("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "true").lower() == "false":
        return None
    monitor = SystemMetricsMonitor(run.run_id, sampling_interval=_SAMPLE_EVERY_SECONDS, tracking_uri=run.store.uri)
    monitor.start()
    return monitor


def _end(run: OpenRun, monitor: SystemMetricsMonitor | None, *, status: str) -> None:
    if monitor:
        monitor.finish()
        monitor.collect_metrics()  # the last sample: of a run shorter than the interval, the only one
        monitor.publish_metrics(monitor.aggregate_metrics())
        monitor.mlflow_logger.flush()
    run.store.client.set_terminated(run.run_id, status=status)


# --- The contents of a run -----------------------------------------------------------------------------------------


def write(into: OpenRun, run: RunRecord) -> tuple[entities.LoggedModel, entities.LoggedModel | None]:
    """Write a training into its open run; return the tested logged model, and the refit one.

    The metrics belong to the tested model, and are shown with it too.
    """
    client, run_id = into.store.client, into.run_id
    client.update_run(run_id, name=run.name or None)
    _log(into, params=_params(run.parameters), tags=_tags(run))
    contexts = {context: [entities.InputTag("mlflow.data.context", context)] for context in run.datasets}
    _log_inputs(into, [entities.DatasetInput(_dataset(run, context), tags) for context, tags in contexts.items()])
    client.log_text(run_id, json.dumps(dict(run.parameters), indent=1, default=str), RECIPE)
    client.log_artifacts(run_id, str(run.artifacts))
    tested = _log_model(into, run.model, name="model", parameters=run.parameters)
    refitted = _log_model(into, run.refitted, name="refitted", parameters=run.parameters) if run.refitted else None
    _log(into, metrics=[_of_model(point, run, model_id=str(tested.model_id)) for point in _points(run.metrics)])
    _log(into, metrics=[point for name, curve in run.steps.items() for point in _curve(name, curve)])
    for child in run.children:
        _log_child(into, child)
    return tested, refitted


def _log_inputs(into: OpenRun, datasets: list[entities.DatasetInput]) -> None:
    """Log datasets; where another run writes the same ones at this moment, MLflow fails, and finds them the second time."""
    try:
        into.store.client.log_inputs(into.run_id, datasets)
    except MlflowException as error:
        if "unique constraint" not in str(error).lower():  # as SQLite and PostgreSQL say it
            raise
        into.store.client.log_inputs(into.run_id, datasets)


def _tags(run: RunRecord) -> list[entities.RunTag]:
    note = {MLFLOW_RUN_NOTE: shortened(run.description)} if run.description else {}
    return [entities.RunTag(name, value) for name, value in (dict(run.tags) | note).items()]


def _log(into: OpenRun, **kinds: Sequence[Any]) -> None:
    """Log ``params``, ``tags`` and ``metrics`` in batches that MLflow accepts."""
    for kind, items in kinds.items():
        for start in range(0, len(items), _BATCH):
            batch: Any = {kind: items[start : start + _BATCH]}
            into.store.client.log_batch(into.run_id, **batch)


def _params(parameters: Mapping[str, Any]) -> list[entities.Param]:
    return [entities.Param(name, parameter_text(value)) for name, value in parameters.items()]


def _points(metrics: Mapping[str, float]) -> list[entities.Metric]:
    now = time.time_ns() // 1_000_000
    return [entities.Metric(name, float(value), now, 0) for name, value in metrics.items()]


def _of_model(point: entities.Metric, run: RunRecord, *, model_id: str) -> entities.Metric:
    """Link a metric to its model and data set: ``test.auc`` to the rows of the context ``test``."""
    context = point.key.partition(".")[0]
    measured = _dataset(run, context) if context in run.datasets else None
    about = {"dataset_name": measured.name, "dataset_digest": measured.digest} if measured else {}
    return entities.Metric(point.key, point.value, point.timestamp, point.step, model_id=model_id, **about)


def _curve(name: str, curve: MetricHistory) -> list[entities.Metric]:
    at = [_milliseconds(day) for day in curve.days] or [time.time_ns() // 1_000_000] * len(curve.values)
    return [
        entities.Metric(name, float(value), when, step)
        for step, (value, when) in enumerate(zip(curve.values, at, strict=True), 1)
    ]


def _milliseconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)


def _dataset(run: RunRecord, context: str) -> entities.Dataset:
    found = run.datasets[context]
    data = DatasetRecord(found) if isinstance(found, str) else found
    scheme, is_address, _ = data.source.partition("://")
    return entities.Dataset(
        name=f"{context}_profiles",
        digest=data.digest[:36],  # all that MLflow keeps
        source_type=scheme if is_address else "local",  # as MLflow calls its own
        source=json.dumps({"uri": data.source}),
        schema=json.dumps({"mlflow_colspec": columns(run.model.specification)}),
        profile=json.dumps(dict(data.profile), default=str) if data.profile else None,
    )


def _log_child(parent: OpenRun, child: ChildRun) -> None:
    store = parent.store
    tags = dict(child.tags) | own_process() | {MLFLOW_PARENT_RUN_ID: parent.run_id}
    made = store.client.create_run(store.experiment(), tags=tags, run_name=child.name)
    into = OpenRun(store, str(made.info.run_id), parent.commit)
    _log(into, params=_params(child.parameters), metrics=_points(child.metrics))
    store.client.set_terminated(into.run_id)


def _log_model(into: OpenRun, model: ChurnModel, *, name: str, parameters: Mapping[str, Any]) -> entities.LoggedModel:
    """Log a model of a run, step by step: ``pyfunc.log_model`` needs an active run, and would copy all its metrics."""
    client, texts, root = into.store.client, {k: str(v) for k, v in parameters.items()}, Path(__file__).parents[2]
    made = client.create_logged_model(into.store.experiment(), name=name, source_run_id=into.run_id, params=texts)
    about = Model(artifact_path=made.artifact_location, run_id=into.run_id, model_id=made.model_id)
    with TemporaryDirectory() as folder:
        model.save(Path(folder) / "model")
        mlflow.pyfunc.save_model(
            f"{folder}/logged",
            mlflow_model=about,
            loader_module="models.registry.pyfunc",
            data_path=f"{folder}/model",
            code_paths=[str(root / "features"), str(root / "models")],
            pip_requirements=[f"{package}=={installed(package)}" for package in _REQUIREMENTS],
            signature=_signature(model),
            input_example=example(model.specification),
        )
        client.log_model_artifacts(made.model_id, f"{folder}/logged")
    client.log_outputs(into.run_id, [entities.LoggedModelOutput(made.model_id, step=0)])
    return client.finalize_logged_model(made.model_id, entities.LoggedModelStatus.READY)


def _signature(model: ChurnModel) -> ModelSignature:
    """Raw profiles in (text, or nullable doubles), one probability out."""
    texts = {"inputs": columns(model.specification), "outputs": [{"type": "double", "required": True}]}
    return ModelSignature.from_dict({side: json.dumps(found) for side, found in texts.items()})


@contextmanager
def _environment_kept(*names: str) -> Generator[None]:
    """Restore variables afterwards: MLflow writes its store into the environment, where the next project would find it."""
    before = {name: os.environ.get(name) for name in names}
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
