"""From the body of a request to the users to score. Errors name the place and never repeat user ids or values."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, structs

from features.catalogue.bounds import UNBOUNDED, bounds_of
from features.errors import InputError
from features.log.sources.values import plain_id
from features.profiles.specification import Specification
from features.schema import COLUMNS
from serving.http.contract import Event, ExplainRequest, Item, ScoreRequest
from serving.http.raw_events import UserEvents
from serving.score import Score
from serving.settings import ServingSettings

_UNKNOWN_KEY = re.compile(r"Object contains unknown field `(?P<key>.*?)`(?: - at `\$\.?(?P<place>.*)`)?", re.DOTALL)
_WORDS = {"str": "text", "int": "integer", "float": "number", "`": ""}
_EXAMPLE = 'for example {"items": [{"user_id": "..."}]}'

_EVENT = (
    '{"user_id": "...", "events": [{"event_time": "2026-06-29T15:37:00Z", "event_type": "open"}], '
    '"as_of": "2026-06-30T00:00:00Z"}'
)
_WITH_EVENTS = f"for example {_EVENT}"

_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_COUNTS = 2**63  # what the engine reads; less than that can still be absurd

# a user id, a profile, a user with events, or the result of an item that is invalid
ScoreInput = str | dict[str, Any] | UserEvents | Score


class ReadRequest(msgspec.Struct, frozen=True):
    """The users to score, and whether with reasons, and with curves."""

    inputs: Sequence[ScoreInput]
    reasons: bool
    curve: bool = False

    @property
    def has_events(self) -> bool:
        """Whether a profile has to be built from events: a few of them take as long as many."""
        return any(isinstance(one, UserEvents) for one in self.inputs)


class _AnyRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A :class:`ScoreRequest` whose items are read one by one."""

    items: Annotated[list[msgspec.Raw], Meta(min_length=1)]
    reasons: bool = True
    curve: bool = False


class _WithUser(msgspec.Struct):
    """The user id of an item that breaks the contract."""

    user_id: str | int | None = None


class RequestReader:
    """Reads the bodies of requests to one model.

    Parameters
    ----------
    specification
        Of the model: the names of its features, and which of them are text.
    limits
        Maximum size of a request.
    """

    def __init__(self, specification: Specification, limits: ServingSettings) -> None:
        features: dict[str, type] = {f.name: str if f.is_text else float for f in specification.features}
        self._kinds = features | {"cutoff": str}
        self._bounds = [(f.name, bounds) for f in specification.features if (bounds := bounds_of(f)) != UNBOUNDED]
        self._limits = limits
        self._decoder = msgspec.json.Decoder(ScoreRequest)
        self._any = msgspec.json.Decoder(_AnyRequest)
        self._item = msgspec.json.Decoder(Item)
        self._explain = msgspec.json.Decoder(ExplainRequest)

    def read(self, body: bytes) -> ReadRequest:
        """Return for each item what to score, or the result of one that breaks the contract: it costs no other its score.

        Raises
        ------
        InputError
            When the body is not JSON, or breaks the contract outside of the items.
        """
        items, request = self._decode(body)
        _check_number("items", len(items), maximum=self._limits.max_items, setting="max_items")
        events = sum(len(item.events or ()) + len(item.events_since or ()) for item in items if isinstance(item, Item))
        _check_number("events of all items", events, maximum=self._limits.max_events, setting="max_events")
        inputs = [self._input(item) if isinstance(item, Item) else item for item in items]
        return ReadRequest(inputs, request.reasons, request.curve)

    def read_explain(self, body: bytes) -> ExplainRequest:
        """Read a request to explain one user; a profile holds the features of the model alone then.

        Raises
        ------
        InputError
            When the body breaks the contract.
        """
        try:
            found = self._explain.decode(body)
        except msgspec.ValidationError as error:
            raise _broken_contract(str(error), keys=ExplainRequest) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _not_json(error) from None
        if (found.user_id is None) == (found.profile is None):
            got = "neither" if found.profile is None else "both"
            raise InputError(f"the body: got {got}, expected either user_id or profile", hint='{"user_id": "..."}')
        return found if found.profile is None else structs.replace(found, profile=self._profile(found.profile))

    def _decode(self, body: bytes) -> tuple[Sequence[Item | Score], ScoreRequest | _AnyRequest]:
        try:
            found = self._decoder.decode(body)
        except msgspec.ValidationError:
            return self._decode_one_by_one(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _not_json(error) from None
        return found.items, found

    def _decode_one_by_one(self, body: bytes) -> tuple[Sequence[Item | Score], _AnyRequest]:
        try:
            found = self._any.decode(body)
        except msgspec.ValidationError as error:
            raise _broken_contract(str(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _not_json(error) from None
        return [self._decode_item(one) for one in found.items], found

    def _decode_item(self, item: msgspec.Raw) -> Item | Score:
        try:
            return self._item.decode(item)
        except msgspec.ValidationError as error:
            return _invalid(_broken_contract(str(error), keys=Item), _named(item))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return _invalid(_not_json(error), None)

    def _input(self, item: Item) -> ScoreInput:
        user_id = None if item.user_id is None else plain_id(str(item.user_id))  # as the log is read
        try:
            return self._read(item, user_id)
        except InputError as error:
            named = (item.profile or {}).get("user_id") if user_id is None else user_id
            return _invalid(error, named if isinstance(named, str) else None)

    def _read(self, item: Item, user_id: str | None) -> ScoreInput:
        if item.events is not None or item.events_since is not None or item.as_of is not None:
            return self._user_events(item, user_id)
        if user_id is not None and item.profile is None:
            return user_id
        if item.profile is not None and user_id is None:
            return self._profile(item.profile)
        got = "both" if item.profile is not None else "neither"
        raise InputError(f"the item: got {got}, expected either user_id or profile", hint=_EXAMPLE)

    def _user_events(self, item: Item, user_id: str | None) -> UserEvents:
        """Read an item with events."""
        if user_id is None or item.as_of is None or item.profile is not None:
            raise InputError("the item: expected user_id, as_of and events, without profile", hint=_WITH_EVENTS)
        events = item.events if item.events_since is None else item.events_since
        if events is None or (item.events is not None and item.events_since is not None):
            raise InputError("the item: expected either events or events_since with as_of", hint=_WITH_EVENTS)
        name = "events" if item.events_since is None else "events_since"
        maximum = self._limits.max_events_per_item
        _check_number(name, len(events), maximum=maximum, setting="max_events_per_item")
        _check_instant(item.as_of, "as_of")
        for place, event in enumerate(events):
            _check_instant(event.event_time, f"{name}[{place}].event_time")
            _check_instant(event.ingested_at, f"{name}[{place}].ingested_at")
            _check_count(event.count, f"{name}[{place}].count")
        return UserEvents(user_id, item.as_of, _columns(events), item.events_since is not None)

    def _profile(self, profile: Mapping[str, Any]) -> dict[str, Any]:
        """Keep the features of the model; a profile may hold more, as ``churn profiles`` writes it."""
        read: dict[str, Any] = {}
        for name, value in profile.items():
            kind = self._kinds.get(name)
            if kind is not None:
                read[name] = value if value is None or type(value) is kind else _as(kind, value, name=name)
        for name, (low, high) in self._bounds:
            value = read.get(name)
            if value is not None and not low <= value <= high:
                raise InputError(f"profile.{name}: {_outside(low, high)}", hint="churn features lists the units")
        if "cutoff" in read:
            read["cutoff"] = _date(read["cutoff"], "profile.cutoff")
        if "user_id" in profile:
            read["user_id"] = _id(profile["user_id"])
        return read


def _as(kind: type, value: Any, *, name: str) -> float:
    """Return an integer as a double.

    Raises
    ------
    InputError
        When the value is of another kind.
    """
    if isinstance(value, str) or kind is str:
        expected = "text or null" if kind is str else "a number or null"
        got = "text" if isinstance(value, str) else "a number"
        raise InputError(f"profile.{name}: got {got}, expected {expected}", hint="churn features lists the units")
    try:
        return float(value)
    except OverflowError:
        raise InputError(f"profile.{name}: number out of range", hint="churn features lists the units") from None


def _id(value: Any) -> str | None:
    if isinstance(value, float):
        raise InputError("profile.user_id: got a number, expected text or an integer", hint=_EXAMPLE)
    return None if value is None else str(value)


def _outside(low: float, high: float) -> str:
    most = "" if high == float("inf") else f" and at most {high:g}"
    return f"an impossible value, expected at least {low:g}{most}"


def _check_instant(at: datetime | None, place: str) -> None:
    if at is not None and not _EARLIEST <= at < _LATEST:
        raise InputError(f"{place}: expected an instant from 1970 to 2199", hint="for example 2026-06-29T15:37:00Z")


def _check_count(count: int | None, place: str) -> None:
    if count is not None and not -_COUNTS <= count < _COUNTS:
        raise InputError(f"{place}: integer out of range", hint="how many events this one stands for, as a rule 1")


def _invalid(error: InputError, user_id: str | None) -> Score:
    """Return the result of an item that breaks the contract."""
    return Score(user_id, "unscored", "invalid", detail=f"{error.message}; {error.hint}")


def _named(item: msgspec.Raw) -> str | None:
    try:
        found = msgspec.json.decode(item, type=_WithUser).user_id
    except (msgspec.DecodeError, RecursionError):
        return None
    return None if found is None else str(found)


def _not_json(error: Exception) -> InputError:
    what = str(error) if isinstance(error, msgspec.DecodeError) else "it is malformed"
    return InputError(f"the body is not JSON: {what}", hint=_EXAMPLE)


def _columns(events: Sequence[Event]) -> dict[str, list[Any]]:
    return {name: [getattr(event, name) for event in events] for name in COLUMNS if name != "user_id"}


def _check_number(what: str, got: int, *, maximum: int, setting: str) -> None:
    if got > maximum:
        hint = f"send them in several requests, or raise [serving] {setting}"
        raise InputError(f"{what}: got {got}, expected at most {maximum}", hint=hint)


def _date(text: str | None, place: str) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"{place}: got text that is not a date, expected a date", hint="for example 2026-06-29"
        ) from None


def _broken_contract(message: str, *, keys: type[msgspec.Struct] = ScoreRequest) -> InputError:
    whole = "the item" if keys is Item else "the body"
    if unknown := _UNKNOWN_KEY.fullmatch(message):
        place = unknown["place"] or whole
        known = _keys_of(unknown["place"], keys)
        is_of_an_item = place == whole == "the body" and unknown["key"] in Item.__struct_fields__
        hint = (
            f"{unknown['key']} belongs to an item, {_EXAMPLE}" if is_of_an_item else _suggestion(unknown["key"], known)
        )
        return InputError(f"{place}: an unknown key, expected {' or '.join(known)}", hint=hint)
    what, _, place = re.sub(r"\b(str|int|float)\b|`", lambda found: _WORDS[found[0]], message).partition(" - at $")
    return InputError(f"{place.lstrip('.') or whole}: {what[:1].lower()}{what[1:]}", hint=_EXAMPLE)


def _keys_of(place: str | None, keys: type[msgspec.Struct]) -> Sequence[str]:
    """Return the keys that an object may hold, by its place."""
    if place is None and keys is not Item:
        return keys.__struct_fields__
    return Event.__struct_fields__ if "events" in (place or "") else Item.__struct_fields__


def _suggestion(name: str, known: Iterable[str]) -> str:
    """Suggest a known name. A name that resembles none is not repeated: it may be anything, even a user id."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return (
        f'did you mean "{close[0]}"?' if close else "GET /docs.json has the contract; churn features lists the features"
    )
