"""From the body of a request to the users to score. Errors name the place in the body and never repeat user ids or values."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import msgspec

from features.errors import InputError
from features.profiles.specification import Specification
from features.schema import COLUMNS
from serving.http.contract import Event, Item, ScoreRequest
from serving.http.raw_events import UserEvents
from serving.settings import ServingSettings

KEYS = ("user_id", "cutoff")  # what a profile may hold in addition to the features
_UNKNOWN_KEY = re.compile(r"Object contains unknown field `(?P<key>.*?)`(?: - at `\$\.?(?P<place>.*)`)?", re.DOTALL)
_WORDS = {"str": "text", "int": "number", "float": "number", "`": ""}
_EXAMPLE = 'for example {"items": [{"user_id": "..."}]}'

_EVENT = (
    '{"user_id": "...", "events": [{"event_time": "2026-06-29T15:37:00Z", "event_type": "open"}], '
    '"as_of": "2026-06-30T00:00:00Z"}'
)
_WITH_EVENTS = f"for example {_EVENT}"

ScoreInput = str | Mapping[str, Any] | UserEvents  # a user id, a profile, or a user with events


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
        self._kinds = features | dict.fromkeys(KEYS, str)
        self._limits = limits
        self._decoder = msgspec.json.Decoder(ScoreRequest)

    def read(self, body: bytes) -> Sequence[ScoreInput]:
        """Return for each item a user id, a profile with its cutoff as a date, or a user with events.

        Raises
        ------
        InputError
            When the body is not JSON, or breaks the contract.
        """
        items = self._decode(body).items
        _check_number("items", len(items), maximum=self._limits.max_items, setting="max_items")
        events = sum(len(item.events or ()) + len(item.events_since or ()) for item in items)
        _check_number("events of all items", events, maximum=self._limits.max_events, setting="max_events")
        return [self._input(item, f"items[{index}]") for index, item in enumerate(items)]

    def _decode(self, body: bytes) -> ScoreRequest:
        try:
            return self._decoder.decode(body)
        except msgspec.ValidationError as error:
            raise _broken_contract(str(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            what = str(error) if isinstance(error, msgspec.DecodeError) else "it is malformed"
            raise InputError(f"the body is not JSON: {what}", hint=_EXAMPLE) from None

    def _input(self, item: Item, place: str) -> ScoreInput:
        if item.events is not None or item.events_since is not None or item.as_of is not None:
            return self._user_events(item, place)
        if item.user_id is not None and item.profile is None:
            return item.user_id
        if item.profile is not None and item.user_id is None:
            return self._profile(item.profile, f"{place}.profile")
        got = "both" if item.profile is not None else "neither"
        raise InputError(f"{place}: got {got}, expected either user_id or profile", hint=_EXAMPLE)

    def _user_events(self, item: Item, place: str) -> UserEvents:
        """Read an item with events."""
        if item.user_id is None or item.as_of is None or item.profile is not None:
            raise InputError(f"{place}: expected user_id, as_of and events, without profile", hint=_WITH_EVENTS)
        events = item.events if item.events_since is None else item.events_since
        if events is None or (item.events is not None and item.events_since is not None):
            raise InputError(f"{place}: expected either events or events_since with as_of", hint=_WITH_EVENTS)
        name = "events" if item.events_since is None else "events_since"
        maximum = self._limits.max_events_per_item
        _check_number(f"{place}.{name}", len(events), maximum=maximum, setting="max_events_per_item")
        return UserEvents(item.user_id, item.as_of, _columns(events), item.events_since is not None)

    def _profile(self, profile: Mapping[str, Any], place: str) -> Mapping[str, Any]:
        """Keep the features of the model; a profile may hold more, as ``churn profiles`` writes it."""
        read = {name: value for name, value in profile.items() if name in self._kinds}
        for name, value in read.items():
            if value is not None and type(value) is not self._kinds[name]:
                expected = "text or null" if self._kinds[name] is str else "a number or null"
                got = "text" if isinstance(value, str) else "a number"
                raise InputError(
                    f"{place}.{name}: got {got}, expected {expected}", hint="churn features lists the units"
                )
        return {**read, "cutoff": _date(read["cutoff"], f"{place}.cutoff")} if "cutoff" in read else read


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


def _broken_contract(message: str) -> InputError:
    if unknown := _UNKNOWN_KEY.fullmatch(message):
        place = unknown["place"] or "the body"
        known = _keys_of(unknown["place"])
        return InputError(
            f"{place}: an unknown key, expected {' or '.join(known)}", hint=_suggestion(unknown["key"], known)
        )
    what, _, place = re.sub(r"\b(str|int|float)\b|`", lambda found: _WORDS[found[0]], message).partition(" - at $")
    return InputError(f"{place.lstrip('.') or 'the body'}: {what[:1].lower()}{what[1:]}", hint=_EXAMPLE)


def _keys_of(place: str | None) -> Sequence[str]:
    """Return the keys that an object may hold, by its place in the body."""
    if place is None:
        return ("items",)
    return Event.__struct_fields__ if "events" in place else Item.__struct_fields__


def _suggestion(name: str, known: Iterable[str]) -> str:
    """Suggest a known name. A name that resembles none is not repeated: it may be anything, even a user id."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return (
        f'did you mean "{close[0]}"?' if close else "GET /docs.json has the contract; churn features lists the features"
    )
