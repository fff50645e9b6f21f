"""Where a project stands: the log as it was last read, models, release, lists, and what comes next. Nothing is read anew."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churn.home import Home
from churn.results.status import ListState, Status
from churn.upgrade import format_of
from features.snapshots import latest_monday
from features.storage.versions import current_of
from models.registry import CHALLENGER, CHAMPION

if TYPE_CHECKING:
    from churn.project import Project
    from features.activity.manifest import Manifest
    from models.registry.registry import Registry

_WEEKS = 8


def status(project: Project) -> Status:
    """Say where a project stands.

    Raises
    ------
    InputError
        When a newer version of churn wrote its home.
    """
    format_of(Home(project.root))
    return _Standing(project).status()


def next_step(project: Project, *, reached: date | None = None) -> tuple[str, ...]:
    """Return the verb that comes next, and its options, as ``churn status`` names it.

    Parameters
    ----------
    reached
        A day that the log is known to reach, where the log under these settings was not read: a model's frozen ones may differ.
    """
    return _Standing(project, reached=reached).status().next


def kept_log(project: Project) -> tuple[Path, Manifest] | None:
    """Return the activity of the project's log as it was last read: its folder and manifest; None: it was not read yet."""
    from features.activity.manifest import read_manifest
    from features.activity.store import ActivitySettings

    s = project.settings
    digest = ActivitySettings(s.events, s.churn, s.features, project.base, s.compute).digest()
    folder = Home(project.root).activity / digest
    manifest = read_manifest(folder) if folder.is_dir() else None
    return (folder, manifest) if manifest else None


def existing_registry(project: Project) -> Registry | None:
    """Return the registry; None where nothing was registered on this machine, and no server is named."""
    is_there = os.environ.get("MLFLOW_TRACKING_URI") or Home(project.root).mlflow.exists()
    return project.registry if is_there else None


class _Standing:
    def __init__(self, project: Project, *, reached: date | None = None) -> None:
        self._project, self._home = project, Home(project.root)
        self._reached = reached
        self._days_to_label = cache(self._recorded_days)

    def status(self) -> Status:
        found = Status(
            str(self._project.config) if self._project.config else None,
            str(self._project.root),
            log=self._log(),
            training=self._training(),
            champion=self._version(CHAMPION),
            challenger=self._version(CHALLENGER),
            new_users=self._new_users(),
            release=self._release(),
            lists=self._lists(),
        )
        return replace(found, next=self._next(found))

    @cached_property
    def _manifest(self) -> Manifest | None:
        kept = kept_log(self._project)
        return kept[1] if kept else None

    @cached_property
    def _registry(self) -> Registry | None:
        return existing_registry(self._project)

    def _log(self) -> dict[str, Any]:
        if self._manifest is None:
            return {}
        coverage, inventory = self._manifest.coverage, self._manifest.inventory
        days = {"first_day": str(coverage.first_day), "covered_until": str(coverage.covered_until)}
        return {"rows": inventory.rows, "set_aside": sum(inventory.rejected.values()), **days}

    def _training(self) -> dict[str, Any]:
        found = self._registry.facts() if self._registry else None
        if found is None:
            return {}
        tags = {name: found.tags.get(name, "unknown") for name in ("grade", "audit")}
        return {"version": found.version, **tags, "registered_at": f"{found.registered_at:%Y-%m-%d %H:%M} UTC"}

    def _version(self, alias: str) -> str | None:
        return self._registry.version_of(alias) if self._registry else None

    def _new_users(self) -> dict[str, str]:
        """Return the versions of the model of new users by alias; empty where it was never trained."""
        if not self._registry or self._project.model_name != self._project.name:
            return {}
        registry = self._project.registry_of(self._project.new_users_name)
        found = {alias: registry.version_of(alias) for alias in (CHAMPION, CHALLENGER)}
        return {alias: version for alias, version in found.items() if version}

    def _release(self) -> dict[str, Any]:
        from serving.release.bundle import names_of
        from serving.release.release import store_of

        place = current_of(self._home.releases(self._project.name))
        if place is None:
            return {}
        store = store_of(place)
        written = datetime.fromtimestamp(place.stat().st_mtime, tz=UTC)
        return {
            "version": names_of(place).get("version", "unknown"),
            "cutoff": str(store.cutoff) if store else "unknown",
            "age_days": (datetime.now(UTC) - written).days,
        }

    def _lists(self) -> tuple[ListState, ...]:
        folder = self._home.weekly_lists(self._project.name)
        weeks = sorted(place for place in folder.glob("*") if place.is_dir())[-_WEEKS:]
        return tuple(self._list(place) for place in weeks if any(current_of(one) for one in place.iterdir()))

    def _list(self, week: Path) -> ListState:
        from serving.batch.scored_batch import read_manifest

        found = {one.name: current for one in sorted(week.iterdir()) if (current := current_of(one))}
        manifests = [manifest for one in found.values() if "cutoff" in (manifest := read_manifest(one))]
        ends = max(map(self._label_ends, manifests), default=None)
        is_closed = bool(ends and self._manifest and self._manifest.coverage.covered_until >= ends)
        return ListState(week.name, tuple(found), ends, is_closed)

    def _label_ends(self, manifest: Mapping[str, Any]) -> date:
        """Return the day on which the labels of a list are known, by the horizon of the model that scored it."""
        days = self._days_to_label(str(manifest.get("model")), str(manifest.get("version")))
        return date.fromisoformat(str(manifest["cutoff"])) + timedelta(days=days)

    def _recorded_days(self, name: str, version: str) -> int:
        """Return gap and horizon of a version of a model; those of today's settings where it is no longer registered."""
        registry = self._registry
        if registry and registry.project != name:
            registry = self._project.registry_of(name)
        recorded = registry.parameters_of(version) if registry else {}
        try:
            return int(recorded["churn.gap_days"]) + int(recorded["churn.horizon_days"])
        except KeyError:
            return self._project.settings.churn.purge_days

    def _next(self, found: Status) -> tuple[str, ...]:
        """Return the first thing that is missing."""
        if not (found.config or found.log or found.training):
            return ("init", "PATH")
        if not found.training:
            return ("train",) if found.log else ("horizon",)
        if found.challenger and found.challenger != found.champion and not self._is_judged(found):
            return ("promote",)
        return self._weekly(found) if found.champion else ("train",)

    def _weekly(self, found: Status) -> tuple[str, ...]:
        """Return what a week with a champion needs."""
        if found.release and found.release["version"] not in (found.champion, "unknown") and (week := self._week()):
            return ("score", "--week", week)  # until then the service answers from a former champion
        if week := self._week_to_export(found):
            return ("export", "--week", week)
        if not found.release and found.lists:
            return ("score", *cutoff_option(date.fromisoformat(found.lists[-1].week)))
        return ("outcomes",) if self._is_to_account(found) else ("serve",)

    def _is_to_account(self, found: Status) -> bool:
        """Tell whether a list is closed whose outcome the latest account did not know yet."""
        from churn.results.outcomes import NUMBERS

        closed = [one.label_ends for one in found.lists if one.is_closed and one.label_ends]
        account = current_of(self._home.outcomes(self._project.name))
        try:
            until = date.fromisoformat(json.loads((account / NUMBERS).read_bytes())["as_of"]) if account else date.min
        except (OSError, ValueError, KeyError, TypeError):  # damaged: it is written anew
            until = date.min
        return max(closed, default=date.min) > until

    def _is_judged(self, found: Status) -> bool:
        """Tell whether it was decided already that the challenger stays one."""
        facts = self._registry.facts(str(found.challenger)) if self._registry else None
        return facts is not None and "decision" in facts.tags

    def _week_to_export(self, found: Status) -> str:
        """Return the latest week whose Monday the log reaches, where there is no list of this cutoff or a later one."""
        days, week = [date.fromisoformat(one.week) for one in found.lists], self._week()
        return week if week and max(days, default=date.min) < date.fromisoformat(week) else ""

    def _week(self) -> str:
        """Return the latest week whose Monday the log reaches; empty: it is not known how far it does."""
        from serving.weekly.at_risk_list import week_of

        end = self._manifest.coverage.covered_until if self._manifest else self._reached
        return week_of(latest_monday(end)) if end else ""


def cutoff_option(cutoff: date) -> tuple[str, str]:
    """Return the option that names a cutoff: the week of a Monday, else the day."""
    from serving.weekly.at_risk_list import week_of

    return ("--week", week_of(cutoff)) if cutoff.weekday() == 0 else ("--as-of", str(cutoff))
