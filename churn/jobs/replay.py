"""Replay: what the lists of past Mondays would have reached, with the models that could have been known then."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from churn.contacts.base_rate import follow
from churn.contacts.past import PastContacts
from churn.contacts.treatment import treatment_of
from churn.engine import ScoredUsers, with_context, with_new_users
from churn.jobs.list_writer import ListWriter
from churn.jobs.outcomes import Ledger
from churn.jobs.replay_page import write_replay
from churn.jobs.review import Review
from churn.jobs.week import Week
from churn.progress import Progress, progress_of
from churn.results.replay import Monday, Replay, Users
from features.errors import CheckFailed, SettingsError
from features.profiles.build import build_profiles
from features.profiles.shared import SharedProfiles
from features.snapshots import Coverage, LabelWindow, latest_monday
from features.storage.versions import Place, current_of
from models.churn_model import ChurnModel
from models.evaluation.baselines import RULES, rule_scores
from models.scorers.base_rate import Prediction
from serving.batch.score import score_table
from serving.batch.scored_batch import Batch, read_manifest
from serving.weekly.account.outcomes import ScoredBatch
from serving.weekly.at_risk_list import ListRows, week_of
from serving.weekly.list_ledger import PastList
from serving.weekly.profit import ContactCosts, pays_from
from serving.weekly.selection import Mask, Selection
from training.data.dataset import label
from training.data.treatment import Treatment
from training.pipeline import fit_model

if TYPE_CHECKING:
    from churn.project import Project
    from features.activity.store import Activity

Retrain = Literal["weekly", "monthly", "quarterly"]
_WEEK = timedelta(days=7)
_SHOWN_RULES = ("recency", "frequency")


def replay(project: Project, mondays: int, *, retrain: Retrain, say: Progress) -> Replay:
    """Replay the latest Mondays whose horizons are over.

    Parameters
    ----------
    mondays
        How many.
    retrain
        How often a model is trained, as of the first Monday of a week, month or quarter.

    Raises
    ------
    SettingsError
        When Spark scores, which keeps no activity.
    CheckFailed
        When no Monday could be replayed.
    """
    if project.settings.compute.engine == "spark":
        hint = 'set [compute] engine = "duckdb"'
        raise SettingsError("churn replay reads kept activity, and Spark keeps none", hint=hint)
    say("reading the log")
    activity, window = project.activity(say=say.within), project.recipe.window
    days, found, skipped = _past_mondays(activity.coverage, window, mondays), list[_MondayResult](), dict[date, str]()
    labelled = [day - timedelta(days=window.days_to_label) for day in days]
    max_rows = project.recipe.training.max_training_rows
    shared = SharedProfiles(activity, ahead=[*days, *labelled], max_rows=max_rows)
    machine = _TimeMachine(project, replace(activity, shared=shared), retrain, say)
    say(f"replaying {len(days)} Mondays")
    for day in days:
        say.within(f"replaying {day}, {days.index(day) + 1} of {len(days)}")
        try:
            found.append(machine.monday(day))
        except CheckFailed as error:  # the log was too short to train on
            skipped[day] = error.message
    if not found:
        why = next(iter(skipped.values()), f"the log covers no Monday whose {window.days_to_label} days are over")
        raise CheckFailed(f"no Monday can be replayed: {why}", hint="replay again when the log is longer")
    choices = [choice for one in found for choice in one.choices]
    contacted = pa.concat_tables([one.contacts for one in found])
    done = Replay(tuple(one.monday for one in found), _users(found), skipped, _pays(choices), contacted)
    say("writing the page")
    return write_replay(done, Place(project.home.replay(project.name), say=say.within))


def _past_mondays(coverage: Coverage, window: LabelWindow, count: int) -> list[date]:
    """Return the latest Mondays whose horizons are over, in order of time."""
    latest = window.latest_finished(coverage.covered_until)
    monday = latest_monday(latest)
    return [day for day in (monday - _WEEK * back for back in range(count)) if day > coverage.first_day][::-1]


@dataclass(frozen=True)
class _Choice:
    """Who was to be contacted by one list of a Monday, with what is known of each: who left, and what they were worth."""

    costs: ContactCosts | None
    churned: Mask
    value: NDArray[np.float64]


@dataclass(frozen=True)
class _MondayResult:
    """A Monday, and the ids of its leavers and of those that were reached: by the lists, and by rules."""

    monday: Monday
    leavers: frozenset[str]
    reached: frozenset[str]
    reached_by: dict[str, frozenset[str]]
    choices: tuple[_Choice, ...]
    contacts: pa.Table


@dataclass(frozen=True)
class _TimeMachine:
    """Scores and lists of past Mondays, each as it was known on that day.

    Attributes
    ----------
    models
        Day to the model that was trained as of it, or why none could be.
    lists
        Of the Mondays that were not really run, as they would have been written.
    """

    project: Project
    activity: Activity
    retrain: Retrain
    say: Progress
    models: dict[date, ChurnModel | CheckFailed] = field(default_factory=dict[date, "ChurnModel | CheckFailed"])
    lists: list[PastList] = field(default_factory=list[PastList])

    def monday(self, day: date) -> _MondayResult:
        """Replay one Monday.

        Raises
        ------
        CheckFailed
            When no model could have been trained by then.
        """
        really = self._batches.get(day)
        week = self._real_week(really) if really else self._possible_week(day)
        nobody = np.zeros(week.users.scores.num_rows, dtype=np.bool_)
        selections = week.selections if really else week.selected(nobody)
        if not really:
            lists = ListRows(week.candidates, self.project.settings.export)
            self.lists.extend(
                PastList(day, one.settings.name, week.batch.version, 0.0, lists.entries(one, week.users.scores))
                for one in selections
            )
        return self._what_happened(week, selections, differing=self._differing(week) if really else None)

    # --- Weeks that were really run --------------------------------------------------------------------------------

    @cached_property
    def _ledger(self) -> Ledger:
        return Ledger(self.project, self.say)

    @cached_property
    def _batches(self) -> dict[date, ScoredBatch]:
        """Monday to the batch behind its lists, where lists were written."""
        listed = {one.cutoff for one in self._ledger.lists}
        return {one.cutoff: one for one in self._ledger.batches if one.cutoff in listed}

    def _real_week(self, batch: ScoredBatch) -> Week:
        """Return a week with the model, the shift and the arms with which it was run."""
        about = read_manifest(batch.folder)
        shift = float(about.get("base_rate_shift", 0.0))
        model = replace(self._ledger.model(batch.version), shift=shift)
        if model.definition.window.end(batch.cutoff) > self.activity.coverage.covered_until:
            words = f"the horizon of version {batch.version}, which scored on {batch.cutoff}, is not over"
            raise CheckFailed(words, hint="replay again when the log is longer")
        known = self._ledger.log_of(model).as_of(batch.cutoff)
        contacts = self._contacts_before(batch.cutoff, model)
        users = self._scored(contacts, model, known, Prediction(shift, "as the ledger keeps it"))
        if by := str(about.get("new_users", "")):
            registered = self.project.registry_of(by.rpartition("/")[0]).get(by.rpartition("/")[2])
            own = float(about["new_users_shift"])
            users = with_new_users(users, registered, cutoff=batch.cutoff, say=self.say, shift=own)
        again = Batch(batch.cutoff, self.project.name, batch.version, "", shift)
        written = next(one for one in self._ledger.lists if one.cutoff == batch.cutoff)
        return Week(self.project, users, again, dry_run=True, written=written)

    def _differing(self, week: Week) -> tuple[str, ...]:
        """Write the lists of a week again, and return which files are not, byte for byte, what was written that week."""
        project, cutoff = self.project, week.batch.cutoff
        writer = ListWriter(week, Review(week, progress_of(self.say.within)))
        drafts = {one.selection.settings.name: one for one in writer.drafts}
        differing = sorted({one.name for one in self._ledger.lists if one.cutoff == cutoff} ^ drafts.keys())
        with TemporaryDirectory() as folder:
            for name, draft in drafts.items():
                again = [Place(Path(folder) / part / name) for part in ("ledger", "lists")]
                writer.write_into(*again, ready=writer.ready(draft))
                written = [
                    home(project.name, week_of(cutoff), name)
                    for home in (project.home.list_ledger, project.home.weekly_list)
                ]
                for here, there in zip(again, written, strict=True):
                    differing += [f"{name}/{file}" for file in _differing_files(here.folder, there)]
        return tuple(differing)

    # --- Weeks that could have been run ----------------------------------------------------------------------------

    def _possible_week(self, day: date) -> Week:
        """Return a week with a model that could have been known, and nobody held out."""
        trained, known = self._training_day(day), self.activity.as_of(day)
        quiet = progress_of(self.say.within)
        contacts = self._contacts_before(day, self._model(trained))
        model, shift = follow(contacts, self._model(trained), activity=known, say=quiet)
        self.models[trained] = replace(model, shift=0.0)  # what it has learned of closed cutoffs is not computed again
        users = self._scored(contacts, model, known, shift)
        earlier = [one for one in self._ledger.lists if one.cutoff < day] + self.lists
        batch = Batch(day, self.project.name, f"as of {trained}", "", shift.shift)
        return Week(self.project, users, batch, dry_run=True, lists_before=sorted(earlier, key=lambda one: one.cutoff))

    def _training_day(self, day: date) -> date:
        """Return the first Monday of the week, month or quarter of a Monday."""
        months = {"weekly": 0, "monthly": 1, "quarterly": 3}[self.retrain]
        if not months:
            return day
        first = date(day.year, (day.month - 1) // months * months + 1, 1)
        monday = first + timedelta(days=-first.weekday() % 7)
        return monday if monday <= day else self._training_day(first - timedelta(days=1))

    def _model(self, day: date) -> ChurnModel:
        """Return the model that was trained as of a day.

        Raises
        ------
        CheckFailed
            When the log was too short.
        """
        if day not in self.models:
            self.models[day] = self._trained(day)
        found = self.models[day]
        if isinstance(found, CheckFailed):
            raise found
        return found

    @cached_property
    def _treatment(self) -> Treatment:
        return treatment_of(self.project)

    def _trained(self, day: date) -> ChurnModel | CheckFailed:
        if day <= self.activity.coverage.first_day:
            return CheckFailed(f"the log begins after {day}", hint="")
        self.say.within(f"training as of {day}")
        try:
            known, recipe, treatment = self.activity.as_of(day), self.project.recipe, self._treatment.before(day)
            return fit_model(known, recipe, say=self.say.within, treatment=treatment)
        except CheckFailed as error:
            return error

    # --- Both ------------------------------------------------------------------------------------------------------

    def _scored(self, contacts: PastContacts, model: ChurnModel, known: Activity, shift: Prediction) -> ScoredUsers:
        specification = with_context(model.specification, known.facts)
        profiles = build_profiles(known, specification, cutoffs=[contacts.before])
        scores = score_table(model, profiles, bands=self.project.settings.scoring)
        return ScoredUsers(model, profiles, scores, shift, contacts, known)

    def _contacts_before(self, day: date, model: ChurnModel) -> PastContacts:
        return PastContacts(self.project, day, model.specification.timezone)

    def _what_happened(
        self, week: Week, selections: Sequence[Selection], *, differing: tuple[str, ...] | None
    ) -> _MondayResult:
        users = week.users
        is_scored = np.asarray(users.scores.column("raw_score").is_valid())
        churn = self.project.recipe.churn.model_copy(update=users.model.frozen_churn)
        churned = is_scored & label(self.activity, users.profiles, churn=churn).churned
        contacted = np.zeros(len(churned), dtype=np.bool_)
        for one in selections:
            contacted[one.treated] = True
        ids: NDArray[Any] = np.asarray(users.scores.column("user_id"))
        by_rule = {name: ranked[: contacted.sum()] for name, ranked in _ranked_by_rules(week)}
        choices = tuple(_choice(one, churned) for one in selections)
        reached_by = {name: frozenset(ids[chosen][churned[chosen]].tolist()) for name, chosen in by_rule.items()}
        reached = frozenset(ids[contacted & churned].tolist())
        found = Monday(
            week.batch.cutoff,
            week.batch.version if differing is None else f"version {week.batch.version}",
            int(is_scored.sum()),
            int(churned.sum()),
            int(contacted.sum()),
            len(reached),
            {name: len(some) for name, some in reached_by.items()},
            _pays(choices),
            differing,
        )
        contacts = pa.concat_tables([_contacts(week, one, churned) for one in selections])
        return _MondayResult(found, frozenset(ids[churned].tolist()), reached, reached_by, choices, contacts)


def _ranked_by_rules(week: Week) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Rank who could be on a list by simple rules, the riskiest first; those without a value come last."""
    among = np.flatnonzero(week.could_be_listed)
    profiles = week.users.profiles
    for name in _SHOWN_RULES:
        if RULES[name].column in profiles.column_names:
            scores = np.nan_to_num(rule_scores(profiles, name)[among], nan=-np.inf)
            yield name, among[np.argsort(-scores, kind="stable")]


def _differing_files(here: Path, there: Path) -> list[str]:
    """Return the names of files that are not the same in the current versions of two places; none where one has no version."""
    versions = current_of(here), current_of(there)
    if not all(versions):
        return []
    files: list[dict[str, Any]] = [read_manifest(one).get("files", {}) for one in versions if one]
    return sorted(name for name in files[0].keys() | files[1].keys() if files[0].get(name) != files[1].get(name))


def _contacts(week: Week, one: Selection, churned: Mask) -> pa.Table:
    """Return who was to be contacted by a list, and whether they left."""
    rows, count = pa.array(one.treated, pa.int64()), len(one.treated)
    chosen = week.users.scores.take(rows)
    columns: dict[str, Any] = {
        "cutoff": pa.array([week.batch.cutoff] * count, pa.date32()),
        "list": pa.array([one.settings.name] * count, pa.string()),
    }
    columns |= {name: chosen.column(name) for name in ("user_id", "raw_score", "churn_probability", "risk_band")}
    return pa.table(columns | {"churned": pa.array(churned[one.treated])})


def _choice(one: Selection, churned: Mask) -> _Choice:
    settings = one.settings
    is_known = settings.cost_per_contact is not None and not np.isnan(one.value).all()
    return _Choice(ContactCosts.at(1.0, settings) if is_known else None, churned[one.treated], one.value[~one.held_out])


def _pays(choices: Sequence[_Choice]) -> float | None:
    """Return the save rate from which contacts would have paid; None where no list names its costs."""
    known = [one.costs.spent_and_earned(one.churned.astype(np.float64), one.value) for one in choices if one.costs]
    return pays_from(known) if known else None


def _users(found: Sequence[_MondayResult]) -> Users:
    """Count users of all Mondays, each once."""
    names = dict.fromkeys(name for one in found for name in one.reached_by)
    by_rule = {name: _distinct(found, lambda one, name=name: one.reached_by.get(name, frozenset())) for name in names}
    return Users(_distinct(found, lambda one: one.leavers), _distinct(found, lambda one: one.reached), by_rule)


def _distinct(found: Sequence[_MondayResult], of: Callable[[_MondayResult], frozenset[str]]) -> int:
    return len(frozenset[str]().union(*map(of, found)))
