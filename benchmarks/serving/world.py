"""What the benchmarks of the service stand on: releases of a million stored users, servers on this machine, and what they cost.

A model of 284 trees of six leaves and a logistic part over all features; finished answers for every user, 20,000 profiles under many ids.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryFile

import psutil
import pyarrow as pa

from features.catalogue.catalogue import catalogue
from features.catalogue.fitted import FittedConstants
from features.profiles.specification import Specification
from features.storage.versions import Place
from models.churn_model import ChurnModel, Reference
from models.encoding import encode
from models.scorers.calibration import fit_platt
from models.scorers.ensemble import LogisticPart, Scorer
from models.scorers.logistic import fit_linear
from serving.batch.score import is_eligible, score_table, with_reasons
from serving.release.bundle import ServingBundle, answers_of
from serving.release.release import write_release
from serving.settings import ScoringSettings, ServingSettings
from serving.store.answers import BatchAnswers
from serving.store.profile_store import StoreBatch, StoreShift, write_store
from tests.models.model_builder import churned_among, fit_model, profiles_of

PROFILES = 20_000
WINDOWS = (1, 3, 7, 14, 28, 56, 90)
TREES, LEAVES = 284, 6
BANDS = ScoringSettings()
PATIENCE_SECONDS = 120.0
_SERVE = """
import sys
from pathlib import Path
from serving.http.server import serve
sys.exit(serve(Path(sys.argv[1]), port=int(sys.argv[2]), workers=int(sys.argv[3])))
"""
_UVICORN = """
import os, sys, uvicorn
os.environ["CHURN_SERVED"] = sys.argv[1]
uvicorn.run(sys.argv[4], port=int(sys.argv[2]), workers=int(sys.argv[3]), access_log=False)
"""
Command = Callable[[int], list[str]]  # by the port


def specification_of() -> Specification:
    """Return a profile of all features."""
    constants = FittedConstants(("open", "buy"))
    features = catalogue(WINDOWS, constants)
    categories = {feature.name: ("one", "two") for feature in features if feature.is_text}
    return Specification(tuple(one.name for one in features), WINDOWS, constants, categories=categories)


def build_model(specification: Specification, *, seed: int = 0) -> ChurnModel:
    """Fit trees and a logistic part on made-up profiles."""
    trees = fit_model(6_000, seed=seed, trees=TREES, of=specification, leaves=LEAVES)
    profiles = profiles_of(6_000, seed=seed, of=specification)
    matrix, churned = encode(profiles, specification), churned_among(profiles)
    linear = LogisticPart(fit_linear(matrix, churned, specification=specification, seed=0))
    scorer = Scorer(((0.7, trees.scorer.parts[0][1]), (0.3, linear)))
    raw = scorer.raw(matrix)
    rest = (trees.definition, Reference(Reference.quantiles(raw), trees.reference.medians), trees.quality)
    return ChurnModel(scorer, specification, fit_platt(raw, churned), *rest)


@dataclass(frozen=True)
class World:
    """A place with releases, whose stores hold the finished answers of the same users.

    Attributes
    ----------
    users
        In the store, ``u0000000`` and so on.
    """

    place: Place
    users: int
    limits: ServingSettings

    @cached_property
    def specification(self) -> Specification:
        """Of the profiles."""
        return specification_of()

    @cached_property
    def profiles(self) -> pa.Table:
        """Different profiles; the store repeats them."""
        return profiles_of(PROFILES, seed=1, of=self.specification)

    def scored(self, model: ChurnModel) -> pa.Table:
        """Return the profiles of who is scored."""
        return self.profiles.filter(pa.array(is_eligible(model, self.profiles)))

    def release(self, model: ChurnModel, version: str) -> Path:
        """Write a release and make it the current one; return its folder."""
        bundle = ServingBundle(model, "churn", version, "champion", self.place.folder, BANDS, self.limits)
        scores = with_reasons(score_table(model, self.profiles, bands=BANDS), model, profiles=self.profiles)

        def fill(store: Path) -> None:
            of = answers_of(store.parent, version=version, scoring=BANDS)
            finished = BatchAnswers(of, self._repeated(scores), model.eligibility)
            batch = StoreBatch(StoreShift(version, 0.0), answers=finished)
            write_store(store, self._repeated(self.profiles), specification=self.specification, batch=batch)

        return write_release(self.place, bundle, fill=fill)

    def _repeated(self, table: pa.Table) -> pa.Table:
        """Repeat rows until there are enough users, each under an id of its own; the first ones keep theirs."""
        ids = pa.array([f"u{number:07}" for number in range(self.users)])
        rows = pa.concat_tables([table] * -(-self.users // table.num_rows)).slice(0, self.users)
        return rows.set_column(rows.column_names.index("user_id"), "user_id", ids)


@dataclass(frozen=True)
class Server:
    """A server that runs, and its process."""

    port: int
    process: psutil.Process

    def cpu_seconds(self) -> float:
        """Return what all its processes have used."""
        return sum(sum(one.cpu_times()[:2]) for one in self._family())

    def memory(self) -> int:
        """Return the proportional set size of its largest process: a worker."""
        return max(one.memory_full_info().pss for one in self._family())

    def _family(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]


def churn(served: Path, *, workers: int = 1) -> Command:
    """Return the command of the service."""
    return lambda port: [sys.executable, "-c", _SERVE, str(served), str(port), str(workers)]


def asgi(application: str, served: Path, *, workers: int = 1) -> Command:
    """Return the command of an ASGI application on the same server."""
    return lambda port: [sys.executable, "-c", _UVICORN, str(served), str(port), str(workers), application]


@contextmanager
def running(command: Command, **environment: str) -> Generator[Server]:
    """Run a server until the block ends.

    Raises
    ------
    RuntimeError
        When it ends by itself, or does not answer in time.
    """
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    with TemporaryFile() as log:
        server = subprocess.Popen(command(port), process_group=0, env=os.environ | environment, stdout=log, stderr=log)
        try:
            if not _is_ready(server, port):
                log.seek(0)
                raise RuntimeError(f"no server: exit code {server.poll()}: {log.read()[-2000:].decode()}")
            yield Server(port, psutil.Process(server.pid))
        finally:
            _end(server)


def _end(server: subprocess.Popen[bytes]) -> None:
    """End all processes of a server."""
    server.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        server.wait(20)
    with suppress(ProcessLookupError):  # whoever is left of it
        os.killpg(server.pid, signal.SIGKILL)


def _is_ready(server: subprocess.Popen[bytes], port: int) -> bool:
    """Wait for an answer: the port is open before there is a worker. One without probes says that there is nothing."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            client.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
            if client.recv(12) in {b"HTTP/1.1 200", b"HTTP/1.1 404"}:
                return True
    return False
