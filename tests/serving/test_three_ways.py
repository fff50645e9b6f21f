"""One user has one probability: looked up by id, computed from the profile, or from the events, on a thousand users of three logs."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec import structs

from features.catalogue.custom import CustomFeature
from features.catalogue.definition import Unit
from features.profiles.build import build_profiles
from features.profiles.specification import Specification
from features.snapshots import instant
from features.storage.versions import Place
from seeds.simulate import World as SimulatedWorld
from seeds.simulate import simulate
from serving.http.endpoint import Endpoint
from serving.release.bundle import ServingBundle, read_bundle
from serving.settings import ScoringSettings, ServingSettings
from tests.builders import Row, World, columns_of, world_of
from tests.models.model_builder import fit_model
from tests.serving.finished import NEVER_STALE, finished_release

pytestmark = pytest.mark.slow
USERS, DAYS, ITEMS = 500, 75, 50
NO_LIMIT: dict[str, Any] = {"max_events": 10**6, "max_events_per_item": 10**5}
CUSTOM = (
    CustomFeature(
        "windowed",
        "large_amounts",
        Unit.COUNT,
        "Purchases above 20.",
        "bought much",
        daily="count_if(amount > 20)",
        needs=("amount",),
    ),
    CustomFeature(
        "derived", "week_share", Unit.SHARE, "Share of a month.", "came lately", sql="events_7d / nullif(events_28d, 0)"
    ),
)


@dataclass(frozen=True)
class Log:
    """A simulated log, and how it is read.

    Attributes
    ----------
    start
        First day; the clocks of the zone change before its last.
    lacking
        Columns that it does not have.
    """

    seed: int
    start: date
    zone: str = "UTC"
    lacking: frozenset[str] = frozenset()
    features: Mapping[str, Any] = field(default_factory=dict[str, Any])
    custom: tuple[CustomFeature, ...] = ()

    @property
    def cutoff(self) -> date:
        return self.start + timedelta(days=DAYS - 3)

    def events(self, folder: Path) -> list[Row]:
        """The rows of the log."""
        simulated = SimulatedWorld(users=USERS, days=DAYS, start=self.start, seed=self.seed)
        simulate(simulated, folder)
        found = pq.read_table(folder / "events").to_pylist()
        return [{name: value for name, value in row.items() if name not in {*self.lacking, "day"}} for row in found]


LOGS = {
    "all columns, UTC": Log(1, date(2026, 1, 5)),
    "custom features, clocks go forward": Log(2, date(2026, 2, 1), "Europe/Berlin", custom=CUSTOM),
    "few columns, clocks go back": Log(
        3,
        date(2025, 9, 1),
        "America/New_York",
        frozenset({"session_id", "duration_seconds", "device_model", "app_version", "network"}),
        {"observation_days": 60},
    ),
}


@dataclass(frozen=True)
class Asked:
    """A service, and what is asked of it.

    Attributes
    ----------
    events
        Of each user, before the cutoff.
    """

    endpoint: Endpoint
    profiles: pa.Table
    events: Mapping[str, Sequence[Row]]
    as_of: datetime

    def by_id(self, row: Row) -> Row:
        return {"user_id": row["user_id"]}

    def by_profile(self, row: Row) -> Row:
        return {"profile": row}

    def by_events(self, row: Row) -> Row:
        sent = [{name: one[name] for name in one if one[name] is not None} for one in self.events[row["user_id"]]]
        return {"user_id": row["user_id"], "events": sent, "as_of": self.as_of}

    def results(self, items: Sequence[Row]) -> list[Any]:
        """Answers of a few items each, without reasons."""
        parts = [items[start : start + ITEMS] for start in range(0, len(items), ITEMS)]
        return [one for part in parts for one in self._answered(part)]

    def _answered(self, items: Sequence[Row]) -> list[Any]:
        body = json.dumps({"items": items, "reasons": False}, default=_text).encode()
        return json.loads(self.endpoint.answer(body, request_id="r1"))["results"]


def _text(value: Any) -> str:
    return value.isoformat()


def specification_of(world: World, log: Log) -> Specification:
    """Every feature that the log can answer, and the custom ones; texts are of two categories, so that others are unseen."""
    of = world.specification(("app_open", "purchase"), (7, 28))
    names = (*of.feature_names, *(["large_amounts_7d", "large_amounts_28d", "week_share"] if log.custom else []))
    of = structs.replace(of, feature_names=names, custom=log.custom)
    texts = {feature.name: ("android", "organic") for feature in of.features if feature.is_text}
    return structs.replace(of, categories=texts)


@pytest.fixture(scope="module", params=LOGS)
def asked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Asked:
    """A release of all users of a log, with finished answers."""
    log, folder = LOGS[request.param], tmp_path_factory.mktemp("log")
    events = log.events(folder / "simulated")
    churn = {"timezone": log.zone}
    world = world_of(
        folder,
        events,
        churn=churn,
        features={**log.features, "custom": log.custom},
        covered_until=log.start + timedelta(days=DAYS),
    )
    of = specification_of(world, log)
    profiles, model = build_profiles(world.activity(), of, cutoffs=[log.cutoff]), fit_model(2_000, of=of)
    bundle = ServingBundle(
        model,
        "shop",
        "7",
        "champion",
        folder,
        ScoringSettings(),
        ServingSettings(**NO_LIMIT, **NEVER_STALE),
        tuple(columns_of(events)),
    )
    release = finished_release(Place(folder / "releases"), bundle, profiles)
    as_of, own = instant(log.cutoff, log.zone), defaultdict[str, list[Row]](list)
    for row in events:
        if row["event_time"] < as_of:
            own[row["user_id"]].append({name: value for name, value in row.items() if name != "user_id"})
    return Asked(Endpoint(read_bundle(release)), profiles, own, as_of)


def test_a_user_has_one_probability_by_id_by_profile_and_by_events(asked: Asked):
    users = asked.profiles.to_pylist()
    by_id, by_profile, by_events = (
        asked.results([item(row) for row in users]) for item in (asked.by_id, asked.by_profile, asked.by_events)
    )
    assert {one["code"] for one in by_id} == {None, "not_eligible"}
    for one, *others in zip(by_id, by_profile, by_events, strict=True):
        assert [other["code"] for other in others] == [one["code"]] * 2
        if one["code"] is None:
            found = [other["churn_probability"] for other in others]
            assert found == pytest.approx([one["churn_probability"]] * 2, rel=0, abs=1e-9)
    assert len({one["churn_probability"] for one in by_id}) > 50


def test_each_log_has_a_third_of_the_users(asked: Asked):
    assert asked.profiles.num_rows >= 1_000 / len(LOGS)


@pytest.mark.parametrize("name", [name for name in LOGS if "clocks" in name])
def test_the_clocks_change_inside_the_longest_window(name: str):
    log = LOGS[name]
    hours = (instant(log.cutoff, log.zone) - instant(log.cutoff - timedelta(days=28), log.zone)).total_seconds() / 3600
    assert hours - 28 * 24 == (-1 if "forward" in name else 1)
