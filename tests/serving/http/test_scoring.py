"""Where a request is answered: at once, in its turn, or in a thread."""

import asyncio
import errno
import json
import sqlite3
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn
from unittest.mock import Mock

import msgspec
import pyarrow as pa
import pytest

from features.storage.versions import Place
from serving.http.admission import wait_for_round
from serving.http.endpoint import BLOCK, Endpoint, FoundItems
from serving.http.problems import BUSY, NOT_READY, OTHER_MODEL, TIMEOUT, Answer, RequestProblem
from serving.http.scoring import QUICK_ITEMS, Scoring
from serving.release.bundle import ServingBundle
from serving.release.release import write_release
from serving.release.watch import ReleaseWatch
from serving.score import score
from serving.settings import ServingSettings
from serving.store.profile_store import StoreBatch, StoreShift, write_store
from tests.models.model_builder import fit_model, rows_of
from tests.serving.finished import batch_answers, finished_release


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "releases/shop", keeps_all=False)


@pytest.fixture
def scoring(place: Place, bundle: ServingBundle, profiles: pa.Table) -> Scoring:
    return Scoring(ReleaseWatch(finished_release(place, bundle, profiles)))


def body(*items: Any) -> bytes:
    return json.dumps({"items": items}, default=str).encode()


def asked(scoring: Scoring, *items: Any, pin: str = "") -> Any:
    found = asyncio.run(scoring.answer(body(*items), request_id="r1", pin=pin))
    return json.loads(found.content) | dict(found.headers)


def is_in_thread(scoring: Scoring, content: bytes, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Tell whether an answer is finished in another thread than that of the event loop."""
    threads: list[int] = []
    finish = Endpoint.finish

    def observed(self: Endpoint, items: FoundItems, **about: Any) -> bytes:
        threads.append(threading.get_ident())
        return finish(self, items, **about)

    monkeypatch.setattr(Endpoint, "finish", observed)
    assert json.loads(asyncio.run(scoring.answer(content, request_id="r1")).content)["request_id"] == "r1"
    return threads[-1] != threading.get_ident()


def test_look_ups_and_a_few_profiles_are_answered_at_once(
    scoring: Scoring, profiles: pa.Table, monkeypatch: pytest.MonkeyPatch
):
    rows = rows_of(profiles)
    assert not is_in_thread(scoring, body(*[{"user_id": f"u{place}"} for place in range(50)]), monkeypatch)
    assert not is_in_thread(scoring, body({"profile": rows[0]}), monkeypatch)
    assert is_in_thread(scoring, body(*[{"profile": row} for row in rows[: QUICK_ITEMS + 1]]), monkeypatch)


def test_items_with_events_run_in_a_thread_and_features_that_are_called_alike_do_not(
    scoring: Scoring, profiles: pa.Table, monkeypatch: pytest.MonkeyPatch
):
    assert "events_7d" in rows_of(profiles)[0]
    event = {"event_time": "2026-06-01T10:00:00Z", "event_type": "open"}
    item = {"user_id": "u1", "as_of": "2026-06-02T00:00:00Z", "events": [event]}
    assert is_in_thread(scoring, body(item), monkeypatch)


def test_computing_lets_others_in_between(scoring: Scoring, profiles: pa.Table):
    """Ten requests that compute, all at once: a look-up that comes later is answered before they are all done."""
    order: list[str] = []

    async def ask(name: str, content: bytes) -> None:
        await scoring.answer(content, request_id=name)
        order.append(name)

    async def all_at_once() -> None:
        computed = [asyncio.create_task(ask(f"p{n}", body({"profile": rows[n]}))) for n in range(10)]
        await asyncio.sleep(0)
        await asyncio.gather(*computed, asyncio.create_task(ask("id", body({"user_id": "u1"}))))

    rows = rows_of(profiles)
    asyncio.run(all_at_once())
    assert order.index("id") < 3


def test_a_large_request_lets_the_event_loop_go_first_between_its_blocks(
    scoring: Scoring, profiles: pa.Table, monkeypatch: pytest.MonkeyPatch
):
    """And its answer is that of all its items one by one."""
    rounds: list[asyncio.AbstractEventLoop] = []

    def observed(loop: asyncio.AbstractEventLoop) -> None:
        rounds.append(loop)
        wait_for_round(loop)

    monkeypatch.setattr("serving.http.scoring.wait_for_round", observed)
    items = [{"profile": row} for row in rows_of(profiles)[: 4 * BLOCK + 5]]
    found = asked(scoring, *items)["results"]
    assert len(rounds) == 4
    assert found == [asked(scoring, one)["results"][0] for one in items]
    assert len(rounds) == 4  # a small one waits for its turn in the loop
    without = msgspec.json.encode({"items": items, "reasons": False})
    quick = json.loads(asyncio.run(scoring.answer(without, request_id="r2")).content)["results"]
    assert [one["churn_probability"] for one in quick] == [one["churn_probability"] for one in found]
    assert len(rounds) == 4 + 1  # which takes less time for each


def test_what_takes_too_long_is_given_up(scoring: Scoring, profiles: pa.Table, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("serving.http.scoring.TIMEOUT_SECONDS", 0.0)
    with pytest.raises(RequestProblem) as refused:
        asked(scoring, *[{"profile": row} for row in rows_of(profiles)[:20]])
    assert refused.value.kind is TIMEOUT


def test_a_caller_may_pin_the_model_that_answers(scoring: Scoring):
    assert asked(scoring, {"user_id": "u1"})["X-Churn-Model"] == "shop/7"
    for pin in ("7", "shop/7"):
        assert asked(scoring, {"user_id": "u1"}, pin=pin)["model"]["version"] == "7"
    with pytest.raises(RequestProblem) as refused:
        asked(scoring, {"user_id": "u1"}, pin="8")
    assert (refused.value.kind, "shop/7 is in service" in refused.value.hint) == (OTHER_MODEL, True)


def test_without_a_release_that_fits_it_is_not_ready_until_there_is_one(
    place: Place, bundle: ServingBundle, profiles: pa.Table, caplog: pytest.LogCaptureFixture
):
    scoring = Scoring(ReleaseWatch(write_release(place, bundle)))
    assert "churn score --as-of DATE" in caplog.text
    with pytest.raises(RequestProblem) as refused:
        asked(scoring, {"user_id": "u1"})
    assert refused.value.kind is NOT_READY
    finished_release(place, bundle, profiles)
    scoring.look()
    assert asked(scoring, {"user_id": "u1"})["results"][0]["status"]


def test_model_and_store_are_swapped_as_one(place: Place, scoring: Scoring, bundle: ServingBundle, profiles: pa.Table):
    other = replace(bundle, model=fit_model(seed=9), version="8")
    item = next(row for row in rows_of(profiles) if row["days_since_last_qualifying_day"] <= 14)
    before = asked(scoring, {"user_id": item["user_id"]}, {"profile": item})
    finished_release(place, other, profiles)
    scoring.look()
    after = asked(scoring, {"user_id": item["user_id"]}, {"profile": item})
    assert [found["model"]["version"] for found in (before, after)] == ["7", "8"]
    for found in (before, after):
        by_id, by_profile = found["results"]
        assert by_id == by_profile
    assert before["results"] != after["results"]


def test_a_release_that_is_broken_is_refused_and_the_one_before_goes_on(
    place: Place,
    scoring: Scoring,
    bundle: ServingBundle,
    profiles: pa.Table,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
):
    damaged = finished_release(place, replace(bundle, version="8"), profiles)
    (damaged / "model/booster.txt").write_bytes((damaged / "model/booster.txt").read_bytes()[:-100])
    for _ in range(2):
        scoring.look()
    assert asked(scoring, {"user_id": "u1"})["model"]["version"] == "7"
    assert (scoring.standing.status, str(damaged) in scoring.standing.why) == ("degraded", True)
    quality = asked(scoring, {"user_id": "u1"})["quality"]
    assert (quality["status"], quality["why"]) == scoring.standing
    line, quality = [one.message for one in caplog.records if "refused" in one.message]
    assert line.endswith("shop version 7 (champion) goes on")
    assert quality.startswith("shop version 7 (champion): quality is degraded now: a newer release was refused")
    finished_release(place, replace(bundle, version="9"), profiles)
    taken: list[tuple[str, str]] = []
    monkeypatch.setattr(
        "serving.http.scoring.gc.freeze", lambda: taken.append((version_of(scoring), scoring.standing.status))
    )
    scoring.look()
    assert (asked(scoring, {"user_id": "u1"})["model"]["version"], scoring.standing) == ("9", ("ok", ""))
    assert taken == [("9", "ok")]  # from its first answer on


def test_a_release_that_could_not_be_read_is_told_once_and_taken_when_it_can_be(
    place: Place,
    scoring: Scoring,
    bundle: ServingBundle,
    profiles: pa.Table,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    def fails(_: Path) -> NoReturn:
        raise OSError(errno.EIO, "Input/output error")

    finished_release(place, replace(bundle, version="8"), profiles)
    with monkeypatch.context() as context:
        context.setattr("serving.release.watch.check_release", fails)
        for _ in range(3):
            scoring.look()
    assert sum(one.message.startswith("release refused") for one in caplog.records) == 1
    assert (asked(scoring, {"user_id": "u1"})["model"]["version"], scoring.standing.status) == ("7", "degraded")
    scoring.look()
    assert (asked(scoring, {"user_id": "u1"})["model"]["version"], scoring.standing.status) == ("8", "ok")


def refused_release(place: Place, bundle: ServingBundle, profiles: pa.Table) -> Path:
    """Make version 8 current, whose files are whole, and whose answers are those of another model."""

    def fill(store: Path) -> None:
        answers = batch_answers(store.parent, fit_model(seed=9), profiles, version="8")
        batch = StoreBatch(StoreShift("8", 0.0), answers=answers)
        write_store(store, profiles, specification=bundle.model.specification, batch=batch)

    return write_release(place, replace(bundle, version="8"), fill=fill)


def version_of(scoring: Scoring) -> str:
    return asked(scoring, {"user_id": "u1"})["model"]["version"]


def test_a_worker_that_is_started_again_falls_back_on_its_release_where_the_current_one_is_refused(
    place: Place, bundle: ServingBundle, profiles: pa.Table
):
    first = finished_release(place, bundle, profiles)
    refused_release(place, bundle, profiles)
    scoring = Scoring(ReleaseWatch(first))
    assert version_of(scoring) == "7"
    for _ in range(2):
        scoring.look()
        assert (version_of(scoring), scoring.standing.status) == ("7", "degraded")
    assert "the answers of the store are not the model's" in scoring.standing.why
    finished_release(place, replace(bundle, version="9"), profiles)
    scoring.look()
    assert (version_of(scoring), scoring.standing.status) == ("9", "ok")


@pytest.mark.parametrize(
    "error", [OSError(errno.EIO, "Input/output error"), sqlite3.OperationalError("disk I/O error")]
)
def test_a_release_that_could_not_be_tried_for_a_moment_is_taken_later(
    place: Place,
    scoring: Scoring,
    bundle: ServingBundle,
    profiles: pa.Table,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
):
    finished_release(place, replace(bundle, version="8"), profiles)
    with monkeypatch.context() as context:
        context.setattr("serving.http.endpoint.check_golden", Mock(side_effect=error))
        for _ in range(2):
            scoring.look()
            assert (version_of(scoring), scoring.standing.status) == ("7", "degraded")
    scoring.look()
    assert (version_of(scoring), scoring.standing.status) == ("8", "ok")


@pytest.mark.parametrize("step", ["serving.release.watch.read_bundle", "serving.http.endpoint.check_golden"])
def test_an_error_that_nobody_expected_ends_no_worker_and_what_it_says_is_for_the_log_only(
    place: Place,
    bundle: ServingBundle,
    profiles: pa.Table,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    step: str,
):
    first = finished_release(place, bundle, profiles)
    monkeypatch.setattr(step, Mock(side_effect=KeyError("anna")))
    scoring = Scoring(ReleaseWatch(first))
    assert scoring.endpoint is None
    assert "anna" in caplog.text
    monkeypatch.undo()
    scoring = Scoring(ReleaseWatch(first))
    finished_release(place, replace(bundle, version="8"), profiles)
    monkeypatch.setattr(step, Mock(side_effect=KeyError("anna")))
    scoring.look()
    assert (version_of(scoring), scoring.standing.status) == ("7", "degraded")
    assert scoring.standing.why.endswith("an unexpected KeyError; the log says more")


def test_many_swaps_under_load_give_no_answer_of_one_model_with_the_store_of_another(
    place: Place, scoring: Scoring, bundle: ServingBundle, profiles: pa.Table
):
    """Each answer's probability is that of the version that it names, by id and by profile."""
    models = {"7": bundle.model, "8": fit_model(seed=9)}
    item = next(row for row in rows_of(profiles) if row["days_since_last_qualifying_day"] <= 14)
    expected = {version: score(one, [item], bands=bundle.scoring)[0] for version, one in models.items()}
    seen: set[str] = set()

    async def ask_on() -> None:
        while not done.is_set():
            content = body({"user_id": item["user_id"]}, {"profile": item})
            found = json.loads((await scoring.answer(content, request_id="r1")).content)
            version = found["model"]["version"]
            seen.add(version)
            probabilities = {one["churn_probability"] for one in found["results"]}
            assert probabilities == {expected[version].churn_probability}
            await asyncio.sleep(0)

    def swap() -> None:
        for turn in range(6):
            version = "87"[turn % 2]
            finished_release(place, replace(bundle, model=models[version], version=version), profiles)
            scoring.look()
        done.set()

    done = threading.Event()
    swapper = threading.Thread(target=swap)
    swapper.start()
    asyncio.run(ask_on())
    swapper.join()
    assert seen == {"7", "8"}


def test_more_items_than_may_be_under_way_are_refused_and_look_ups_are_not(scoring: Scoring, profiles: pa.Table):
    rows = rows_of(profiles)
    scoring.admission.limits = ServingSettings(max_items_under_way=10)
    with scoring.admission.items(10):
        for many in (1, 20):
            with pytest.raises(RequestProblem) as refused:
                asked(scoring, *[{"profile": row} for row in rows[:many]])
            assert refused.value.kind is BUSY
        assert asked(scoring, *[{"user_id": f"u{place}"} for place in range(20)])["results"]
    assert asked(scoring, {"profile": rows[0]})["results"]


def test_many_large_look_ups_at_once_are_all_answered(scoring: Scoring, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("serving.http.scoring.QUICK_BODY_BYTES", 100)
    content = body(*[{"user_id": f"u{place}"} for place in range(40)])
    scoring.admission.limits = ServingSettings(max_items_under_way=10)

    async def at_once() -> list[Answer]:
        return await asyncio.gather(*(scoring.answer(content, request_id=f"r{number}") for number in range(4)))

    answers = asyncio.run(at_once())
    assert [(answer.status, len(json.loads(answer.content)["results"])) for answer in answers] == [(200, 40)] * 4


def test_what_is_refused_because_too_much_is_under_way_is_not_charged_to_the_key(scoring: Scoring, profiles: pa.Table):
    rows, event = rows_of(profiles), {"event_time": "2026-06-01T10:00:00Z", "event_type": "open"}
    with_events = {"user_id": "u1", "as_of": "2026-06-02T00:00:00Z", "events": [event]}
    bodies = [
        body(*[{"profile": row} for row in rows[:40]]),
        body(*[{"profile": row} for row in rows[: QUICK_ITEMS + 1]]),
        body({"profile": rows[0]}),
        body(with_events),
    ]
    spent: list[int] = []
    explained = json.dumps({"user_id": "u1"}).encode()
    scoring.admission.limits = ServingSettings(max_items_under_way=10)
    with scoring.admission.items(10):
        for content in bodies:
            with pytest.raises(RequestProblem, match="under way"):
                asyncio.run(scoring.answer(content, request_id="r1", spend=spent.append))
        with pytest.raises(RequestProblem, match="under way"):
            asyncio.run(scoring.explain(explained, request_id="r1", spend=spent.append))
        assert spent == []
        asyncio.run(scoring.answer(body({"user_id": "u1"}), request_id="r1", spend=spent.append))
    for content in bodies:
        asyncio.run(scoring.answer(content, request_id="r1", spend=spent.append))
    asyncio.run(scoring.explain(explained, request_id="r1", spend=spent.append))
    assert spent == [1, 40, QUICK_ITEMS + 1, 1, 1, 1]
