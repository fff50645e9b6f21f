"""How the log of a project is read: under its settings, or under those that a model was trained with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churn.home import Home
from churn.progress import Say
from churn.settings import Loaded, Settings
from features.errors import CheckFailed, SettingsError
from features.schema import REQUIRED

if TYPE_CHECKING:
    from features.activity.store import Activity, ActivitySettings
    from features.profiles.specification import Specification
    from features.settings import ChurnSettings, EventsSettings
    from features.users.attributes import AttributesSettings, KnownUsers
    from models.churn_model import ChurnModel

# what every profile depends on, whatever its features are
_ALWAYS_READ = (*REQUIRED, "count", "session_id", "duration_seconds", "ingested_at", "event_id")
_RECORDED_LATER = ("timezone", "format.decimal")  # models of before do not say under which they were trained


@dataclass(frozen=True)
class LogReader:
    """Reads the log of a project, and what is known of its users.

    Attributes
    ----------
    base
        Folder that a relative ``[events] path`` starts from: that of churn.toml.
    """

    loaded: Loaded
    home: Home
    base: Path

    @property
    def settings(self) -> Settings:
        """All sections."""
        return self.loaded.settings

    def with_nothing_set(self) -> LogReader:
        """Return the same as if nobody had set anything: a champion may have been trained under other settings than today's."""
        return replace(self, loaded=replace(self.loaded, origins={}))

    def activity(self, *, frozen: ChurnModel | None = None, say: Say = lambda _: None) -> Activity:
        """Return the kept activity of the log; under a model's frozen ``[churn]`` section where one is given.

        Raises
        ------
        InputError
            When the log cannot be read, or the settings contradict the model.
        """
        from features.activity.store import open_activity

        settings = self.activity_settings(frozen=frozen, say=say)
        activity = open_activity(settings, self.home.root, say=say)
        found = replace(activity, tables=self.known_users(activity, settings.churn))
        for note in found.notes:
            say(note)
        return found

    def known_users(self, activity: Activity, churn: ChurnSettings | None = None) -> KnownUsers:
        """Return what ``[users]`` and ``[identities]`` say of the users of an activity."""
        from features.users.attributes import open_known_users

        users = self._attributes(churn or self.settings.churn)
        return open_known_users(activity.connection, users, rejected=self.home.rejected)

    def _attributes(self, churn: ChurnSettings) -> AttributesSettings:
        """Return how ``[users]`` and ``[identities]`` are read; days are those of the log."""
        from features.users.attributes import AttributesSettings

        s = self.settings
        zones = churn.timezone, s.events.timezone
        carried = tuple(name for one in s.lists for name in one.columns)
        return AttributesSettings(s.users, s.identities, *zones, self.base, s.compute, s.export.id_column, carried)

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
        return ActivitySettings(self._events(say=say), churn, features, self.base, self.settings.compute)

    def _events(self, *, say: Say) -> EventsSettings:
        """Return the ``[events]`` section; where the log is in a database, with the path of what was fetched just now."""
        events = self.settings.events
        if not events.is_in_a_database:
            return events
        from features.log.database import fetch

        return events.model_copy(update={"path": fetch(events, self.home.root.absolute(), say=say)})

    def churn_of(self, model: ChurnModel) -> ChurnSettings:
        """Return the ``[churn]`` section that a model was trained under."""
        self._check_frozen("churn", model.frozen_churn)
        return self.settings.churn.model_copy(update=model.frozen_churn)

    def mapping_of(self, specification: Specification) -> dict[str, str]:
        """Return the expressions that give the columns that profiles read, the condition on rows, and how values are read, by name."""
        events = self.settings.events
        needs = {need for feature in specification.features for need in feature.needs}
        words = set(re.findall(r"\w+", f"{specification.qualifying} {specification.event}"))
        read = {*_ALWAYS_READ, *needs, *words}
        mapped = {name: text for name, text in events.mapping().items() if name in read} | {"where": events.where}
        mapped |= {"timezone": events.timezone, "format.decimal": events.format.decimal}
        return {name: " ".join(text.split()) for name, text in mapped.items()}

    def check_mapping(self, model: ChurnModel) -> None:
        """Refuse a model that was trained on columns that meant something else.

        Raises
        ------
        CheckFailed
            With the first column that differs, unless ``[scoring] allow_mapping_change`` is set.
        """
        if not model.mapping or self.settings.scoring.allow_mapping_change:
            return
        now = self.mapping_of(model.specification)
        known = {name: now.get(name, "") for name in _RECORDED_LATER} | model.mapping
        changed = [name for name in {**known, **now} if known.get(name, "") != now.get(name, "")]
        if changed:
            name, others = changed[0], f" (and {', '.join(changed[1:])})" if changed[1:] else ""
            before, after = (of.get(name) or "nothing" for of in (known, now))
            raise CheckFailed(
                f"[events] {name} is {after}, and the model was trained with {before}{others}: its scores may be wrong",
                hint="train again: churn train; or, where both mean the same, --allow-mapping-change",
            )

    def _check_frozen(self, section: str, frozen: Mapping[str, Any]) -> None:
        """Refuse settings, set by somebody, that contradict what a model was trained under."""
        configured = getattr(self.settings, section)
        for key, value in frozen.items():
            name = f"{section}.{key}"
            if name in self.loaded.origins and getattr(configured, key) != value:
                raise SettingsError(
                    f"{name} is {getattr(configured, key)!r} ({self.loaded.origins[name]}), "
                    f"but the model was trained with {value!r}",
                    hint="train a model with the new value: churn train; or take the setting back",
                )
