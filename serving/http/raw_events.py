"""Profiles of users whose events came with the request. The engine is loaded with the first such item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import structs

from features.eligibility import TENURE
from features.errors import InputError
from features.profiles.specification import Specification
from features.snapshots import instant, zone_of
from serving.batch.new_users import NewUsersModel
from serving.release.bundle import ServingBundle
from serving.score import CUTOFF_AT, Code, Profile, Score, score
from serving.store.profile_store import ProfileStore

if TYPE_CHECKING:
    from features.profiles.online import OnlineProfiles, ProfileOrError

Columns = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class UserEvents:
    """A user with events: all of them, or those since the cutoff of the store. ``events`` maps contract columns to values."""

    user_id: str
    as_of: datetime
    events: Columns
    is_since: bool


class EventProfiles:
    """Builds the profiles of one model from events.

    Parameters
    ----------
    columns
        Contract columns of the log that the model was trained on; empty: those that its profile needs.
    """

    def __init__(self, specification: Specification, columns: tuple[str, ...]) -> None:
        self._specification = specification
        self._columns = columns
        self._engines: dict[tuple[str, ...], OnlineProfiles | InputError] = {}

    def prepare(self, store: ProfileStore | None) -> None:
        """Load the engine and plan its queries now, so that the first item with events need not wait."""
        for is_since in (False, True):
            engine = self._engine(self._contract(store, is_since=is_since))
            if not isinstance(engine, InputError):
                engine.prepare()

    def profiles(self, items: Sequence[UserEvents], store: ProfileStore) -> list[Profile | Score]:
        """Return for each user the profile, or the score that says why there is none; one query for each kind of item."""
        found: list[Profile | Score] = [{}] * len(items)
        for is_since in (False, True):
            positions = [index for index, one in enumerate(items) if one.is_since is is_since]
            if positions:
                answers = self._answers([items[index] for index in positions], store, is_since=is_since)
                for index, one in zip(positions, answers, strict=True):
                    found[index] = one
        return found

    def _answers(self, items: Sequence[UserEvents], store: ProfileStore, *, is_since: bool) -> list[Profile | Score]:
        """Answer items of one kind."""
        engine = self._engine(self._contract(store, is_since=is_since))
        if isinstance(engine, InputError):
            return [_unscored(one, "unsupported", detail=engine.message) for one in items]
        refused = [self._refused(one, store, engine=engine) if is_since else None for one in items]
        accepted = [one for one, why in zip(items, refused, strict=True) if why is None]
        built = iter(_built(accepted, engine, store=store if is_since else None) if accepted else ())
        return [why or next(built) for why in refused]

    def _refused(self, item: UserEvents, store: ProfileStore, *, engine: OnlineProfiles) -> Score | None:
        """Return why events cannot be added to what the store keeps; None where they can."""
        if store.info.kept is None or store.info.kept.relations != engine.kept_columns:
            why = "the store keeps no activity that fits; set [serving] keep_activity, or send all events"
            return _unscored(item, "no_kept_activity", detail=why)
        return self._too_early(item, store)

    def _too_early(self, item: UserEvents, store: ProfileStore) -> Score | None:
        """Refuse events that would split a kept day, or count it twice."""
        zone, cutoff = self._specification.timezone, store.info.cutoff
        start = instant(cutoff, zone)
        if item.as_of < start or not _is_midnight(item.as_of, zone):
            why = f"as_of: expected a midnight in {zone} on or after {cutoff}, or events in place of events_since"
            return _unscored(item, "not_midnight", detail=why)
        early = next((index for index, at in enumerate(item.events["event_time"]) if at < start), None)
        if early is None:
            return None
        why = f"events_since[{early}]: event_time is before {cutoff}, where kept activity ends"
        return _unscored(item, "invalid_event", detail=why)

    def _contract(self, store: ProfileStore | None, *, is_since: bool) -> tuple[str, ...]:
        """Return the contract columns that events should have: those of the kept days, where events are added to these."""
        kept = store.info.kept if store and is_since else None
        return kept.contract if kept else self._columns

    def _engine(self, columns: tuple[str, ...]) -> OnlineProfiles | InputError:
        """Return the builder for events with these columns, or why a profile cannot be built from them."""
        from features.profiles.online import OnlineProfiles  # noqa: PLC0415
        from features.profiles.online_sql import columns_for  # noqa: PLC0415

        chosen = columns or columns_for(self._specification)
        if chosen not in self._engines:
            try:
                self._engines[chosen] = OnlineProfiles(self._specification, chosen)
            except InputError as error:
                self._engines[chosen] = error
        return self._engines[chosen]


class NewUserScorer:
    """Scores those whom the champion refuses because they are too new.

    Parameters
    ----------
    found
        The model of new users, with the shift of the last batch.
    """

    def __init__(self, bundle: ServingBundle, found: NewUsersModel) -> None:
        self._found, self._bands = found, bundle.scoring
        self._least_days = bundle.model.eligibility.min_tenure_days
        self._events = EventProfiles(found.model.specification, bundle.columns)

    def prepare(self, store: ProfileStore) -> None:
        """Load the engine now, so that the first new user need not wait."""
        self._events.prepare(store)

    def rescored(
        self,
        scores: Sequence[Score],
        items: Sequence[tuple[object, Profile]],
        *,
        store: ProfileStore,
        with_reasons: bool,
    ) -> list[Score]:
        """Return the scores of the champion, in their order, with those of the other model for who is new.

        Parameters
        ----------
        items
            What was sent for each score, and the profile that the champion read.
        """
        found = list(scores)
        new = {place: one for place, (one, profile) in enumerate(items) if self._is_new(one, profile)}
        events = [one for one in new.values() if isinstance(one, UserEvents)]
        profiles = dict(zip(new, self._events.profiles(events, store) if events else (), strict=True))
        built = {place: one for place, one in profiles.items() if not isinstance(one, Score)}
        own = score(self._found.model, list(built.values()), bands=self._bands, with_reasons=with_reasons)
        for place, one in zip(built, own, strict=True):
            if one.status == "scored":
                found[place] = structs.replace(one, scored_by=self._found.scored_by)
        return found

    def _is_new(self, item: object, profile: Profile) -> bool:
        """Tell who is younger than the champion asks for; a profile that was sent is that of the champion, and stays its own."""
        tenure = profile.get(TENURE)
        return isinstance(item, UserEvents) and isinstance(tenure, int | float) and tenure < self._least_days


def _built(items: Sequence[UserEvents], engine: OnlineProfiles, *, store: ProfileStore | None) -> list[Profile | Score]:
    """Build profiles in one query; with a store, each user's kept days are added."""
    from features.profiles.online import History  # noqa: PLC0415

    histories = [History(one.user_id, one.as_of, one.events, store.kept(one.user_id) if store else {}) for one in items]
    return [_answer(one, profile) for one, profile in zip(items, engine.profiles(histories), strict=True)]


def _is_midnight(at: datetime, zone: str) -> bool:
    return instant(at.astimezone(zone_of(zone)).date(), zone) == at


def _answer(item: UserEvents, found: ProfileOrError) -> Profile | Score:
    if found is None:
        return _unscored(item, "no_events", detail="no event is before as_of")
    if isinstance(found, dict):
        return found | {CUTOFF_AT: item.as_of}
    name = "events_since" if item.is_since else "events"
    return _unscored(item, "invalid_event", detail=f"{name}[{found.place}]: {found.reason}")


def _unscored(item: UserEvents, code: Code, *, detail: str) -> Score:
    return Score(item.user_id, "unscored", code, cutoff_at=item.as_of, detail=detail)
