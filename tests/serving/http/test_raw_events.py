"""Items with events: from the body to the score."""

import json
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, assume, given, settings
from msgspec import structs

from features.activity.roll_up import DETECTED_FACTS
from features.catalogue.catalogue import catalogue, select
from features.catalogue.custom import CustomFeature
from features.catalogue.definition import Unit
from features.catalogue.fitted import FittedConstants
from features.errors import InputError
from features.profiles.build import build_profiles
from features.snapshots import instant
from models.churn_model import ChurnModel
from serving.http.endpoint import Endpoint
from serving.http.raw_events import EventProfiles, UserEvents
from serving.http.request import RequestReader
from serving.release.bundle import ServingBundle
from serving.score import Score
from serving.settings import ScoringSettings, ServingSettings
from serving.store.kept_activity import KeptRows
from serving.store.profile_store import ProfileStore, write_store
from tests.builders import EVER, Row, columns_of, passing_world, rows, world_of
from tests.features.profiles.test_oracle import is_same
from tests.models.model_builder import CATEGORIES, WINDOWS, fit_model, profiles_of, specification
from tests.worlds import FITTED, TWO_WINDOWS, RandomLog, examples, random_logs

LINES = [
    "anna 2026-05-20T10:00 open amount=9.5 device_os=ios network=wifi channel=ads",
    "anna 2026-05-28T20:00 open amount=0 device_os=ios network=4g",
    "anna 2026-05-31T20:00 open",
    "anna 2026-06-02T09:00 open device_os=android",
    "bob 2026-05-30T11:00 open amount=-2",
]
CUTOFF, LATER = date(2026, 6, 1), date(2026, 6, 4)


def sent(user: str, *, since: date | None = None) -> list[dict[str, Any]]:
    """A user's events as they go over HTTP."""
    own = [row for row in rows(LINES) if row["user_id"] == user and (not since or row["event_time"].date() >= since)]
    return [
        {name: value if name != "event_time" else value.isoformat() for name, value in row.items() if name != "user_id"}
        for row in own
    ]


def at(day: date) -> str:
    return f"{day}T00:00:00Z"


@pytest.fixture(scope="module")
def model() -> ChurnModel:
    """A model of the features that these lines can answer."""
    facts = {*columns_of(rows(LINES)), *DETECTED_FACTS}
    known = select(catalogue(WINDOWS, FittedConstants()), facts, history_days=EVER).features
    names = tuple(feature.name for feature in known if not feature.is_text or feature.name in CATEGORIES)
    return fit_model(
        300,
        trees=3,
        of=structs.replace(
            specification(),
            feature_names=names,
            categories={name: CATEGORIES[name] for name in CATEGORIES if name in names},
        ),
    )


@pytest.fixture(scope="module")
def home(model: ChurnModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model in service whose store keeps activity up to :data:`CUTOFF`."""
    home = tmp_path_factory.mktemp("home")
    world = world_of(home, LINES)
    activity = world.activity()
    profiles = build_profiles(activity, model.specification, cutoffs=[CUTOFF])
    write_store(home / "store", profiles, specification=model.specification, kept=KeptRows(activity, CUTOFF))
    return home


@pytest.fixture(scope="module")
def batch(model: ChurnModel, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    world = world_of(tmp_path_factory.mktemp("batch"), LINES)
    return build_profiles(world.activity(), model.specification, cutoffs=[CUTOFF, LATER]).to_pylist()


@pytest.fixture(scope="module")
def bundle(model: ChurnModel, home: Path) -> ServingBundle:
    limits = ServingSettings(max_items=50, max_events=12, max_events_per_item=5, keep_activity=True)
    columns = tuple(columns_of(rows(LINES)))
    return ServingBundle(model, "shop", "7", "champion", home / "store", ScoringSettings(), limits, columns)


@pytest.fixture(scope="module")
def endpoint(bundle: ServingBundle) -> Endpoint:
    return Endpoint(bundle)


def results(endpoint: Endpoint, *items: Any) -> list[dict[str, Any]]:
    found = endpoint.answer(json.dumps({"items": items}, default=str).encode(), request_id="r1")
    assert found is not None
    return json.loads(found)["results"]


def scores(answers: list[dict[str, Any]]) -> list[Any]:
    return [(one["user_id"], one["code"], one["churn_probability"], one["as_of"]) for one in answers]


def test_events_kept_activity_the_store_and_the_batch_give_the_same_score(endpoint: Endpoint, batch: list[Any]):
    by_profile = results(endpoint, *({"profile": one} for one in batch))
    by_events = results(
        endpoint,
        *({"user_id": one["user_id"], "events": sent(one["user_id"]), "as_of": at(one["cutoff"])} for one in batch),
    )
    by_kept = results(
        endpoint,
        *(
            {"user_id": one["user_id"], "events_since": sent(one["user_id"], since=CUTOFF), "as_of": at(one["cutoff"])}
            for one in batch
        ),
    )
    assert scores(by_events) == scores(by_kept) == scores(by_profile)
    assert [one["cutoff_at"] for one in by_events] == [at(one["cutoff"]) for one in batch]
    assert scores(results(endpoint, {"user_id": "anna"})) == scores(by_events)[:1]


@settings(examples(4, 24), phases=[Phase.generate])  # shrinking takes minutes
@given(random_logs())
def test_kept_activity_and_newer_events_are_the_profile_of_the_batch(log: RandomLog):
    first, last = log.cutoffs[0], log.cutoffs[-1]
    log = replace(log, rows=tuple(row for row in log.rows if not came_late(row, instant(first, log.zone))))
    with passing_world(log.rows, **log.settings()) as world:
        of = world.specification(fitted=FITTED, windows=TWO_WINDOWS)
        activity = world.activity()
        batch = build_profiles(activity, of, cutoffs=[last]).to_pylist()
        before = build_profiles(activity, of, cutoffs=[first])
        assume(before.num_rows)
        write_store(world.home, before, specification=of, kept=KeptRows(activity, first))
        store = ProfileStore(world.home)
        items = [since(one["user_id"], log, first=first, last=last) for one in batch]
        found = EventProfiles(of, ()).profiles(items, store)
        store.close()
    for profile, expected in zip(found, batch, strict=True):
        assert isinstance(profile, dict)
        assert {name: value for name, value in expected.items() if not is_same(profile[name], value)} == {}


def came_late(row: Row, start: datetime) -> bool:
    """Whether a row belongs to the days before an instant and became known after it: kept days never hold it."""
    known = row.get("ingested_at")
    return row["event_time"] < start and known is not None and known >= start


def since(user: str, log: RandomLog, *, first: date, last: date) -> UserEvents:
    own: list[Row] = [
        row for row in log.rows if row["user_id"] == user and row["event_time"] >= instant(first, log.zone)
    ]
    columns = {name: [row.get(name) for row in own] for name in columns_of(log.rows)}
    return UserEvents(user, instant(last, log.zone), columns, is_since=True)


def test_days_may_start_at_any_time_with_raw_events(endpoint: Endpoint):
    (one,) = results(endpoint, {"user_id": "anna", "events": sent("anna"), "as_of": "2026-06-02T15:37:00+02:00"})
    assert (one["status"], one["as_of"], one["cutoff_at"]) == ("scored", "2026-06-02", "2026-06-02T15:37:00+02:00")


def test_an_item_that_cannot_be_scored_has_a_code_and_a_detail_and_disturbs_no_other(endpoint: Endpoint):
    event = {"event_time": "2026-06-02T10:00:00Z", "event_type": "open"}
    found = results(
        endpoint,
        {"user_id": "eve", "events": [event, event | {"amount": 1e15}], "as_of": at(LATER)},
        {"user_id": "eve", "events": [event], "as_of": at(CUTOFF)},
        {"user_id": "eve", "events": [], "as_of": at(CUTOFF)},
        {"user_id": "anna", "events_since": [event], "as_of": "2026-06-04T15:37:00Z"},
        {"user_id": "anna", "events_since": [], "as_of": "2026-05-30T00:00:00Z"},
        {"user_id": "anna", "events_since": sent("anna")[:1], "as_of": at(LATER)},
        {"user_id": "anna"},
        {"user_id": "nobody"},
        {"user_id": "newcomer", "events_since": [event], "as_of": at(LATER)},
    )
    codes = ["invalid_event", "no_events", "no_events", "not_midnight", "not_midnight", "invalid_event"]
    assert [one["code"] for one in found] == [*codes, None, "unknown_user", None]
    assert found[0]["detail"] == "events[1]: amount is absurd"
    assert found[5]["detail"] == "events_since[0]: event_time is before 2026-06-01, where kept activity ends"
    assert all("detail" in one for one in found[:6])
    assert not any("detail" in one or "cutoff_at" in one for one in found[6:8])


@pytest.mark.parametrize("field", ["count", "amount", "duration_seconds"])
@pytest.mark.parametrize("number", ["1" + "0" * 30, "-1" + "0" * 30, "1" + "0" * 400, "1e400", str(2**63), "1e300"])
def test_a_number_that_is_too_large_costs_its_own_item_alone(endpoint: Endpoint, field: str, number: str):
    event = f'{{"event_time":"2026-06-02T10:00:00Z","event_type":"open","{field}":{number}}}'
    items = [f'{{"user_id":"eve","as_of":"{at(LATER)}","{name}":[{event}]}}' for name in ("events", "events_since")]
    body = f'{{"items":[{",".join(items)},{{"user_id":"anna"}}]}}'.encode()
    *refused, known = json.loads(endpoint.answer(body, request_id="r1"))["results"]
    assert known["status"] == "scored"
    if field == "count":
        assert all(one["code"] == "invalid" and "[0].count: " in one["detail"] for one in refused)
        assert all(number not in one["detail"] for one in refused)


def test_a_store_that_keeps_no_activity_says_so(bundle: ServingBundle, tmp_path: Path):
    of = bundle.model.specification
    write_store(tmp_path, profiles_of(3, of=of), specification=of)
    endpoint = Endpoint(replace(bundle, store=tmp_path))
    (one,) = results(endpoint, {"user_id": "u1", "events_since": [], "as_of": at(LATER)})
    assert one["code"] == "no_kept_activity"


def test_a_profile_that_reads_more_than_the_contract_is_not_made_from_events(model: ChurnModel, home: Path):
    feature = CustomFeature("windowed", "taps", Unit.COUNT, "Taps.", "tapped", daily="sum(touched)", needs=("touched",))
    of = structs.replace(
        model.specification, feature_names=(*model.specification.feature_names, "taps_7d"), custom=(feature,)
    )
    store = ProfileStore(home / "store")
    builder = EventProfiles(of, ())
    builder.prepare(store)
    start = instant(LATER, "UTC")
    items = [
        UserEvents("anna", start, {"event_time": [start], "event_type": ["open"]}, is_since)
        for is_since in (True, False)
    ]
    for one in builder.profiles(items, store):
        assert isinstance(one, Score)
        assert (one.status, one.code) == ("unscored", "unsupported")
        assert one.detail == "the model's profile needs more than events of the contract: touched"


@pytest.mark.parametrize(
    ("item", "error"),
    [
        ('{"user_id":"a","events":[]}', "the item: expected user_id, as_of and events, without profile"),
        ('{"user_id":"a","as_of":"2026-06-01T00:00:00Z"}', "the item: expected either events or events_since"),
        ('{"events":[],"as_of":"2026-06-01T00:00:00Z"}', "the item: expected user_id"),
        (
            '{"user_id":"a","events":[],"events_since":[],"as_of":"2026-06-01T00:00:00Z"}',
            "the item: expected either events or events_since",
        ),
        ('{"user_id":"a","events":[],"as_of":"2026-06-01T00:00:00"}', "as_of: "),
        ('{"user_id":"a","events":[{"event_type":"x"}],"as_of":"2026-06-01T00:00:00Z"}', "events[0]: object"),
        (
            '{"user_id":"a","events":[{"event_time":"2026-06-01T00:00:00Z","event_type":"x","amuont":1}]}',
            "events[0]: an unknown key",
        ),
    ],
)
def test_items_with_events_that_break_the_contract_are_invalid(item: str, error: str):
    (found,) = RequestReader(specification(), ServingSettings()).read(f'{{"items":[{item}]}}'.encode()).inputs
    assert isinstance(found, Score)
    assert found.code == "invalid"
    assert str(found.detail).startswith(error)


def test_too_many_events_are_refused(endpoint: Endpoint):
    event = {"event_time": "2026-06-02T10:00:00Z", "event_type": "open"}
    (found,) = results(endpoint, {"user_id": "a", "events": [event] * 6, "as_of": at(LATER)})
    assert found["code"] == "invalid"
    assert found["detail"].startswith("events: got 6, expected at most 5")
    with pytest.raises(InputError, match="events of all items: got 15, expected at most 12"):
        results(endpoint, *[{"user_id": "a", "events": [event] * 5, "as_of": at(LATER)}] * 3)
