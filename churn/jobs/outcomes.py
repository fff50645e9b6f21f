"""The account of past weekly lists: who left, whether the model was right, and whether contacting helped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from churn.contacts.recorded import MergedIds, RecordedContacts
from churn.engine import with_context
from churn.jobs.outcomes_page import write_account
from churn.progress import Progress
from churn.results.outcomes import Outcomes
from features.errors import CheckFailed, InputError
from features.profiles.build import build_profiles
from features.storage.versions import Place
from models.churn_model import ChurnModel
from serving.settings import HoldoutSettings, ListSettings
from serving.weekly.account.effect_account import DEFAULT_EFFECT, Reading, effect_accounts
from serving.weekly.account.model_account import model_account
from serving.weekly.account.outcomes import (
    ScoredBatch,
    ScoredWeek,
    Split,
    aligned,
    final_week,
    keep_final,
    open_week,
    scored_batches,
    with_outcomes,
)
from serving.weekly.arms import TREATED, Arms, ArmsFolder, Epoch, epoch_of, start_of
from serving.weekly.at_risk_list import CONTEXT
from serving.weekly.list_ledger import PastList, open_arms, past_lists

if TYPE_CHECKING:
    from churn.project import Project
    from features.activity.store import Activity


def outcomes(project: Project, as_of: date | None, *, say: Progress) -> Outcomes:
    """Account for all past lists as known on a day, and write page and numbers.

    Raises
    ------
    CheckFailed
        When nothing was scored before.
    InputError
        When the log does not reach the day.
    """
    project.check_population()
    say("reading the ledger")
    ledger = Ledger(project, say=say)
    day = ledger.checked(as_of)
    weeks = [ledger.week(batch, day) for batch in ledger.batches if batch.cutoff < day]
    if not weeks:
        raise CheckFailed(f"nothing was scored before {day}", hint=ledger.first_final)
    say("comparing what was expected with what happened")
    reading = _reading(project, day, ledger)
    model = model_account(weeks, seed=project.settings.training.seed)
    effects, set_aside = effect_accounts(weeks, reading), ledger.recorded.set_aside
    found = Outcomes(day, model, effects, tuple(weeks), reading.contacts is not None, set_aside)
    say("writing the account")
    place = Place(project.home.outcomes(project.name), keeps_all=False, say=say.within)
    return write_account(found, place)


def _reading(project: Project, day: date, ledger: Ledger) -> Reading:
    points = project.settings.holdout.smallest_effect
    return Reading(
        day,
        ledger.recorded.contacts,
        ledger.zone,
        points / 100 if points else DEFAULT_EFFECT,
        cost_per_contact(project.settings.lists, [one for one in ledger.lists if one.cutoff < day]),
    )


def cost_per_contact(settings: Sequence[ListSettings], lists: Sequence[PastList]) -> float:
    """Return what a contact by past lists costs on average; that of a list without a cost is 0."""
    costs = {one.name: one.cost_per_contact or 0.0 for one in settings}
    contacts = dict.fromkeys(costs, 0)
    for one in lists:
        if one.name in costs:  # of a list that the settings no longer name nobody knows the cost
            contacts[one.name] += sum(arm == TREATED for arm in one.arms().values())
    total = sum(contacts.values())
    return sum(costs[name] * count for name, count in contacts.items()) / total if total else 0.0


@dataclass(frozen=True)
class Ledger:
    """What a project keeps of its past weeks."""

    project: Project
    say: Progress
    models: dict[str, ChurnModel] = field(default_factory=dict[str, ChurnModel])
    activities: dict[str, Activity] = field(default_factory=dict[str, "Activity"])

    @cached_property
    def batches(self) -> list[ScoredBatch]:
        """What was scored, in order of time."""
        return scored_batches(self.project.home.ledgers(self.project.name), before=date.max)

    @cached_property
    def lists(self) -> list[PastList]:
        """Every list, in order of time."""
        return past_lists(self.project.home.list_ledgers(self.project.name), before=date.max)

    @cached_property
    def zone(self) -> str:
        """Of cutoffs, by the latest model."""
        return self.model(self.batches[-1].version).definition.timezone

    def checked(self, as_of: date | None) -> date:
        """Return the day of the account, by default the end of the log's coverage."""
        if not self.batches:
            raise CheckFailed("nothing was scored yet: there is no past list", hint="score a week first: churn export")
        until = self.log_of(self.model(self.batches[-1].version)).coverage.covered_until
        if as_of and as_of > until:
            hint = "if the log is complete until then, without events, set [events] covered_until"
            raise InputError(f"--as-of: got {as_of}, the log covers up to, not including, {until}", hint=hint)
        return as_of or until

    def model(self, version: str) -> ChurnModel:
        """Return a version of the model: what churned means is frozen with it."""
        if version not in self.models:
            self.models[version] = self.project.registry.get(version).model
        return self.models[version]

    def log_of(self, model: ChurnModel) -> Activity:
        """Return the kept activity of the log under the settings that a model was trained with."""
        key = repr((model.frozen_churn, model.frozen_features))
        if key not in self.activities:
            reader = self.project.reader.with_nothing_set()
            self.activities[key] = reader.activity(frozen=model, say=self.say.within)
        return self.activities[key]

    @property
    def first_final(self) -> str:
        """Say from when on the first outcomes are final."""
        first = self.batches[0]
        ends_on = self.model(first.version).definition.window.end(first.cutoff)
        final_on = ends_on + timedelta(days=self._holdout.grace_days)
        return f"the first outcomes, those of {first.cutoff}, are final on {final_on}; until then: churn status"

    # --- Weeks ---------------------------------------------------------------------------------------------------

    def week(self, batch: ScoredBatch, day: date) -> ScoredWeek:
        """Return a week as known on a day; outcomes that have become final are kept from now on."""
        place = self.project.home.final_outcomes(self.project.name, batch.cutoff)
        if found := final_week(place):
            return found.as_known_on(day)
        model, grace_days = self.model(batch.version), self.project.settings.holdout.grace_days
        found = open_week(batch, self.split(batch, model), definition=model.definition, grace_days=grace_days)
        found = replace(found, trained_through=model.quality.trained_through)
        if found.final_on > day:
            return found
        self.say.within(f"the outcomes of {batch.cutoff} are final")
        activity = self.log_of(model)
        context = _context(activity, model, week=found)
        known = with_outcomes(found, activity, definition=model.definition, context=context)
        return keep_final(known, Place(place, say=self.say.within))

    def split(self, batch: ScoredBatch, model: ChurnModel) -> Split:
        """Return how the users of a batch were split."""
        cutoff, window = batch.cutoff, model.definition.window
        own = tuple(one for one in self.lists if one.cutoff == cutoff)
        name = own[0].epoch if own else epoch_of(cutoff, self._holdout.epoch)
        epochs = self._epochs
        ahead = [one for one in self.lists if cutoff < one.cutoff < window.end(cutoff)]
        contacted = frozenset(user for one in ahead for user, arm in one.arms().items() if arm == TREATED)
        contacted |= self.recorded.users_between(cutoff, window.end(cutoff))
        shares = {one.epoch: one.share for one in ahead if one.epoch != name}
        later = tuple(self._arms_of(epoch, share) for epoch, share in shares.items())
        if not own and name not in epochs:
            return Split(name, later=later, contacted_later=contacted)
        share = own[0].share if own else epochs[name].share
        holds_days = window.days_to_label + self._holdout.grace_days
        before = [one for one in self.lists if one.cutoff < cutoff]
        ids = MergedIds(self.log_of(model), model.specification.timezone, start_of(name))
        merged_before = ids.before(holds_days)
        kept = open_arms(before, epoch=name, cutoff=cutoff, holds_days=holds_days, merged_before=merged_before)
        arms = self._arms_of(name, share, merged=ids.within(cutoff), kept=kept)
        return Split(name, share, arms, later, own, contacted)

    @property
    def _holdout(self) -> HoldoutSettings:
        return self.project.settings.holdout

    @cached_property
    def _epochs(self) -> dict[str, Epoch]:
        return self._folder.epochs()

    @property
    def _folder(self) -> ArmsFolder:
        return ArmsFolder(self.project.home.arms(self.project.name))

    def _arms_of(self, epoch: str, share: float, **more: Any) -> Arms:
        return Arms(self._key, epoch, share, given=self.recorded.given_arms, **more)

    @cached_property
    def _key(self) -> bytes:
        return self._folder.known_key()

    @cached_property
    def recorded(self) -> RecordedContacts:
        """What the team's tools record of contacts and arms."""
        return RecordedContacts(self.project, self.zone)


def _context(activity: Activity, model: ChurnModel, *, week: ScoredWeek) -> Mapping[str, pa.Array[Any]]:
    """Return the main device and the channel of users at the cutoff, as far as the log knows them."""
    wide = with_context(model.specification, activity.facts)
    parts = {part: [name for name in CONTEXT if part in name and name in wide.feature_names] for part in _PARTS}
    names = tuple(name for found in parts.values() for name in found)
    if not names:
        return {part: pa.nulls(week.users.num_rows, pa.string()) for part in parts}
    narrow = msgspec.structs.replace(wide, feature_names=names)
    profiles = build_profiles(activity, narrow, cutoffs=[week.cutoff])
    users = week.users.column("user_id")
    return {part: _first_known(profiles, found, users=users) for part, found in parts.items()}


_PARTS = ("device", "channel")


def _first_known(profiles: pa.Table, names: list[str], *, users: pa.ChunkedArray[Any]) -> pa.Array[Any]:
    import pyarrow.compute as pc

    found = [aligned(profiles, name, users=users).cast(pa.string()) for name in names]
    return pc.coalesce(*found) if found else pa.nulls(len(users), pa.string())
