"""How a server ends: what was accepted is answered, and nobody is left behind."""

import json
import os
import select
import signal
import socket
import time
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import psutil
import pyarrow as pa
import pytest

from features.storage.versions import Place
from serving.release.bundle import ServingBundle
from serving.release.release import write_release
from serving.settings import ServingSettings
from serving.store.profile_store import write_store
from tests.models.model_builder import rows_of
from tests.serving.running import running, wait_for, workers_of


@pytest.fixture
def release(bundle: ServingBundle, profiles: pa.Table, tmp_path: Path) -> Path:
    bundle = replace(bundle, serving=ServingSettings(max_items_under_way=100_000))
    fill = partial(write_store, profiles=profiles, specification=bundle.model.specification)
    return write_release(Place(tmp_path / "releases"), bundle, fill=fill)


@pytest.mark.slow
def test_a_server_that_is_ended_answers_what_it_has_accepted(release: Path, profiles: pa.Table, tmp_path: Path):
    """Eight large requests, of which one is answered when the signal comes: the others wait for their turn."""
    items = [{"profile": row} for row in rows_of(profiles)] * 8
    body = json.dumps({"items": items}, default=str).encode()
    request = b"POST /v1/score HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    with running(release, folder=tmp_path) as server, ExitStack() as stack:
        server.wait_until(200)
        address = ("127.0.0.1", int(server.address.rpartition(":")[2]))
        clients = [stack.enter_context(socket.create_connection(address, timeout=30)) for _ in range(8)]
        for one in clients:
            one.sendall(request)
        assert select.select(clients, [], [], 30)[0]
        server.process.send_signal(signal.SIGTERM)
        answers = [read_to_the_end(one) for one in clients]
        assert server.process.wait(30) == 0
    assert [one[:15] for one in answers] == [b"HTTP/1.1 200 OK"] * 8
    assert {one.count(b'"churn_probability":') for one in answers} == {len(items)}


def read_to_the_end(client: socket.socket) -> bytes:
    """Read an answer until the server closes the connection."""
    found = b""
    while more := client.recv(2**20):
        found += more
    return found


@pytest.mark.slow
def test_a_server_whose_parent_is_killed_leaves_no_process_behind(release: Path, tmp_path: Path):
    with running(release, workers=2, folder=tmp_path) as server:
        server.wait_until(200)
        family = server.family()
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
        _, alive = psutil.wait_procs(family, timeout=30)
        assert alive == []


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_its_own_requests_and_comes_again(release: Path, tmp_path: Path):
    with running(release, workers=2, folder=tmp_path) as server:
        server.wait_until(200)
        time.sleep(3)
        workers_of(server)[0].kill()
        found = [httpx.post(f"{server.address}/v1/score", json={"items": [{"user_id": "u1"}]}) for _ in range(20)]
        assert [one.status_code for one in found] == [200] * 20
        wait_for(lambda: len(workers_of(server)) == 2)
