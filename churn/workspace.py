"""A churn.toml and a home, opened: what every verb of the application stands on, and what the log tells without a model."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churn.home import Home
from churn.progress import Progress, Say, progress_of
from churn.upgrade import mark, open_home
from features.storage.stores import without_secrets
from models.registry import CHAMPION

if TYPE_CHECKING:
    from churn.reader import LogReader
    from churn.results import Audit, Horizon, Log, TrainingData
    from churn.settings import Loaded, Settings
    from features.activity.store import Activity
    from models.churn_model import ChurnModel
    from models.registry.registry import Registry
    from training.plan.plan import Recipe

DEFAULT_CONFIG, DEFAULT_HOME = Path("churn.toml"), Path(".churn")


def home_of(home: str | Path | None) -> Path:
    """Return where everything is kept: as given, else ``CHURN_HOME``, else ``.churn``."""
    return Path(home or os.environ.get("CHURN_HOME") or DEFAULT_HOME)


class Workspace:
    """Settings, home, registry and log; :class:`~churn.project.Project` says the parameters, and what can be done with them."""

    def __init__(
        self,
        config: str | Path | None = None,
        *,
        home: str | Path | None = None,
        events: Any = None,
        settings: Mapping[str, Any] | Sequence[str] = (),
    ) -> None:
        from churn.settings import parse_flags

        named = config or os.environ.get("CHURN_CONFIG")
        found = Path(named) if named else (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None)
        self.config = found
        self.root = home_of(home)
        self.base = found.parent if found else Path()
        given = dict(settings) if isinstance(settings, Mapping) else parse_flags(settings)
        self.loaded = self._of_population(self._loaded(given, events))

    def _loaded(self, given: Mapping[str, Any], events: Any) -> Loaded:
        from churn.settings import in_place_of_the_log, load_settings

        if events is None:
            return load_settings(self.config, flags=given)
        if isinstance(events, str | Path):
            return load_settings(self.config, flags=dict(given) | in_place_of_the_log(str(events)))
        from churn.frames import keep_frame

        place, columns = keep_frame(events, self.home.frames)
        flags = dict(given) | in_place_of_the_log(str(place))
        if "events.columns" not in load_settings(self.config, flags=given).origins:
            flags["events.columns"] = columns
        return load_settings(self.config, flags=flags)

    @staticmethod
    def _of_population(loaded: Loaded) -> Loaded:
        """Return the settings as they are for whom the model is: ``[training] population``."""
        s = loaded.settings
        if s.training.population != "new":
            return loaded
        from training.plan.new_users import new_users_only

        churn, features = new_users_only(s.churn, s.features, training=s.training)
        return replace(loaded, settings=s.model_copy(update={"churn": churn, "features": features}))

    def __repr__(self) -> str:
        """One line."""
        return f"<{type(self).__name__} {self.name}: {self.config or 'no settings file'}, home {self.root}>"

    @cached_property
    def home(self) -> Home:
        """Where everything is kept, opened when it is first used; one of an earlier version is brought to today's layout."""
        return open_home(self.root)

    @property
    def settings(self) -> Settings:
        """All sections."""
        return self.loaded.settings

    @property
    def name(self) -> str:
        """The name of the project: of its champion in the registry, of its lists and of its releases."""
        return self.settings.project.name

    @property
    def model_name(self) -> str:
        """The name of the registered model that is trained and promoted, and of its experiment: new users have one of their own."""
        return self.new_users_name if self.settings.training.population == "new" else self.name

    @property
    def new_users_name(self) -> str:
        """The name of the registered model of new users."""
        from training.plan.new_users import SUFFIX

        return f"{self.name}{SUFFIX}"

    @property
    def digest(self) -> str:
        """SHA-256 of every setting, for manifests."""
        return hashlib.sha256(self.settings.model_dump_json().encode()).hexdigest()[:16]

    def place_of(self, named: str) -> str:
        """Return a place that the settings name: a relative folder starts from that of churn.toml."""
        return named if "://" in named else str(self.base / named)

    @property
    def source(self) -> str:
        """The place of the log, in words that hold no secret."""
        events = self.settings.events
        return "a database" if events.is_in_a_database else without_secrets(str(events.path))

    @property
    def recipe(self) -> Recipe:
        """The sections that decide how a model is trained."""
        from training.plan.plan import Recipe

        s = self.settings
        return Recipe(s.churn, s.features, s.model, s.training, s.audit, s.outages, s.bots, s.drift)

    @cached_property
    def registry(self) -> Registry:
        """The registered model in MLflow that is trained and promoted."""
        return self.registry_of(self.model_name)

    @property
    def reader(self) -> LogReader:
        """Reads the log, under these settings or a model's."""
        from churn.reader import LogReader

        return LogReader(self.loaded, self.home, self.base)

    def registry_of(self, name: str) -> Registry:
        """Return a registered model in the project's MLflow."""
        from models.registry.registry import Registry

        registry = Registry(self.home.root, name)
        mark(self.home)
        return registry

    def check_population(self) -> None:
        """Refuse settings that are for training the model of new users, where all users are meant.

        Raises
        ------
        SettingsError
            Then.
        """
        if self.model_name != self.name:
            from features.errors import SettingsError

            raise SettingsError(
                f'[training] population is "new": {self.model_name} is trained, promoted and checked by itself, and never scores alone',
                hint=f"omit it, or set it to all: scores, lists and releases of {self.name} are of all users",
            )

    def load_model(self, model: str = CHAMPION) -> ChurnModel:
        """Return a registered model, which scores profiles and explains them.

        Parameters
        ----------
        model
            Alias or version number.

        Raises
        ------
        InputError
            When there is no such model.
        """
        return self.registry.get(model).model

    def activity(self, *, frozen: ChurnModel | None = None, say: Say = lambda _: None) -> Activity:
        """Return the kept activity of the log; under a model's frozen settings where one is given.

        Raises
        ------
        InputError
            When the log cannot be read, or the settings contradict the model.
        """
        activity = self.reader.activity(frozen=frozen, say=say)
        mark(self.home)
        return activity

    # --- The log, without a model ---------------------------------------------------------------------------------------

    def log(self, *, say: Progress | Say | None = None) -> Log:
        """Read the event log, and keep its activity.

        Raises
        ------
        InputError
            When the log cannot be read, or too much of it is invalid.
        """
        from churn.results import Log

        return Log(self.activity(say=progress_of(say).within))

    def horizon(self, *, say: Progress | Say | None = None) -> Horizon:
        """Show who comes back after how many idle days, what each horizon would give, and which one to take."""
        from churn.results import Horizon
        from training.horizon.advice import advise

        progress = progress_of(say)
        progress("reading the log")
        activity = self.activity(say=progress.within)
        progress("following users after they were last seen")
        return Horizon(advise(activity, self.recipe, settings=self.settings.advice), self.settings.churn)

    def audit(self, *, say: Progress | Say | None = None) -> Audit:
        """Look for leaks in what a model would be trained and tested on; nothing is registered.

        The rows of contacted users are checked too, and features that tell the date: a training excludes some, and checks what is left.

        Raises
        ------
        CheckFailed
            When the log is too short.
        """
        from churn.results import Audit
        from training.audit.audit import audit
        from training.pipeline import to_audit

        progress = progress_of(say)
        progress("reading the log")
        training = to_audit(self.activity(say=progress.within), self.recipe, say=progress)
        progress("checking")
        return Audit(audit(training, seed=self.settings.training.seed))

    def training_data(self, *, say: Progress | Say | None = None) -> TrainingData:
        """Return the labelled profiles and the split that a training would use, for a model of your own.

        With all columns, and the rows of users who were contacted. A training excludes features that drift or tell the date and, where
        enough users were held out, the rows of contacted users; those who were held out then have weights.
        """
        from churn.frames import training_data
        from training.pipeline import to_audit

        progress = progress_of(say)
        return training_data(to_audit(self.activity(say=progress.within), self.recipe, say=progress))
