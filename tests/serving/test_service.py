"""The real server over HTTP: one with two workers for requests, one whose profile store changes."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest
from msgspec import structs

from features.profiles.specification import Specification
from features.storage.versions import Place
from models.churn_model import ChurnModel
from serving.batch.score import score_table, with_reasons
from serving.http.contract import STATUSES
from serving.http.front.route import MAX_BODY_BYTES
from serving.http.lookout import EVERY_SECONDS
from serving.release.bundle import ServingBundle, write_bundle
from serving.release.release import write_release
from serving.settings import ScoringSettings, ServingSettings
from serving.store.profile_store import StoreBatch, StoreShift, write_store
from tests.models.model_builder import fit_model, profiles_of, rows_of, specification
from tests.serving.finished import NEVER_STALE, batch_answers
from tests.serving.running import Server, running, wait_for
from tests.serving.score_rows import rows_of_answers, rows_of_table

BANDS = ScoringSettings()
USERS = 120
CLIENT = """
import json, sys, bentoml
with bentoml.SyncHTTPClient(sys.argv[1]) as client:
    print(json.dumps(client.score(items=[{"user_id": "u1"}])))
"""  # in a process of its own: it leaves a folder behind


@pytest.fixture(scope="module")
def server(model: ChurnModel, profiles: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("home")
    settings = ServingSettings(max_items=150, **NEVER_STALE)
    bundle = ServingBundle(model, "shop", "7", "champion", home / "store", BANDS, settings)
    write_bundle(home / "served", bundle)
    finished = StoreBatch(StoreShift("7", 0.0), answers=batch_answers(home / "served", model, profiles))
    write_store(home / "store", profiles, specification=model.specification, batch=finished)
    with running(home / "served", workers=2, folder=home) as server:
        server.wait_until(200)
        yield server


def metrics(server: Server) -> dict[str, float]:
    """What is shown once both workers have written what they counted."""
    time.sleep(EVERY_SECONDS + 0.2)
    lines = server.client.get("/metrics").text.splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


def scored(server: Server, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    answer = server.client.post("/v1/score", content=json.dumps({"items": items}, default=str))
    assert answer.status_code == 200, answer.text
    return answer.json()["results"]


def test_a_user_id_a_profile_and_the_batch_get_the_same_score(server: Server, model: ChurnModel, profiles: pa.Table):
    batch = with_reasons(score_table(model, profiles, bands=BANDS), model, profiles=profiles)
    by_id = scored(server, [{"user_id": f"u{place}"} for place in range(USERS)])
    by_profile = scored(server, [{"profile": row} for row in rows_of(profiles)])
    one_by_one = [found for place in range(USERS) for found in server.ask(f"u{place}").json()["results"]]
    assert by_id == by_profile == one_by_one
    assert rows_of_answers(by_id) == rows_of_table(batch)


def test_the_answer_is_the_contract(server: Server):
    answer = server.ask("u1", "nobody")
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert list(body) == ["request_id", "model", "quality", "results"]
    assert body["model"] == {"name": "shop", "version": "7", "alias": "champion", "trained_through": "2026-05-04"}
    assert body["results"][1] == {
        "user_id": "nobody",
        "status": "unscored",
        "code": "unknown_user",
        "churn_probability": None,
        "percentile": None,
        "risk_band": None,
        "as_of": None,
        "reasons": [],
    }


def test_the_id_of_a_request_comes_back_in_body_and_header(server: Server):
    answer = server.ask("u1", **{"X-Request-Id": "order-17"})
    assert answer.json()["request_id"] == answer.headers["x-request-id"] == "order-17"
    refused = server.client.post("/v1/score", content=b"{", headers={"X-Request-Id": "order-18"})
    assert refused.json()["request_id"] == refused.headers["x-request-id"] == "order-18"
    made = [server.ask("u1").json()["request_id"] for _ in range(2)]
    assert made[0] != made[1]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b'{"items":[]}', b'{"users":[{"user_id":"u1"}]}', b'{"items":{}}'],
)
def test_a_body_that_breaks_the_contract_is_answered_400_with_a_hint(server: Server, content: bytes):
    answer = server.client.post("/v1/score", content=content)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    found = answer.json()
    assert set(found) == {"type", "title", "status", "detail", "error", "hint", "request_id"}
    assert (found["type"], found["status"]) == ("urn:churn:problem:invalid-request", 400)
    assert "Traceback" not in answer.text


def test_too_many_items_are_400_and_too_many_bytes_413(server: Server):
    assert server.ask(*["u1"] * 151).status_code == 400
    answer = server.client.post("/v1/score", content=b"x" * (MAX_BODY_BYTES + 1))
    assert answer.status_code == 413
    assert server.client.post("/v1/score", content=b"x" * MAX_BODY_BYTES).status_code == 400


def test_the_server_is_alive_ready_and_documented(server: Server):
    assert [server.client.get(path).status_code for path in ("/livez", "/readyz", "/schema.json")] == [200, 200, 200]
    assert "/v1/score" in server.client.get("/docs.json").json()["paths"]


def test_bentomls_own_client_is_answered_as_everybody_is(server: Server):
    ran = subprocess.run([sys.executable, "-c", CLIENT, server.address], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["results"] == server.ask("u1").json()["results"]


def test_an_unknown_path_is_404_and_no_label_of_the_metrics(server: Server):
    for path in ("/static_content/index.css", "/v1/score/", "/../etc/passwd", "/qxzjw"):
        answer = server.client.post(path)
        assert answer.status_code == 404, path
        assert answer.json()["type"] == "urn:churn:problem:not-found"
    labels = {name.partition('endpoint="')[2].partition('"')[0] for name in metrics(server)}
    assert labels <= {"", "/v1/score", "/readyz", "/livez", "/schema.json", "/docs.json"}


def test_both_workers_are_counted_and_nothing_is_lost(server: Server):
    workers = [process for process in server.family() if "_bentoml_impl.worker.service" in " ".join(process.cmdline())]
    assert len(workers) == 2
    before = metrics(server)

    def ask(_: int) -> int:
        return httpx.post(f"{server.address}/v1/score", json={"items": [{"user_id": "nobody"}] * 3}).status_code

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(ask, range(60))) == {200}
    after = metrics(server)
    more = {name: value - before.get(name, 0) for name, value in after.items()}
    assert more['churn_answers_total{outcome="unknown_user"}'] == 180
    assert more["churn_request_items_count"] == 60
    assert more["churn_request_items_sum"] == 180
    # what operators count of every service, though BentoML does not see these requests
    name = 'bentoml_service_request_total{endpoint="/v1/score",http_response_code="200"'
    assert sum(value for one, value in more.items() if one.startswith(name)) == 60
    assert after['churn_model_info{alias="champion",name="shop",version="7"}'] == 1
    assert any(name.startswith("bentoml_service_request_duration") and 'le="0.0005"' in name for name in after)


def test_a_client_that_disconnects_disturbs_no_other(server: Server):
    with socket.create_connection(("127.0.0.1", int(server.address.rpartition(":")[2]))) as client:
        client.sendall(b"POST /v1/score HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
    assert server.ask("u1").status_code == 200


def test_a_request_is_counted_by_how_it_was_answered_and_a_score_by_band_and_probability(server: Server):
    before = metrics(server)
    server.ask("u1")
    server.client.post("/v1/score", content=b"{")
    more = {name: value - before.get(name, 0) for name, value in metrics(server).items()}
    assert more['churn_requests_total{key="",kind="stored",model="shop/7",status="200"}'] == 1
    assert more['churn_requests_total{key="",kind="refused",model="",status="400"}'] == 1
    assert more['churn_request_duration_seconds_count{kind="stored",status="200"}'] == 1
    assert 'churn_request_duration_seconds_bucket{kind="stored",le="0.00025",status="200"}' in more
    scored = {name: value for name, value in more.items() if name.startswith("churn_scores_total") and value}
    (result,) = server.ask("u1").json()["results"]
    labels = f'band="{result["risk_band"]}",model="shop/7",probability="0.{int(result["churn_probability"] * 10)}"'
    assert scored == {f"churn_scores_total{{{labels}}}": 1}


def test_the_ages_of_data_and_store_are_shown_and_how_far_answers_can_be_relied_on(server: Server):
    found = metrics(server)
    assert found["churn_profiles_cutoff_timestamp_seconds"] == datetime(2026, 6, 1, tzinfo=UTC).timestamp()
    assert 0 < time.time() - found["churn_store_written_timestamp_seconds"] < 3600
    quality = {name: value for name, value in found.items() if name.startswith("churn_quality")}
    assert quality == {f'churn_quality{{status="{one}"}}': float(one == "ok") for one in STATUSES}


def test_nothing_in_metrics_or_log_names_a_user(server: Server):
    user, trace = "jane.doe@example.org", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    server.ask(user)
    bodies = [{"items": [{"user_id": [user]}], user: 1}, {"items": [{"profile": {user: user}}]}, {"items": user}]
    for body in bodies:
        answer = server.client.post("/v1/score", json=body, headers={"traceparent": trace})
        assert answer.headers["traceparent"] == trace
    assert server.client.get(f"/{user}").status_code == 404
    assert "jane" not in server.client.get("/metrics").text
    assert "jane" not in server.log.read_text()


def test_the_log_is_json_with_a_line_for_each_request_that_was_refused_and_one_for_the_start(server: Server):
    server.client.post("/v1/score", content=b"{", headers={"X-Request-Id": "order-19"})
    wait_for(lambda: all(one in server.log.read_text() for one in ('"order-19"', "answers at")))  # of either worker
    lines = [json.loads(line) for line in server.log.read_text().splitlines() if line]
    assert [one["message"] for one in lines if one["message"] != "refused"] == [
        f"shop version 7 (champion) answers at {server.address}/v1/score"
    ]
    (line,) = [one for one in lines if one.get("request_id") == "order-19"]
    assert (line["level"], line["status"], line["problem"]) == ("warning", 400, "invalid-request")
    assert (line["path"], line["ms"] > 0, line["logger"]) == ("/v1/score", True, "churn.serving")


def check_another_model(server: Server):
    """Version 8 comes into service without a restart, and says so."""
    wait_for(lambda: server.ask("u1").json()["model"]["version"] == "8")
    found = server.client.get("/v1/model").json()
    assert (found["version"], found["status"], found["users"]) == ("8", "ok", USERS)
    assert server.ask("u1", **{"X-Churn-Model": "shop/7"}).status_code == 409
    assert server.client.get("/v1/reasons").json()["unit"] == "log-odds of the churn probability"


@pytest.mark.slow
def test_the_lifecycle_of_a_server(bundle: ServingBundle, profiles: pa.Table, tmp_path: Path):
    """Without profiles, with profiles, with newer ones, with unsuitable ones, with another model, and a clean end."""
    other = structs.replace(specification(), feature_names=specification().feature_names[1:])
    place = Place(tmp_path / "releases", keeps_all=False)

    def release(found: pa.Table, of: Specification) -> None:
        write_release(place, bundle, fill=lambda folder: write_store(folder, found, specification=of))

    with running(write_release(place, bundle), folder=tmp_path) as server:
        server.wait_until(200, "/livez")
        for answer in (server.client.get("/readyz"), server.ask("u1")):
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "churn score --as-of DATE" in server.log.read_text()

        release(profiles, specification())
        server.wait_until(200)
        assert server.ask("u100").json()["results"][0]["code"] != "unknown_user"

        release(profiles_of(10), specification())
        wait_for(lambda: server.ask("u100").json()["results"][0]["code"] == "unknown_user")

        release(profiles, other)
        wait_for(lambda: server.ask("u1").is_success and metrics(server)["churn_refused_stores_total"] == 2)
        assert server.ask("u100").json()["results"][0]["code"] == "unknown_user"

        assert server.client.get("/v1/model").json()["status"] == "degraded"

        eighth = replace(bundle, version="8", model=fit_model(seed=9))
        write_release(place, eighth, fill=lambda folder: write_store(folder, profiles, specification=specification()))
        check_another_model(server)

        family = server.family()
        assert server.stop() == 0
        assert not any(process.is_running() for process in family)
        assert "Traceback" not in server.log.read_text()
