"""Two writers and a reader at the same time, 300 times for each kind of output: nothing mixed, nothing lost, nothing unreadable."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import SecretStr

from churn.frames import keep_frame
from features.activity.manifest import read_manifest
from features.activity.roll_up import RELATIONS
from features.activity.store import ActivitySettings, open_activity
from features.log.database import fetch
from features.settings import ChurnSettings, EventsSettings, FeatureSettings
from features.storage.atomic import atomic_folder, write_atomic
from features.storage.marks import flaw_of
from features.storage.versions import Place, current_of, digest_of, versions_of
from models.churn_model import load
from models.registry.registry import Registry
from serving.batch.scored_batch import Batch
from serving.keys import KeyFolder, NewKey
from serving.release.bundle import ServingBundle
from serving.release.release import write_release
from serving.settings import ScoringSettings, ServingSettings
from serving.store.profile_store import ProfileStore, write_store
from serving.weekly.arms import ArmsFolder, Epoch
from tests.builders import events_at, write
from tests.churn.command import AS_OF, CHURN, TrainedWorld
from tests.faults.outcomes import EQUAL, Outcomes
from tests.features.log_tables import QUERY, Database
from tests.models.model_builder import profiles_of, specification, tiny_model
from tests.models.run_builder import run_of
from tests.races import in_turns, race
from tests.serving.weekly.list_writers import account, export, score

FIRST = Batch(date(2026, 11, 16), "churn", "1", "abc")
SECOND = replace(FIRST, version="2")
MANY, FEW = 300, 5


@dataclass(frozen=True)
class Competition:
    """Two writers of one place, and what a reader makes of it.

    Attributes
    ----------
    read
        Raises where what is there is not whole.
    results
        What is there in the end, each result by name; both writers' where both are kept.
    keeps_both
        Whether neither result takes the place of the other.
    prepare
        Called once, with the folder of the place.
    """

    write: Callable[[Path, Batch], object]
    read: Callable[[Path], object]
    results: Callable[[Path], list[str]]
    keeps_both: bool = True
    prepare: Callable[[Path], object] = lambda _: None


def release(place: Path, batch: Batch) -> None:
    bundle = ServingBundle(
        tiny_model(), "shop", batch.version, "champion", Path(), ScoringSettings(), ServingSettings()
    )

    def fill(store: Path) -> None:
        write_store(store, profiles_of(10 * int(batch.version)), specification=specification())

    write_release(Place(place, keeps_all=False), bundle, fill=fill)


def store(place: Path, batch: Batch) -> None:
    write_store(place, profiles_of(10 * int(batch.version)), specification=specification())


def frame(place: Path, batch: Batch) -> None:
    keep_frame(pa.table({"user_id": [batch.version] * 1000}), place)


def folder(place: Path, batch: Batch) -> None:
    with atomic_folder(place / "folder") as draft:
        for name in "abc":
            (draft / name).write_text(batch.version * 1000)


def file(place: Path, batch: Batch) -> None:
    write_atomic(place / "file", batch.version.encode() * 100_000)


def fix_arms(place: Path, batch: Batch) -> None:
    arms = ArmsFolder(place)
    with arms.alone():
        arms.key()
        arms.fix("2026-Q4", Epoch(int(batch.version) / 10, batch.version))


def add_key(place: Path, batch: Batch) -> None:
    KeyFolder(place).add(NewKey(f"app-{batch.version}"), now=datetime(2026, 11, 16, tzinfo=UTC))


def write_logs(folder: Path) -> None:
    """Write two logs of one mapping, each with users of its own, ids of events and an invalid row."""
    for version in "12":
        lines = [f"{version}-{user} 2026-01-{day:02}T10:00 open device_os=ios" for day in (5, 6) for user in range(50)]
        write(folder / f"{version}.parquet", [*lines, f"{version} 1066-10-14 open"])


def roll_up(place: Path, batch: Batch) -> None:
    """As another run may roll up another log of the same mapping meanwhile, what is opened has to stay what it was."""
    log = events_at(
        place.parent / f"{batch.version}.parquet",
        columns={"device_os": "device_os"},
        event_id="user_id || event_time",
        max_rejected_share=0.1,
    )
    activity = open_activity(ActivitySettings(log, ChurnSettings(), FeatureSettings()), place)
    for name in RELATIONS:
        rows = activity.connection.sql(f"select user_id from {activity.relation(name)}").fetchall()
        assert (len(rows), {user.split("-")[0] for (user,) in rows}) == (100, {batch.version})


def write_table(folder: Path) -> None:
    Database(folder).add(*[(f"u{user}", "2026-01-05 10:00:00", "open") for user in range(200)])


def fetch_log(place: Path, _: Batch) -> None:
    url = SecretStr(f"sqlite:///{place.parent}/app.db")
    fetch(EventsSettings(connection=url, query=QUERY, watermark="id"), place)


def lay_out_store(folder: Path) -> None:
    """In a child, as MLflow keeps connections open; in this process another one, as what SQLAlchemy sets up takes children a second."""
    train(folder / "warm", FIRST)
    assert race(lambda: Registry(folder / "before", "shop").has("champion")) == [0]


def train(place: Path, batch: Batch) -> None:
    Registry(place, "shop").log(run_of(place.parent / f"run{batch.version}"))


# --- Readers -------------------------------------------------------------------------------------------------------


def read_version(place: Path) -> None:
    if found := current_of(place):
        assert digest_of(found) == found.name


def read_ledger(place: Path) -> None:
    read_version(place / "ledger")


def read_store(place: Path) -> None:
    if (place / "profiles.sqlite").exists():
        found = ProfileStore(place)
        assert len(found.get([f"u{user}" for user in range(20)])) == found.info.users


def read_frames(place: Path) -> None:
    for path in place.glob("[!.]*.parquet"):
        assert path.stem == hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def read_folder(place: Path) -> None:
    """One file after the other, each through its own path: who needs several that belong together reads a version."""
    for name in "abc" if (place / "folder").exists() else "":
        assert (place / "folder" / name).read_text() in ("1" * 1000, "2" * 1000)


def read_arms(place: Path) -> None:
    if (place / "epochs.json").exists():
        assert len(ArmsFolder(place).key()) == 32
        assert ArmsFolder(place).epochs()["2026-Q4"].why in "12"


def read_file(place: Path) -> None:
    if (place / "file").exists():
        assert (place / "file").read_bytes() in (b"1" * 100_000, b"2" * 100_000)


def read_kept(place: Path) -> None:
    """Every Parquet file of what the manifest names, and of what is set aside."""
    for folder in place.glob("activity/*/"):
        found = read_manifest(folder)
        for batch in {*found.days.values()} if found else ():
            assert [pq.read_table(folder / batch / f"{name}.parquet").num_rows for name in RELATIONS] == [100] * 3
    for path in place.glob("rejected/*/*.parquet"):
        with suppress(FileNotFoundError):  # of a log that is not read any more
            assert pq.ParquetFile(path).read().num_rows == 1


def rolled_up(place: Path) -> list[str]:
    (found,) = (read_manifest(folder) for folder in place.glob("activity/*/"))
    (_,) = place.glob("rejected/*/*.parquet")
    return [file.name for file in found.files] if found else []


def read_fetched(place: Path) -> None:
    assert sum(pq.ParquetFile(path).read().num_rows for path in place.glob("fetched/*/[0-9]*/*/*.parquet")) in (0, 200)


def fetched(place: Path) -> list[str]:
    return [str(path) for path in place.glob("fetched/*/[0-9]*/") if not flaw_of(path)]


def registered(place: Path) -> list[str]:
    """The versions of the model whose files are what was saved, as far as they are registered."""
    with closing(sqlite3.connect(place / "mlflow.db")) as connection:
        has_table = connection.execute("select 1 from sqlite_master where name = 'model_versions'").fetchall()
        found = connection.execute("select storage_location from model_versions").fetchall() if has_table else []
    folders = [Path(location.removeprefix("file://")) / "data/model" for (location,) in found]
    return [str(folder) for folder in folders if load(folder)]


def versions(place: Path) -> list[str]:
    return [path.name for path in versions_of(place) if digest_of(path) == path.name]


KINDS = {
    "scores": Competition(score, read_version, versions),
    "ledger": Competition(score, read_ledger, lambda place: versions(place / "ledger")),
    "list": Competition(export, read_version, versions),
    "account of a list": Competition(account, read_version, versions),
    "key and epochs": Competition(
        fix_arms, read_arms, lambda place: [ArmsFolder(place).epochs()["2026-Q4"].why], keeps_both=False
    ),
    "keys": Competition(
        add_key,
        lambda place: KeyFolder(place).read(),
        lambda place: [key.name for key in KeyFolder(place).read()],
    ),
    "release": Competition(release, read_version, versions),
    "profile store": Competition(
        store, read_store, lambda place: [str(ProfileStore(place).info.users)], keeps_both=False
    ),
    "activity, rejected rows": Competition(roll_up, read_kept, rolled_up, keeps_both=False, prepare=write_logs),
    "fetched log": Competition(fetch_log, read_fetched, fetched, keeps_both=False, prepare=write_table),
    "registered model": Competition(train, registered, registered, prepare=lay_out_store),
    "DataFrame": Competition(frame, read_frames, lambda place: [path.name for path in place.glob("[!.]*.parquet")]),
    "folder": Competition(
        folder,
        read_folder,
        lambda place: [*{path.read_text() for path in (place / "folder").iterdir()}],
        keeps_both=False,
    ),
    "file": Competition(file, read_file, lambda place: [(place / "file").read_text()], keeps_both=False),
}


def compete(kind: str, place: Path, outcomes: Outcomes, *, rounds: int) -> None:
    of = KINDS[kind]
    place.with_name("before").mkdir()
    of.prepare(place.parent)
    outcomes.of(kind, "two writers and a reader")
    for number, turn in enumerate(
        in_turns([partial(of.write, place, FIRST), partial(of.write, place, SECOND)], rounds)
    ):
        shutil.copytree(place.with_name("before"), place)
        outcomes.add(raced(of, place, turn, apart_ms=number % 5), f"round {number}")
        shutil.rmtree(place)


def raced(of: Competition, place: Path, turn: tuple[Callable[[], object], ...], *, apart_ms: float) -> str:
    unreadable: list[str] = []

    def read() -> None:
        try:
            of.read(place)
        except Exception as error:  # noqa: BLE001  # whatever a reader meets
            unreadable.append(repr(error))

    codes = race(*turn, read=read, apart_ms=apart_ms)
    found = of.results(place)
    if unreadable or codes != [0, 0]:
        return f"ended with {codes}, unreadable: {unreadable}"
    return EQUAL if len(found) == 1 + of.keeps_both else f"{len(found)} results are there: {found}"


def test_a_sample_of_races(tmp_path: Path, outcomes: Outcomes):
    for kind in ("list", "activity, rejected rows", "fetched log"):
        (tmp_path / kind).mkdir()
        compete(kind, tmp_path / kind / "place", outcomes, rounds=2)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", KINDS)
def test_no_race_mixes_or_loses_a_result(tmp_path: Path, outcomes: Outcomes, kind: str):
    compete(kind, tmp_path / "place", outcomes, rounds=MANY)


# --- The real command ----------------------------------------------------------------------------------------------

OTHER = ("--set", "export.at_least=high", "--set", "scoring.high_percentile=80")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("verb", "parts"), [("export", ("lists", "ledger")), ("score", ("scores", "ledger", "releases"))]
)
def test_the_real_command_twice_at_once(
    trained_world: TrainedWorld, tmp_path: Path, outcomes: Outcomes, verb: str, parts: tuple[str, ...]
):
    outcomes.of(f"churn {verb}", "two writers and a reader")
    for number in range(FEW):
        world = trained_world.copy_to(tmp_path / str(number)).unscored()
        command = [str(CHURN), verb, *world.options(), "--as-of", AS_OF]
        runs = [
            subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            for options in ((), OTHER)
        ]
        unreadable: list[str] = []
        while any(run.poll() is None for run in runs):
            unreadable += [
                str(place) for place in places(world, parts) if (it := current_of(place)) and digest_of(it) != it.name
            ]
            time.sleep(0.005)
        said = [run.communicate()[1] for run in runs]
        is_whole = all(digest_of(one) == one.name for place in places(world, parts) for one in versions_of(place))
        codes = [run.returncode for run in runs]
        is_right = (
            codes == [0, 0] and is_whole and not unreadable and all(current_of(it) for it in places(world, parts))
        )
        outcomes.add(EQUAL if is_right else f"{codes}, unreadable {unreadable}, {said}", f"round {number}")


def places(world: TrainedWorld, parts: tuple[str, ...]) -> list[Path]:
    """Return the places of versions. A draft may be renamed while one looks into it, which ``os.walk`` takes and ``rglob`` does not."""
    return [Path(at) for part in parts for at, folders, _ in os.walk(world.home / part) if "current" in folders]


# --- The readers


def test_the_reader_of_a_race_notices_what_is_half_written(tmp_path: Path):
    """Else the races above would prove nothing."""
    pq.write_table(pa.table({"user_id": ["1"]}), tmp_path / "0000000000000000.parquet")
    with pytest.raises(AssertionError):
        read_frames(tmp_path)
    (tmp_path / "file").write_bytes(b"1" * 50_000 + b"2" * 50_000)
    with pytest.raises(AssertionError):
        read_file(tmp_path)
