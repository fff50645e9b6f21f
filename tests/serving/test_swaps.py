"""Twenty swaps between two models and their stores, under load, on two workers."""

import json
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pyarrow as pa
import pytest

from features.storage.versions import Place
from serving.release.bundle import ServingBundle
from serving.score import score
from tests.models.model_builder import fit_model, rows_of
from tests.serving.finished import finished_release
from tests.serving.running import running

SWAPS, SECONDS_EACH, CLIENTS = 20, 1.5, 4


@pytest.mark.slow
def test_no_request_fails_and_each_answer_is_that_of_the_version_it_names(
    bundle: ServingBundle, profiles: pa.Table, tmp_path: Path
):
    models = {"7": bundle.model, "8": fit_model(seed=9)}
    row = next(row for row in rows_of(profiles) if row["days_since_last_qualifying_day"] <= 14)
    expected = {version: score(one, [row], bands=bundle.scoring)[0] for version, one in models.items()}
    content = json.dumps({"items": [{"user_id": row["user_id"]}, {"profile": row}]}, default=str)
    place, done, seen = Place(tmp_path / "releases", keeps_all=False), threading.Event(), Counter[str]()

    def release(version: str) -> Path:
        return finished_release(place, replace(bundle, model=models[version], version=version), profiles)

    def ask_on(address: str) -> None:
        with httpx.Client(base_url=address, timeout=20) as client:
            while not done.is_set():
                answer = client.post("/v1/score", content=content)
                assert answer.status_code == 200, answer.text
                found = answer.json()
                version = found["model"]["version"]
                seen[version] += 1
                assert [one["churn_probability"] for one in found["results"]] == [
                    expected[version].churn_probability
                ] * 2

    with running(release("7"), workers=2, folder=tmp_path) as server, ThreadPoolExecutor(CLIENTS) as threads:
        server.wait_until(200)
        clients = [threads.submit(ask_on, server.address) for _ in range(CLIENTS)]
        for swap in range(SWAPS):
            release("87"[swap % 2])
            time.sleep(SECONDS_EACH)
        done.set()
        for one in clients:
            one.result()
    assert min(seen["7"], seen["8"]) > 100
