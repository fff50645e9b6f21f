"""The whole way once, through the real command and the real server: a user id, a whole profile and the batch agree."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.stats import rankdata

from churn.project import Project
from features.log.event_log import open_log
from features.log.formats import files_of
from features.profiles.build import build_profiles
from models.registry.registry import Registry
from serving.http.endpoint import Endpoint
from serving.release.bundle import read_bundle
from tests.churn.command import AS_OF, CHURN, TrainedWorld, churn

Row = dict[str, Any]


def rows(path: Path) -> list[Row]:
    return pq.ParquetFile(path).read().to_pylist()


@dataclass(frozen=True)
class Service:
    """The real server, reached over HTTP."""

    address: str
    home: Path
    log: Path

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self.address + path, timeout=30) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def post(self, *items: Row) -> tuple[int, Row]:
        body = json.dumps({"items": items}).encode()
        request = urllib.request.Request(f"{self.address}/v1/score", body, {"Content-Type": "application/json"})  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def results(self, *items: Row) -> list[Row]:
        status, answer = self.post(*items)
        assert status == 200, answer
        return answer["results"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def is_ready(service: Service) -> bool:
    try:
        return service.get("/readyz")[0] == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def service(trained_world: TrainedWorld, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    home = trained_world.copy_to(tmp_path_factory.mktemp("served") / "home")
    port = free_port()
    said = home.home.parent / "said.log"
    service = Service(f"http://127.0.0.1:{port}", home.home, said)
    with said.open("w") as log:
        server = subprocess.Popen(
            [CHURN, "serve", *home.options(), "--port", str(port)],
            stdout=log,
            stderr=log,
            cwd=home.home.parent,
            env=os.environ,
        )
        try:
            until = time.monotonic() + 90
            while not is_ready(service):
                assert server.poll() is None, said.read_text()
                assert time.monotonic() < until, said.read_text()
                time.sleep(0.1)
            yield service
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)


# --- The batch -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def batch(trained_world: TrainedWorld) -> dict[str, Row]:
    """What `churn score` wrote, by user."""
    return {row["user_id"]: row for row in rows(Path(trained_world.said["score"]["path"]) / "scores.parquet")}


@pytest.fixture(scope="module")
def profiles(trained_world: TrainedWorld) -> dict[str, Row]:
    """Profiles built anew from the log, by user: the store is not asked."""
    project = Project(trained_world.config, home=trained_world.home)
    specification = Registry(trained_world.home, "churn").get("champion").model.specification
    built = build_profiles(project.activity(), specification, cutoffs=[date.fromisoformat(AS_OF)])
    return {row["user_id"]: row | {"cutoff": str(row["cutoff"])} for row in built.to_pylist()}


@pytest.fixture(scope="module")
def asked(batch: dict[str, Row]) -> list[str]:
    """Some users who were scored, and some who were not."""
    scored = [user for user, row in batch.items() if row["status"] == "scored"]
    return scored[::9] + [user for user in batch if user not in set(scored)][:5]


ANSWERED = ("churn_probability", "percentile", "risk_band", "status", "code")


def answered(row: Row) -> Row:
    """What the batch and the endpoint both say of a user."""
    reasons = row.get("reasons")
    if reasons is None:
        found = [
            (row[f"reason_{place}"], row[f"reason_{place}_code"], row[f"reason_{place}_contribution"])
            for place in (1, 2, 3)
        ]
        return {key: row[key] for key in ANSWERED} | {
            "reasons": [one for one in found if one[0]],
            "as_of": str(row["as_of"]),
        }
    told = [(one["text"], one["code"], one["contribution"]) for one in reasons]
    return {key: row[key] for key in ANSWERED} | {"reasons": told, "as_of": row["as_of"]}


def test_a_user_id_a_whole_profile_and_the_batch_give_the_same_answer(
    service: Service, batch: dict[str, Row], profiles: dict[str, Row], asked: list[str]
):
    by_id = service.results(*({"user_id": user} for user in asked))
    by_profile = service.results(*({"profile": profiles[user]} for user in asked))
    assert [row["user_id"] for row in by_id] == [row["user_id"] for row in by_profile] == asked
    for user, one, other in zip(asked, by_id, by_profile, strict=True):
        assert answered(one) == answered(other) == answered(batch[user])


def test_a_user_asked_for_alone_gets_the_answer_of_the_batch(service: Service, batch: dict[str, Row], asked: list[str]):
    for user in asked[:3]:
        (alone,) = service.results({"user_id": user})
        assert answered(alone) == answered(batch[user])


def test_the_profiles_that_the_command_writes_are_profiles_that_the_service_takes(
    service: Service, trained_world: TrainedWorld, batch: dict[str, Row], asked: list[str], tmp_path: Path
):
    asking = ("--as-of", AS_OF, "--model", "champion", "--out", "profiles.parquet")
    ran = churn("profiles", *trained_world.options(), *asking, cwd=tmp_path)
    assert ran.code == 0, ran.err
    written = {row["user_id"]: row | {"cutoff": str(row["cutoff"])} for row in rows(tmp_path / "profiles.parquet")}
    results = service.results(*({"profile": written[user]} for user in asked))
    assert [answered(one) for one in results] == [answered(batch[user]) for user in asked]


def test_whoever_is_on_the_list_has_the_score_that_the_service_gives(service: Service, trained_world: TrainedWorld):
    listed = rows(trained_world.list_folder / "at_risk.parquet")[:20]
    results = service.results(*({"user_id": row["user_id"]} for row in listed))
    assert listed
    assert [one["churn_probability"] for one in results] == [row["churn_probability"] for row in listed]
    assert {one["risk_band"] for one in results} <= {"high", "medium"}


def test_the_answer_names_the_model_and_what_it_is_worth(
    service: Service, trained_world: TrainedWorld, asked: list[str]
):
    _, answer = service.post({"user_id": asked[0]})
    trained = trained_world.said["train"]
    assert answer["model"] == {"name": "churn", "version": "1", "alias": "champion", "trained_through": "2026-04-21"}
    assert answer["quality"]["auc"] == trained["test"]["auc"]
    assert answer["quality"]["users"] == trained["test"]["users"]
    assert answer["request_id"]


def test_whoever_cannot_be_scored_is_said_to_be_in_order(service: Service, asked: list[str], profiles: dict[str, Row]):
    lacking = {name: value for name, value in profiles[asked[0]].items() if name != "events_7d"}
    results = service.results(
        {"user_id": "nobody"}, {"user_id": asked[0]}, {"user_id": asked[-1]}, {"profile": lacking}
    )
    assert [one["code"] for one in results] == ["unknown_user", None, "not_eligible", "incomplete_profile"]


def test_items_with_events_are_answered_as_in_one_process(
    service: Service, trained_world: TrainedWorld, asked: list[str]
):
    log = Project(trained_world.config, home=trained_world.home).reader.activity_settings()
    own = [
        row
        for row in open_log(log.events, "UTC", files=files_of(log.events, log.base)).to_arrow().to_pylist()
        if row["user_id"] == asked[0]
    ]
    events = [{**row, "event_time": row["event_time"].isoformat()} for row in own[:20]]
    for event in events:
        del event["user_id"]
    as_of = f"{max(event['event_time'] for event in events)[:10]}T23:59:59Z"
    items = [
        {"user_id": asked[0], "events": events, "as_of": as_of},
        {"user_id": asked[0], "events_since": events[-1:], "as_of": as_of},
        {"user_id": asked[0]},
    ]
    endpoint = Endpoint(read_bundle((service.home / "releases/churn/current").resolve()))
    expected = endpoint.answer(json.dumps({"items": items}).encode(), request_id="r1")
    assert expected is not None
    found = service.results(*items)
    assert found == json.loads(expected)["results"]
    assert [one["code"] for one in found] == [None, "no_kept_activity", None]
    assert "Traceback" not in service.log.read_text()


def test_a_request_that_is_not_of_the_contract_is_refused_with_a_way_out(service: Service):
    status, answer = service.post({"user": "u000001"})
    assert (status, answer["results"][0]["code"]) == (200, "invalid")
    assert answer["results"][0]["detail"].endswith('did you mean "user_id"?')
    assert "u000001" not in json.dumps(answer)


@pytest.mark.parametrize(
    ("path", "holds"), [("/livez", ""), ("/readyz", ""), ("/metrics", "# TYPE"), ("/docs.json", "openapi")]
)
def test_what_operators_look_at_is_there(service: Service, path: str, holds: str):
    status, content = service.get(path)
    assert status == 200
    assert holds in content


# --- Against the truth that only the simulation knows ----------------------------------------------------------------


@pytest.fixture(scope="module")
def truth(trained_world: TrainedWorld, batch: dict[str, Row]) -> tuple[np.ndarray, np.ndarray]:
    """Predicted and true probability of everybody who was scored, on a cutoff later than all that was learnt from."""
    (path,) = (trained_world.folder / "truth").glob(f"*{AS_OF}*.parquet")
    known = {row["user_id"]: row["true_probability"] for row in rows(path)}
    scored = [user for user, row in batch.items() if row["status"] == "scored"]
    return np.array([batch[user]["churn_probability"] for user in scored]), np.array([known[user] for user in scored])


def test_probabilities_are_near_the_true_ones_in_every_tenth(truth: tuple[np.ndarray, np.ndarray]):
    predicted, true = truth
    bins = np.array_split(np.argsort(predicted, kind="stable"), 10)
    assert np.mean([abs(predicted[part].mean() - true[part].mean()) for part in bins]) < 0.06


def test_on_the_whole_as_many_are_expected_to_leave_as_will(truth: tuple[np.ndarray, np.ndarray]):
    predicted, true = truth
    assert predicted.mean() == pytest.approx(true.mean(), abs=0.05)


def aucs(left: np.ndarray, score: np.ndarray) -> np.ndarray:
    """The AUC of a score in each of many worlds, ranked once for all of them."""
    leavers = left.sum(axis=1)
    stayers = left.shape[1] - leavers
    return (left @ rankdata(score) - leavers * (leavers + 1) / 2) / (leavers * stayers)


def test_the_ranking_is_near_the_best_possible(truth: tuple[np.ndarray, np.ndarray]):
    # whoever knew the true probabilities would be wrong about as often as the dice of the world say
    predicted, true = truth
    left = np.random.default_rng(1).random((200, len(true))) < true
    best, own = (np.mean(aucs(left, score)) for score in (true, predicted))
    assert best - 0.08 < own < best
