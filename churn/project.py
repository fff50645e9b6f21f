"""One project, opened: settings, home, and how its parts are put together."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churn.settings import Loaded, Settings, load_settings, parse_flags
from features.errors import SettingsError

if TYPE_CHECKING:
    from features.activity.store import Activity, ActivitySettings, Say
    from features.settings import ChurnSettings, EventsSettings
    from features.users.attributes import AttributesSettings
    from models.churn_model import ChurnModel
    from models.registry.registry import Registry
    from training.plan.plan import Recipe

DEFAULT_CONFIG, DEFAULT_HOME = Path("churn.toml"), Path(".churn")


@dataclass(frozen=True)
class Project:
    """What every verb works on.

    Attributes
    ----------
    base
        Folder that a relative ``[events] path`` starts from: that of churn.toml.
    """

    loaded: Loaded
    home: Path
    base: Path

    @property
    def settings(self) -> Settings:
        """All sections."""
        return self.loaded.settings

    @property
    def digest(self) -> str:
        """SHA-256 of every setting, for manifests."""
        return hashlib.sha256(self.settings.model_dump_json().encode()).hexdigest()[:16]

    def activity(self, *, frozen: ChurnModel | None = None, say: Say = lambda _: None) -> Activity:
        """Return the kept activity of the log; under a model's frozen ``[churn]`` section where one is given.

        Parameters
        ----------
        say
            UserEvents how far the log is fetched and rolled up.

        Raises
        ------
        InputError
            When the log cannot be read, or the settings contradict the model.
        """
        from features.activity.store import open_activity
        from features.users.attributes import open_known_users

        settings = self.activity_settings(frozen=frozen, say=say)
        activity = open_activity(settings, self.home, say=say)
        tables = open_known_users(
            activity.connection, self._user_tables(settings.churn), rejected=self.home / "rejected"
        )
        return replace(activity, tables=tables)

    def _user_tables(self, churn: ChurnSettings) -> AttributesSettings:
        """Return how the tables beside the log are read; days are those of the log."""
        from features.users.attributes import AttributesSettings

        s = self.settings
        return AttributesSettings(s.users, s.identities, churn.timezone, s.events.timezone, self.base, s.compute)

    def activity_settings(self, *, frozen: ChurnModel | None = None, say: Say = lambda _: None) -> ActivitySettings:
        """Return what decides how the log becomes activity; under a model's frozen sections where one is given.

        Raises
        ------
        InputError
            When the settings contradict the model, or the database of the log cannot be read.
        """
        from features.activity.store import ActivitySettings

        churn, features = self.settings.churn, self.settings.features
        if frozen:
            churn = self.churn_of(frozen)
            self._check_frozen("features", frozen.frozen_features)
            features = features.model_copy(update=frozen.frozen_features)
        return ActivitySettings(self.events(say=say), churn, features, self.base, self.settings.compute)

    def events(self, *, say: Say = lambda _: None) -> EventsSettings:
        """Return the ``[events]`` section; where the log is in a database, with the path of what was fetched just now.

        Raises
        ------
        InputError
            When the database cannot be read.
        """
        events = self.settings.events
        if not events.is_in_a_database:
            return events
        from features.log.database import fetch

        return events.model_copy(update={"path": fetch(events, self.home.absolute(), say=say)})

    def churn_of(self, model: ChurnModel) -> ChurnSettings:
        """Return the ``[churn]`` section that a model was trained under.

        Raises
        ------
        SettingsError
            When somebody set a value that contradicts it.
        """
        self._check_frozen("churn", model.frozen_churn)
        return self.settings.churn.model_copy(update=model.frozen_churn)

    def _check_frozen(self, section: str, frozen: Mapping[str, Any]) -> None:
        """Refuse settings, set by somebody, that contradict what a model was trained under."""
        asked = getattr(self.settings, section)
        for key, value in frozen.items():
            name = f"{section}.{key}"
            if name in self.loaded.origins and getattr(asked, key) != value:
                raise SettingsError(
                    f"{name} is {getattr(asked, key)!r} ({self.loaded.origins[name]}), but the model was trained with {value!r}",
                    hint="train a model with the new value: churn train; or take the setting back",
                )

    @property
    def recipe(self) -> Recipe:
        """The sections that decide how a model is trained."""
        from training.plan.plan import Recipe

        s = self.settings
        return Recipe(s.churn, s.features, s.model, s.training, s.audit, s.outages, s.bots, s.drift)

    @property
    def name(self) -> str:
        """The name of the registered model, of the experiment and of the home's world."""
        return self.settings.project.name

    def name_of(self, horizon_days: int) -> str:
        """The name of the model of one of several horizons."""
        return f"{self.name}_{horizon_days}d"

    @property
    def source(self) -> str:
        """Where the log lies, in words that hold no secret."""
        events = self.settings.events
        return "a database" if events.is_in_a_database else str(events.path)

    @cached_property
    def registry(self) -> Registry:
        """The project's registered model in MLflow."""
        return self.registry_of(self.name)

    def registry_of(self, name: str) -> Registry:
        """A registered model in the project's MLflow."""
        from models.registry.registry import Registry

        return Registry(self.home, name)


def open_project(
    config: Path | None = None,
    *,
    home: Path | None = None,
    events: str | Path | None = None,
    pairs: Sequence[str] = (),
    flags: Mapping[str, Any] | None = None,
) -> Project:
    """Open the project of a churn.toml; without one, of the file in this folder if there is one.

    Parameters
    ----------
    events
        The log, in place of ``[events] path``; relative to the current folder.
    pairs
        ``section.key=value`` texts.
    flags
        ``section.key`` to value.
    """
    found = config or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None)
    given = parse_flags(pairs) | dict(flags or {}) | (_in_place_of_the_log(events) if events else {})
    place = home or Path(os.environ.get("CHURN_HOME", DEFAULT_HOME))
    return Project(load_settings(found, flags=given), place, found.parent if found else Path())


def _in_place_of_the_log(events: str | Path) -> dict[str, Any]:
    from features.log.files import is_remote

    place = str(events) if is_remote(str(events)) else str(Path(events).absolute())
    return {"events.path": place, "events.connection": None, "events.query": "", "events.watermark": ""}
