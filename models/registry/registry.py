"""Versions of one registered model, with the aliases ``challenger`` and ``champion``."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

# before the first import of mlflow, which is this one or that of tracking.py
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "1")

from mlflow.artifacts import download_artifacts
from mlflow.entities import LoggedModel
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from features.errors import CheckFailed, InputError, translated
from features.storage.full_disk import is_full, room_for
from models.churn_model import ChurnModel, load
from models.registry import CHALLENGER, CHAMPION
from models.registry.run_record import RECIPE, RunRecord, shortened
from models.registry.tracking import OpenRun, Store, exists_already, is_refusal, open_run, write

_log = logging.getLogger("churn")

_HISTORY = "champion_history"
_MAX_HISTORY = 100  # versions; a tag of a registered model holds 5,000 characters
_TESTED, _REFITTED = "tested_version", "refitted_version"
_MODEL = Path("data", "model")  # in the files of a version
_GONE = re.compile(r"No such file|No such artifact|does not exist|not found|404", re.IGNORECASE)


@dataclass(frozen=True)
class RegisteredModel:
    """A registered version with its model.

    Attributes
    ----------
    tested_version
        Of a refit version: the tested one, which the metrics belong to.
    refused
        What the server refused to set, and what to do; empty when all is set.
    """

    name: str
    version: str
    run_id: str
    model: ChurnModel
    tested_version: str | None = None
    refused: str = ""


@dataclass(frozen=True)
class VersionFacts:
    """What is recorded with a registered version; its model is not loaded."""

    version: str
    registered_at: datetime
    tags: dict[str, str]


@dataclass(frozen=True)
class Recorder:
    """An open run.

    Attributes
    ----------
    commit
        Git commit of the code; empty outside a checkout.
    log
        Record the training, register its model and point ``challenger`` at it.
    """

    run_id: str
    commit: str
    log: Callable[[RunRecord], RegisteredModel]


class Registry:
    """The registered model of one project. Opening it closes the runs of killed processes of this machine, and says so in the log.

    Parameters
    ----------
    home
        Where ``mlflow.db`` and the artifacts are kept, unless ``MLFLOW_TRACKING_URI`` names a server or store.
    project
        Name of the registered model and of the experiment.
    """

    def __init__(self, home: Path, project: str) -> None:
        self._store = Store(home, project)
        self._client = self._store.client
        self.project = project
        self.uri = self._store.uri
        for run in self._store.close_killed():
            _log.warning("churn: the process of the run %s in MLflow was killed; the run is closed as killed", run)

    # --- Registering -----------------------------------------------------------------------------------------------

    @contextmanager
    def run(self, name: str = "") -> Generator[Recorder]:
        """Open a run that spans a training; where the training raises, it ends as failed, with the reason."""
        with open_run(self._store, name) as into:
            yield Recorder(into.run_id, into.commit, lambda run: self._log(into, run))

    def log(self, run: RunRecord) -> RegisteredModel:  # pyright: ignore[reportReturnType]  # the with-block swallows nothing
        """Log a finished training, register its model and point ``challenger`` at it."""
        with self.run(run.name) as recorder:
            return recorder.log(run)

    def _log(self, into: OpenRun, run: RunRecord) -> RegisteredModel:
        with self._store.open():
            tested, refitted = write(into, run)
            self._ensure_registered_model(run.description)
            first = self._add(tested, run)
            if not (refitted and run.refitted):
                return self._as_challenger(RegisteredModel(self.project, first, into.run_id, run.model))
            second = self._add(refitted, run, tested_version=first)
            return self._as_challenger(RegisteredModel(self.project, second, into.run_id, run.refitted, first))

    def _ensure_registered_model(self, description: str) -> None:
        """Describe the model when it is created; what a team writes there later is kept."""
        try:
            self._client.get_registered_model(self.project)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            self._create_registered_model(description)

    def _create_registered_model(self, description: str) -> None:
        try:
            self._client.create_registered_model(self.project, description=shortened(description))
        except MlflowException as error:
            if not exists_already(error):  # else another run was first
                raise

    def _add(self, model: LoggedModel, run: RunRecord, *, tested_version: str | None = None) -> str:
        note = (
            f"Refit. The metrics are those of version {tested_version}, which was tested.\n\n" if tested_version else ""
        )
        made = self._client.create_model_version(
            self.project,
            f"models:/{model.model_id}",
            model.source_run_id,
            tags=dict(run.tags) | ({_TESTED: tested_version} if tested_version else {}),
            description=shortened(note + run.description),
            model_id=model.model_id,
        )
        return str(made.version)

    def _as_challenger(self, found: RegisteredModel) -> RegisteredModel:
        """Point the alias, and link the two versions of a refit, as far as the server permits."""
        links = {"version": found.version} | ({_TESTED: found.tested_version} if found.tested_version else {})
        for key, value in links.items():
            self._client.set_tag(found.run_id, key, value)
        try:
            self._point(CHALLENGER, found.version)
            if found.tested_version:
                self._client.set_model_version_tag(self.project, found.tested_version, _REFITTED, found.version)
        except MlflowException as error:
            if not is_refusal(error):
                raise
            self._client.set_tag(found.run_id, "alias", "refused by the server")
            return replace(found, refused=_by_hand(CHALLENGER, found.version))
        return found

    # --- Finding ---------------------------------------------------------------------------------------------------

    def get(self, alias: str) -> RegisteredModel:
        """Load a version by its alias or number.

        Raises
        ------
        InputError
            When there is none.
        """
        found = self._find(alias)
        if found is None:
            raise InputError(f'no model "{self.project}" is registered as {alias}', hint=self._hint_for(alias))
        with self._store.open(), temporary_files() as folder:
            model = self._loaded(found, folder)
        return RegisteredModel(self.project, str(found.version), str(found.run_id), model, found.tags.get(_TESTED))

    def _loaded(self, found: ModelVersion, folder: Path) -> ChurnModel:
        """Fetch the files of a version and read them; what is wrong with one is told of its own place, not of the copy."""
        place = self._client.get_model_version_download_uri(self.project, found.version)
        with translated((MlflowException, OSError), lambda error: _gone(found, place) if _says_gone(error) else None):
            # of 200 files these few are read: the others are copies of the code that made them
            files = f"models:/{self.project}/{found.version}/{_MODEL.as_posix()}"
            local = Path(download_artifacts(files, dst_path=str(folder)))
        if not local.is_dir():
            raise _gone(found, place)
        try:
            return load(local)
        except InputError as error:
            own = f"{self.project} version {found.version}, {place}/{_MODEL.as_posix()}"
            raise InputError(error.message.replace(str(local), own), hint=error.hint) from error

    def tags_and_parameters(self, of: RegisteredModel) -> tuple[dict[str, str], dict[str, str]]:
        """Return the tags of a version, and the parameters of its run, as text and whole where the run kept them as a file."""
        with self._store.open(), temporary_files() as folder:
            tags = self._client.get_model_version(self.project, of.version).tags
            found = dict(self._client.get_run(of.run_id).data.params)
            if RECIPE not in {one.path for one in self._client.list_artifacts(of.run_id)}:
                return dict(tags), found  # a run of an earlier version
            text = Path(self._client.download_artifacts(of.run_id, RECIPE, str(folder))).read_text()
        with suppress(ValueError):  # damaged: what MLflow has of them is left
            found |= {name: str(value) for name, value in json.loads(text).items()}
        return dict(tags), found

    def parameters_of(self, version: str) -> dict[str, str]:
        """Return the parameters of the run of a version; empty where there is none, or where its run was deleted for good."""
        found = self._find(version)
        with self._store.open():
            try:
                return dict(self._client.get_run(str(found.run_id)).data.params) if found else {}
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
                return {}

    def facts(self, alias: str = "") -> VersionFacts | None:
        """Return what is recorded with a version; default: the latest. None where there is none."""
        wanted = alias or self._latest()
        found = self._find(wanted) if wanted else None
        if found is None:
            return None
        at = datetime.fromtimestamp(found.creation_timestamp / 1000, tz=UTC)
        return VersionFacts(str(found.version), at, dict(found.tags))

    def version_of(self, alias: str) -> str | None:
        """Return the number of the version under an alias; None where there is none."""
        found = self._find(alias)
        return str(found.version) if found else None

    def has(self, alias: str) -> bool:
        """Whether a version is registered under an alias or number."""
        return self._find(alias) is not None

    def _find(self, alias: str) -> ModelVersion | None:
        with self._store.open():
            try:
                if alias.isdecimal():
                    return self._client.get_model_version(self.project, alias)
                return self._client.get_model_version_by_alias(self.project, alias)
            except MlflowException as error:
                if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                    return None
                raise

    def _hint_for(self, alias: str) -> str:
        latest = self._latest() if alias in (CHAMPION, CHALLENGER) else None
        if latest is None:
            return "train one: churn train"
        return "promote a challenger: churn promote" if alias == CHAMPION else _by_hand(alias, latest)

    def _latest(self) -> str | None:
        with self._store.open():
            query = f"name='{self.project}'"
            found = self._client.search_model_versions(query, max_results=1, order_by=["version_number DESC"])
        return str(found[0].version) if found else None

    # --- Champions -------------------------------------------------------------------------------------------------

    def promote(self, version: str, *, why: str, files: Mapping[str, str] | None = None) -> None:
        """Point ``champion`` at a version, keep the previous one in its history, and record why, as :meth:`note` does.

        Raises
        ------
        InputError
            When the server does not permit it.
        """
        champions = _until(self._history(), self.version_of(CHAMPION))
        self._move_champion(version)
        self._remember([*champions, version])
        self.note(version, why, files=files)

    def note(self, version: str, decision: str, *, files: Mapping[str, str] | None = None) -> None:
        """Record the decision about a version with the version; and texts by file name, with its run."""
        with self._store.open():
            self._client.set_model_version_tag(self.project, version, "decision", decision[:5000])
            run_id = str(self._client.get_model_version(self.project, version).run_id)
            for name, text in (files or {}).items():
                self._client.log_text(run_id, text, name)

    def rollback(self, *, say: Callable[[str], None] = lambda _: None) -> tuple[str, str]:
        """Point ``champion`` at the previous champion; return (from, to).

        Versions that have been deleted are skipped.

        Parameters
        ----------
        say
            Called with a warning when the alias was moved by hand, so that the history does not end with it.

        Raises
        ------
        CheckFailed
            When there is no earlier champion.
        InputError
            When the server does not permit it.
        """
        history, current = self._history(), self.version_of(CHAMPION)
        earlier = [v for v in _until(history, current)[:-1] if v != current and self.has(v)] if current else []
        if not earlier:
            raise CheckFailed("there is no earlier champion to go back to", hint="promote a challenger: churn promote")
        if history[-1:] != [current]:
            say(f"champion was moved by hand, from version {history[-1]} to {current}: going back to {earlier[-1]}")
        self._move_champion(earlier[-1])
        self._remember(earlier)
        return str(current), earlier[-1]

    def _move_champion(self, version: str) -> None:
        with self._store.open():
            try:
                self._point(CHAMPION, version)
            except MlflowException as error:
                if not is_refusal(error):
                    raise
                raise InputError(
                    f'MLflow at {self.uri} refuses to set the alias {CHAMPION} of the registered model "{self.project}": '
                    "the permission to edit it is missing",
                    hint=_by_hand(CHAMPION, version),
                ) from error

    def _point(self, alias: str, version: str) -> None:
        """Set an alias; MLflow inserts it where it finds none, so that of two runs at once the second may have to try again."""
        try:
            self._client.set_registered_model_alias(self.project, alias, version)
        except MlflowException as error:
            if "IntegrityError" not in str(error):
                raise
            self._client.set_registered_model_alias(self.project, alias, version)

    def _history(self) -> list[str]:
        with self._store.open():
            try:
                return json.loads(self._client.get_registered_model(self.project).tags.get(_HISTORY, "[]"))
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
                return []

    def _remember(self, champions: Sequence[str]) -> None:
        with self._store.open():
            kept = json.dumps(list(champions[-_MAX_HISTORY:]))
            self._client.set_registered_model_tag(self.project, _HISTORY, kept)


def _says_gone(error: Exception) -> bool:
    """Tell whether files are not where the store says; other trouble is the store's."""
    return not is_full(error) and bool(_GONE.search(str(error)))


def _gone(found: ModelVersion, place: str) -> InputError:
    return InputError(
        f"the files of {found.name} version {found.version} are gone: {place}",
        hint="restore them from a backup, or go back to another version (churn rollback), or train one: churn train",
    )


@contextmanager
def temporary_files() -> Generator[Path]:
    """Return a folder of the system's for the time of the block.

    Raises
    ------
    InputError
        When its disk is full.
    """
    with room_for(Path(gettempdir())), TemporaryDirectory() as folder:
        yield Path(folder)


def _until(history: list[str], current: str | None) -> list[str]:
    """Return the champions up to the current one, which may have been set by hand: an earlier one, or one never promoted."""
    if current is None:
        return history
    indices = [index for index, version in enumerate(history) if version == current]
    return history[: indices[-1] + 1] if indices else [*history, current]


def _by_hand(alias: str, version: str) -> str:
    return (
        f"ask somebody with the permission to edit the registered model to set the alias {alias} to version {version} "
        f"in the MLflow UI; until then use the version number: --model {version}"
    )
