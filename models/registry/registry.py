"""Versions of one registered model, and who among them is ``challenger`` and ``champion``."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

# before the first import of mlflow, which is this one or that of tracking.py
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "1")

from mlflow.artifacts import download_artifacts
from mlflow.entities import LoggedModel
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from features.errors import CheckFailed, InputError
from models.churn_model import ChurnModel, load
from models.registry.run_record import Run, shortened
from models.registry.tracking import Recording, Store, is_refusal, recording, write

CHAMPION, CHALLENGER = "champion", "challenger"
_HISTORY = "champion_history"
_LONGEST_HISTORY = 100  # versions; a tag of a registered model holds 5,000 characters
_TESTED, _REFITTED = "tested_version", "refitted_version"


@dataclass(frozen=True)
class Registered:
    """A registered version with its model.

    Attributes
    ----------
    tested_version
        Of a refitted version: the one that was tested, which the figures belong to.
    refused
        What the server did not let us set, and the way out; empty when all is set.
    """

    name: str
    version: str
    run_id: str
    model: ChurnModel
    tested_version: str | None = None
    refused: str = ""


@dataclass(frozen=True)
class Recorder:
    """An open run.

    Attributes
    ----------
    commit
        Git commit of what is run; empty where that is no checkout.
    log
        Write down what came of the training, register its model and point ``challenger`` at it.
    """

    run_id: str
    commit: str
    log: Callable[[Run], Registered]


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
        self._store = Store(home, project)
        self._client = self._store.client
        self.project = project
        self.uri = self._store.uri

    # --- Registering -----------------------------------------------------------------------------------------------

    @contextmanager
    def run(self, name: str = "") -> Generator[Recorder]:
        """Open a run around a training, so that it spans it; one that raises ends as failed, with the reason."""
        with recording(self._store, name) as into:
            yield Recorder(into.run_id, into.commit, lambda run: self._log(into, run))

    def log(self, run: Run) -> Registered:  # pyright: ignore[reportReturnType]  # the with-block swallows nothing
        """Log a training that is over, register its model and point ``challenger`` at it."""
        with self.run(run.name) as recorder:
            return recorder.log(run)

    def _log(self, into: Recording, run: Run) -> Registered:
        with self._store.open():
            tested, refitted = write(into, run)
            self._ensure_registered_model(run.description)
            first = self._add(tested, run)
            if not (refitted and run.refitted):
                return self._as_challenger(Registered(self.project, first, into.run_id, run.model))
            second = self._add(refitted, run, tested_version=first)
            return self._as_challenger(Registered(self.project, second, into.run_id, run.refitted, first))

    def _ensure_registered_model(self, description: str) -> None:
        """Describe it when it is made; what a team writes there later is theirs."""
        try:
            self._client.get_registered_model(self.project)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            self._client.create_registered_model(self.project, description=shortened(description))

    def _add(self, model: LoggedModel, run: Run, *, tested_version: str | None = None) -> str:
        said = (
            f"Refitted. The figures are those of version {tested_version}, which was tested.\n\n"
            if tested_version
            else ""
        )
        made = self._client.create_model_version(
            self.project,
            f"models:/{model.model_id}",
            model.source_run_id,
            tags=dict(run.tags) | ({_TESTED: tested_version} if tested_version else {}),
            description=shortened(said + run.description),
            model_id=model.model_id,
        )
        return str(made.version)

    def _as_challenger(self, found: Registered) -> Registered:
        """Point the alias, and tie the two versions of a refit together, as far as the server lets us."""
        tied = {"version": found.version} | ({_TESTED: found.tested_version} if found.tested_version else {})
        for key, value in tied.items():
            self._client.set_tag(found.run_id, key, value)
        try:
            self._client.set_registered_model_alias(self.project, CHALLENGER, found.version)
            if found.tested_version:
                self._client.set_model_version_tag(self.project, found.tested_version, _REFITTED, found.version)
        except MlflowException as error:
            if not is_refusal(error):
                raise
            self._client.set_tag(found.run_id, "alias", "refused by the server")
            return replace(found, refused=_by_hand(CHALLENGER, found.version))
        return found

    # --- Finding ---------------------------------------------------------------------------------------------------

    def get(self, alias: str) -> Registered:
        """Load the version behind an alias, or a version number.

        Raises
        ------
        InputError
            When there is none.
        """
        found = self._find(alias)
        if found is None:
            raise InputError(f'no model "{self.project}" is registered as {alias}', hint=self._way_to(alias))
        with self._store.open(), TemporaryDirectory() as folder:
            local = download_artifacts(f"models:/{self.project}/{found.version}", dst_path=folder)
            model = load(Path(local) / "data" / "model")
        return Registered(self.project, str(found.version), str(found.run_id), model, found.tags.get(_TESTED))

    def told(self, of: Registered) -> tuple[dict[str, str], dict[str, str]]:
        """Return the tags of a version, and the parameters of its run."""
        with self._store.open():
            tags = self._client.get_model_version(self.project, of.version).tags
            return dict(tags), dict(self._client.get_run(of.run_id).data.params)

    def has(self, alias: str) -> bool:
        """Tell whether a version is registered under an alias or number."""
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

    def _way_to(self, alias: str) -> str:
        if alias == CHAMPION:
            return "promote a challenger: churn promote"
        latest = self._latest() if alias == CHALLENGER else None
        return _by_hand(alias, latest) if latest else "train one: churn train"

    def _latest(self) -> str | None:
        with self._store.open():
            asked = f"name='{self.project}'"
            found = self._client.search_model_versions(asked, max_results=1, order_by=["version_number DESC"])
        return str(found[0].version) if found else None

    # --- Champions -------------------------------------------------------------------------------------------------

    def promote(self, version: str, *, why: str, files: Mapping[str, str] | None = None) -> None:
        """Point ``champion`` at a version, remember the one before, and write down why, as :meth:`note` does.

        Raises
        ------
        InputError
            When the server does not let us.
        """
        champions = _until(self._history(), self._champion())
        self._move_champion(version)
        self._remember([*champions, version])
        self.note(version, why, files=files)

    def note(self, version: str, decision: str, *, files: Mapping[str, str] | None = None) -> None:
        """Write down, with a version, what was decided about it; and texts by file name, with its run."""
        with self._store.open():
            self._client.set_model_version_tag(self.project, version, "decision", decision[:5000])
            run_id = str(self._client.get_model_version(self.project, version).run_id)
            for name, text in (files or {}).items():
                self._client.log_text(run_id, text, name)

    def rollback(self, *, say: Callable[[str], None] = lambda _: None) -> tuple[str, str]:
        """Point ``champion`` at the version before it; return (from, to).

        Versions that were deleted meanwhile are passed over.

        Parameters
        ----------
        say
            UserEvents when somebody moved the alias by hand, so that "before" is not what the history ends with.

        Raises
        ------
        CheckFailed
            When there was no champion before this one.
        InputError
            When the server does not let us.
        """
        history, current = self._history(), self._champion()
        earlier = [v for v in _until(history, current)[:-1] if v != current and self.has(v)] if current else []
        if not earlier:
            raise CheckFailed("there is no earlier champion to go back to", hint="promote a challenger: churn promote")
        if history[-1:] != [current]:
            say(f"champion was moved by hand, from version {history[-1]} to {current}: going back to {earlier[-1]}")
        self._move_champion(earlier[-1])
        self._remember(earlier)
        return str(current), earlier[-1]

    def _champion(self) -> str | None:
        found = self._find(CHAMPION)
        return str(found.version) if found else None

    def _move_champion(self, version: str) -> None:
        with self._store.open():
            try:
                self._client.set_registered_model_alias(self.project, CHAMPION, version)
            except MlflowException as error:
                if not is_refusal(error):
                    raise
                raise InputError(
                    f'MLflow at {self.uri} refuses to set the alias {CHAMPION} of the registered model "{self.project}": '
                    "the permission to edit it is missing",
                    hint=_by_hand(CHAMPION, version),
                ) from error

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
            kept = json.dumps(list(champions[-_LONGEST_HISTORY:]))
            self._client.set_registered_model_tag(self.project, _HISTORY, kept)


def _until(history: list[str], current: str | None) -> list[str]:
    """Return the champions up to the current one, who may have been set by hand: an earlier one again, or one never promoted."""
    if current is None:
        return history
    places = [place for place, version in enumerate(history) if version == current]
    return history[: places[-1] + 1] if places else [*history, current]


def _by_hand(alias: str, version: str) -> str:
    return (
        f"somebody with the permission to edit the registered model sets the alias {alias} to version {version} "
        f"in the MLflow UI; until then name the version: --model {version}"
    )
