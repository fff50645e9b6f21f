"""A challenger in the shadow of the real server: answers stay what they are, byte by byte, and differences are counted."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pytest
from msgspec import structs

from features.storage.versions import Place
from models.churn_model import ChurnModel
from serving.batch.difference import Difference
from serving.batch.score import score_table
from serving.batch.scored_batch import difference_of_scores
from serving.release.bundle import ServingBundle
from serving.release.release import write_release
from serving.release.shadow import Shadow
from serving.settings import ScoringSettings, ServingSettings
from serving.store.profile_store import write_store
from tests.models.model_builder import fit_model, rows_of
from tests.serving.finished import NEVER_STALE, finished_release
from tests.serving.running import Server, running, wait_for

BANDS = ScoringSettings()
CHALLENGER = fit_model(seed=9)
OFFLINE = Difference(100, 0, 3, 0.01, 0.02)
OUTCOMES = (
    "same_band",
    "other_band",
    "scored_by_one",
    "scored_by_none",
    "not_comparable",
    "error",
    "dropped",
)
EVENT = {"event_time": "2026-05-30T10:00:00Z", "event_type": "open"}


SHADOW = Shadow(CHALLENGER, "8", "challenger", OFFLINE)
# its trees read one feature more than its profiles have: it fails at every user
FAILING = replace(
    SHADOW,
    model=replace(
        CHALLENGER,
        specification=structs.replace(
            CHALLENGER.specification, feature_names=CHALLENGER.specification.feature_names[:-1]
        ),
    ),
)


def bundle_of(model: ChurnModel, folder: Path, shadow: Shadow | None) -> ServingBundle:
    settings = ServingSettings(max_items=150, **NEVER_STALE)
    return ServingBundle(model, "shop", "7", "champion", folder / "store", BANDS, settings, shadow=shadow)


def release_of(model: ChurnModel, profiles: pa.Table, folder: Path, *, shadow: Shadow | None) -> Path:
    return finished_release(Place(folder / "releases"), bundle_of(model, folder, shadow), profiles)


def unreadable_release(model: ChurnModel, profiles: pa.Table, folder: Path) -> Path:
    """Of a digest that fits, as if a broken shadow had been written so."""

    def fill(store: Path) -> None:
        write_store(store, profiles, specification=model.specification)
        (store.parent / "shadow/booster.txt").write_text("not a tree")

    return write_release(Place(folder / "releases"), bundle_of(model, folder, SHADOW), fill=fill)


@pytest.fixture(scope="module")
def server(model: ChurnModel, profiles: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """It starts without a shadow, and gets one later."""
    home = tmp_path_factory.mktemp("shadowed")
    with running(release_of(model, profiles, home, shadow=None), folder=home) as server:
        server.wait_until(200)
        yield server


def bodies(profiles: pa.Table) -> list[bytes]:
    """Look-ups, what cannot be scored, and every profile once: some one by one, and many at once."""
    rows = rows_of(profiles)
    items: list[list[Any]] = [
        [{"user_id": "u1"}, {"user_id": "nobody"}, {"profile": {"events_7d": -5}}],
        *[[{"profile": row}] for row in rows[:20]],
        [{"profile": row} for row in rows[20:]],
    ]
    return [json.dumps({"items": one}, default=str).encode() for one in items]


def answers(server: Server, profiles: pa.Table) -> list[tuple[int, bytes, str]]:
    found = [server.client.post("/v1/score", content=one, headers={"X-Request-Id": "r1"}) for one in bodies(profiles)]
    return [(one.status_code, one.content, one.headers["x-churn-model"]) for one in found]


def shadow_metrics(server: Server) -> dict[str, float]:
    lines = [one for one in server.client.get("/metrics").text.splitlines() if one.startswith("churn_shadow")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def outcomes(server: Server) -> dict[str, float]:
    return {
        name.partition('outcome="')[2].partition('"')[0]: value
        for name, value in shadow_metrics(server).items()
        if name.startswith("churn_shadow_users_total") and 'shadow="shop/8"' in name
    }


class Alone(NamedTuple):
    """What a server without a shadow answers, counts and says of it."""

    answers: list[tuple[int, bytes, str]]
    outcomes: dict[str, float]
    shadow: Any


@pytest.fixture(scope="module")
def alone(server: Server, profiles: pa.Table) -> Alone:
    return Alone(answers(server, profiles), outcomes(server), shadow_of(server))


def shadow_of(server: Server) -> Any:
    return server.client.get("/v1/model").json()["shadow"]


@pytest.fixture(scope="module")
def shadowed(server: Server, alone: Alone, model: ChurnModel, profiles: pa.Table) -> Server:
    release_of(model, profiles, server.log.parent, shadow=SHADOW)
    wait_for(lambda: shadow_of(server) is not None)
    return server


@pytest.fixture(scope="module")
def counted(shadowed: Server, profiles: pa.Table) -> tuple[list[tuple[int, bytes, str]], dict[str, float]]:
    """Its answers, and the metrics once everybody in them is compared."""
    found = answers(shadowed, profiles)
    wait_for(lambda: sum(outcomes(shadowed).values()) >= profiles.num_rows)
    return found, shadow_metrics(shadowed)


def test_answers_are_the_same_bytes_with_and_without_a_shadow(counted: Any, alone: Alone):
    assert alone.answers == counted[0]
    assert {status for status, *_ in counted[0]} == {200}
    assert alone.outcomes == {}
    assert alone.shadow is None


def test_what_is_counted_is_what_an_offline_comparison_gives(counted: Any, model: ChurnModel, profiles: pa.Table):
    own, other = (score_table(one, profiles, bands=BANDS) for one in (model, CHALLENGER))
    expected = difference_of_scores(own, other)
    assert 0 < expected.other_band < expected.users < profiles.num_rows
    found, about = counted[1], 'model="shop/7",{}shadow="shop/8"'
    outcome = {name: f'churn_shadow_users_total{{{about.format(f"""outcome="{name}",""")}}}' for name in OUTCOMES}
    assert {name: found.get(key, 0) for name, key in outcome.items()} == {
        "same_band": expected.users - expected.other_band,
        "other_band": expected.other_band,
        "scored_by_one": expected.scored_by_one,
        "scored_by_none": profiles.num_rows - expected.users - expected.scored_by_one,
        "error": 0,
        "dropped": 0,
        "not_comparable": 0,
    }
    probabilities = [table.column("churn_probability").drop_null().to_numpy() for table in (own, other)]
    for bound in (-0.1, -0.01, 0.0, 0.01, 0.1):
        name = f'churn_shadow_difference_bucket{{le="{bound}",model="shop/7",shadow="shop/8"}}'
        assert found[name] == sum(probabilities[1] - probabilities[0] <= bound)


def test_users_whose_events_are_sent_are_compared_too(shadowed: Server, counted: Any):
    before = sum(outcomes(shadowed).values())
    item = {"user_id": "u1", "as_of": "2026-06-01T00:00:00Z", "events": [EVENT]}
    (result,) = shadowed.client.post("/v1/score", json={"items": [item]}).json()["results"]
    assert result["status"] == "scored"
    wait_for(lambda: sum(outcomes(shadowed).values()) == before + 1)
    assert "error" not in outcomes(shadowed)
    assert "not_comparable" not in outcomes(shadowed)


def test_the_model_document_names_the_shadow_and_nothing_names_a_user(shadowed: Server, counted: Any):
    found = shadowed.client.get("/v1/model").json()
    assert (found["version"], found["shadow"]["version"], found["shadow"]["alias"]) == ("7", "8", "challenger")
    assert found["shadow"]["difference"] == structs.asdict(OFFLINE)
    assert not [name for name in counted[1] if '"u' in name]
    assert '"u1"' not in shadowed.log.read_text()


@pytest.mark.slow
def test_a_shadow_that_is_broken_never_disturbs_answers(
    counted: Any, model: ChurnModel, profiles: pa.Table, tmp_path: Path
):
    """One that fails at every user, and one whose files cannot be read: taken by a running service, and at its start."""
    expected = counted[0]
    with running(release_of(model, profiles, tmp_path, shadow=FAILING), folder=tmp_path) as server:
        server.wait_until(200)
        assert answers(server, profiles) == expected
        wait_for(lambda: outcomes(server).get("error", 0) > 0)
        unreadable = unreadable_release(model, profiles, tmp_path)
        wait_for(lambda: shadow_of(server) is None)
        assert answers(server, profiles) == expected
        assert server.client.get("/v1/model").json()["status"] == "ok"
        assert "the shadow is broken" in server.log.read_text()
    with running(unreadable, folder=tmp_path) as server:
        server.wait_until(200)
        assert answers(server, profiles) == expected
