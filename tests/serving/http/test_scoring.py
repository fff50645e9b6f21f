"""Where a request is answered: at once, in its turn, or in a thread."""

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from serving.http.endpoint import Endpoint, FoundItems
from serving.http.problems import NOT_READY, TIMEOUT, RequestProblem
from serving.http.scoring import QUICK_ITEMS, Scoring
from serving.release.bundle import ServingBundle, read_bundle
from serving.store.profile_store import StoreBatch, StoreShift, write_store
from tests.models.model_builder import rows_of
from tests.serving.finished import batch_answers


class Observed(Endpoint):
    """An endpoint that remembers in which threads it finished requests, and how many at once."""

    threads: list[int]

    def finish(self, items: FoundItems, *, request_id: str) -> bytes:
        self.threads.append(threading.get_ident())
        return super().finish(items, request_id=request_id)


@pytest.fixture
def endpoint(bundle: ServingBundle, profiles: pa.Table, tmp_path: Path) -> Observed:
    answers = batch_answers(tmp_path / "served", bundle.model, profiles)
    batch = StoreBatch(StoreShift("7", 0.0), answers=answers)
    write_store(bundle.store, profiles, specification=bundle.model.specification, batch=batch)
    found = Observed(read_bundle(tmp_path / "served"))
    found.threads = []
    return found


def body(*items: Any) -> bytes:
    return json.dumps({"items": items}, default=str).encode()


def is_in_thread(endpoint: Observed, content: bytes) -> bool:
    answer = asyncio.run(Scoring(endpoint).answer(content, request_id="r1"))
    assert json.loads(answer)["request_id"] == "r1"
    return endpoint.threads[-1] != threading.get_ident()


def test_look_ups_and_a_few_profiles_are_answered_at_once(endpoint: Observed, profiles: pa.Table):
    rows = rows_of(profiles)
    assert not is_in_thread(endpoint, body(*[{"user_id": f"u{place}"} for place in range(50)]))
    assert not is_in_thread(endpoint, body({"profile": rows[0]}))
    assert is_in_thread(endpoint, body(*[{"profile": row} for row in rows[: QUICK_ITEMS + 1]]))


def test_items_with_events_run_in_a_thread_and_features_that_are_called_alike_do_not(
    endpoint: Observed, profiles: pa.Table
):
    assert "events_7d" in rows_of(profiles)[0]
    event = {"event_time": "2026-06-01T10:00:00Z", "event_type": "open"}
    assert is_in_thread(endpoint, body({"user_id": "u1", "as_of": "2026-06-02T00:00:00Z", "events": [event]}))


def test_computing_lets_others_in_between(endpoint: Observed, profiles: pa.Table):
    """Ten requests that compute, all at once: a look-up that comes later is answered before they are all done."""
    order: list[str] = []

    async def ask(name: str, content: bytes) -> None:
        await scoring.answer(content, request_id=name)
        order.append(name)

    async def all_at_once() -> None:
        computed = [asyncio.create_task(ask(f"p{n}", body({"profile": rows[n]}))) for n in range(10)]
        await asyncio.sleep(0)
        await asyncio.gather(*computed, asyncio.create_task(ask("id", body({"user_id": "u1"}))))

    rows, scoring = rows_of(profiles), Scoring(endpoint)
    asyncio.run(all_at_once())
    assert order.index("id") < 3


def test_without_a_store_it_is_not_ready(bundle: ServingBundle):
    with pytest.raises(RequestProblem) as refused:
        asyncio.run(Scoring(Endpoint(bundle)).answer(body({"user_id": "u1"}), request_id="r1"))
    assert refused.value.kind is NOT_READY


def test_what_takes_too_long_is_given_up(endpoint: Observed, profiles: pa.Table, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("serving.http.scoring.TIMEOUT_SECONDS", 0.0)
    with pytest.raises(RequestProblem) as refused:
        asyncio.run(
            Scoring(endpoint).answer(body(*[{"profile": row} for row in rows_of(profiles)[:20]]), request_id="r1")
        )
    assert refused.value.kind is TIMEOUT
