"""The home that faults are caused in copies of, and what each verb leaves in it undisturbed."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import duckdb

from churn.project import Project
from serving.keys import KeyFolder
from tests.churn.command import AS_OF, TrainedWorld
from tests.faults.command import Trace, churn, results, traced, warmed

NEXT_WEEK = "2026-05-04"


@dataclass(frozen=True)
class Verb:
    """A verb with its options, on a copy of the home.

    Attributes
    ----------
    prepare
        Called with the copy before.
    facts
        What it should leave in the copy.
    is_done_once
        Whether it does something else the next time: it is not repeated where it was done.
    """

    name: str
    options: tuple[str, ...] = ()
    prepare: Callable[[Path], object] = lambda _: None
    facts: Callable[[Path], object] = results
    is_done_once: bool = False

    def run(self, world: TrainedWorld, home: Path) -> Callable[[], int | None]:
        if self.name in BEFORE_IT_LISTENS:
            return partial(BEFORE_IT_LISTENS[self.name], world, home)
        return partial(churn, self.name, "--config", world.config, "--home", home, *self.options)


def bundle(world: TrainedWorld, home: Path) -> int:
    """Write what the service reads and check it, as `churn serve` does, with its errors."""

    def release_of() -> Path:
        project = Project(world.config, home=home)
        release = project.bundle()
        project.keys.access().environment()
        return release

    return _checked(release_of)


def fetched_bundle(world: TrainedWorld, home: Path) -> int:
    """Fetch what was published and check it, as `churn serve` does where `[serving] releases` names the place."""
    from churn.jobs.service.delivery import fetched

    settings = {"serving.releases": str(published(world))}
    return _checked(lambda: fetched(Project(world.config, home=home, settings=settings))[0])


def published(world: TrainedWorld) -> Path:
    """Where the release of a world is published."""
    return world.folder / "published"


def _checked(release_of: Callable[[], Path]) -> int:
    """Read a release as a server does; say what is wrong as the command does."""
    from churn.cli.app import as_churn_error
    from serving.release.bundle import read_bundle
    from serving.release.release import check_release

    try:
        release = release_of()
        read_bundle(release)
        check_release(release)
    except Exception as error:  # noqa: BLE001  # as the command does
        known = as_churn_error(error)
        print(known)  # noqa: T201
        return known.exit_code
    return 0


def forget_days(home: Path) -> None:
    """Make the next verb fetch and read the log from the start."""
    for part in ("fetched", "activity", "rejected"):
        shutil.rmtree(home / part)


def forget_manifests(home: Path) -> None:
    """Make the next verb look at everything that is kept of the log."""
    for path in home.glob("activity/*/manifest.json"):
        path.unlink()


def without_champion(home: Path) -> None:
    with closing(sqlite3.connect(home / "mlflow.db")) as connection, connection:
        connection.execute("delete from registered_model_aliases where alias = 'champion'")


def with_an_earlier_champion(home: Path) -> None:
    """As if a second version, which is the same here, had been promoted after the first."""
    with closing(sqlite3.connect(home / "mlflow.db")) as connection, connection:
        columns = [name for _, name, *_ in connection.execute("pragma table_info(model_versions)")]
        values = ", ".join("2" if name == "version" else name for name in columns)
        connection.execute(f"insert into model_versions select {values} from model_versions where version = 1")
        connection.execute("update registered_model_aliases set version = 2 where alias = 'champion'")
        connection.execute("update registered_model_tags set value = '[\"1\", \"2\"]' where key = 'champion_history'")


def with_artifacts_of_its_own(home: Path) -> None:
    """Have new runs write their files into this home; those of the copied runs are where they were."""
    with closing(sqlite3.connect(home / "mlflow.db")) as connection, connection:
        connection.execute("update experiments set artifact_location = ?", ((home / "artifacts").as_uri(),))


def aliases(home: Path) -> object:
    """Who is champion and challenger, and how many runs are open."""
    with closing(sqlite3.connect(home / "mlflow.db")) as connection:
        found = connection.execute("select alias, version from registered_model_aliases").fetchall()
        return sorted(found), connection.execute("select count(*) from runs where status = 'RUNNING'").fetchone()


def trained(home: Path) -> object:
    """The trees of the challenger, and that no run is open."""
    with closing(sqlite3.connect(home / "mlflow.db")) as connection:
        query = """select storage_location from model_versions v join registered_model_aliases a
            on a.name = v.name and a.version = v.version where alias = 'challenger'"""
        ((place,),) = connection.execute(query).fetchall()
        still_open = connection.execute("select count(*) from runs where status = 'RUNNING'").fetchone()
    folder = Path(str(place).removeprefix("file://")) / "data/model"
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())], still_open


# what `churn serve` does before it listens: with a release of this home, and with one that was published
BEFORE_IT_LISTENS = {"serve": bundle, "serve fetched": fetched_bundle}
FEW = ("--set", "training.min_class_users=10")  # users of each class
VERBS = {
    "score": Verb("score", ("--as-of", NEXT_WEEK), forget_days),
    "export": Verb("export", ("--as-of", NEXT_WEEK)),
    "serve": Verb("serve", prepare=lambda home: shutil.rmtree(home / "releases")),
    "serve fetched": Verb("serve fetched", prepare=lambda home: shutil.rmtree(home / "fetched_releases")),
    "promote": Verb("promote", FEW, without_champion, aliases, is_done_once=True),
    "rollback": Verb("rollback", prepare=with_an_earlier_champion, facts=aliases, is_done_once=True),
    "train": Verb("train", FEW, with_artifacts_of_its_own, trained),
}


@dataclass
class Base:
    """A settled home, and the undisturbed run of each verb on a copy of it."""

    world: TrainedWorld
    folder: Path
    undisturbed: dict[str, tuple[object, Trace]] = field(default_factory=dict[str, tuple[object, Trace]])
    copies: int = 0

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def copy(self, verb: Verb, within: Path | None = None) -> Path:
        """Return a new copy of the home, prepared for a verb."""
        self.copies += 1
        home = (within or self.folder / str(self.copies)) / "home"
        shutil.copytree(self.home, home, symlinks=True)
        verb.prepare(home)
        return home

    def expected(self, verb: Verb) -> tuple[object, Trace]:
        """Return what a verb leaves undisturbed, and what it did."""
        if verb.name not in self.undisturbed:
            home = self.copy(verb)
            _, trace = traced(verb.run(self.world, home), home, self.log)
            self.undisturbed[verb.name] = (verb.facts(home), trace)
            shutil.rmtree(home)
        return self.undisturbed[verb.name]

    @property
    def log(self) -> Path:
        return self.folder / "said.txt"


def with_models_of_its_own(home: Path, world: TrainedWorld) -> None:
    """Have the store of a copy name the files of models in the copy, which may be damaged: others read those of the world."""
    before, after = (f"{place.resolve().as_uri()}/" for place in (world.home, home))
    with closing(sqlite3.connect(home / "mlflow.db")) as connection, connection:
        tables = [
            name for (name,) in connection.execute("select name from sqlite_master where type = 'table'").fetchall()
        ]
        for table in tables:
            for _, column, kind, *_ in connection.execute(f'pragma table_info("{table}")').fetchall():
                if "CHAR" in kind or kind == "TEXT":
                    connection.execute(f'update "{table}" set "{column}" = replace("{column}", ?, ?)', (before, after))


def settled(world: TrainedWorld, folder: Path) -> Base:
    """Copy a trained world's home, with its log in a database and models of its own, and run what the damage is compared with."""
    base = Base(in_a_database(world, folder / "world"), folder)
    shutil.copytree(world.home, base.home, symlinks=True)
    for part in ("activity", "scores", "ledger", "lists", "releases"):
        shutil.rmtree(base.home / part)
    with_models_of_its_own(base.home, world)
    keys = Project(base.world.config, home=base.home).keys
    KeyFolder(keys.access().keys or base.home).mark_used(keys.add("app").key.id)
    for verb in (Verb("score", ("--as-of", AS_OF)), Verb("export", ("--as-of", AS_OF)), Verb("serve")):
        warmed(verb.run(base.world, base.home), base.log)
    Project(base.world.config, home=base.home).publish(str(published(base.world)))
    warmed(Verb("serve fetched").run(base.world, base.home), base.log)
    return base


COLUMNS = (
    "user_id, event_time, event_type, session_id, duration_seconds, device_os, device_model, app_version, network, "
    "channel, amount"
)
READ_FROM = """connection = "sqlite:///{place}"
query = "select id, {columns} from log"
watermark = "id"
event_id = "id\""""


def in_a_database(world: TrainedWorld, folder: Path) -> TrainedWorld:
    """Put the log of some users into a database, with ids and an invalid row: so a home holds all that it may hold."""
    folder.mkdir(parents=True)
    events = f"read_parquet('{world.folder}/events/**/*.parquet', hive_partitioning = false)"
    rows = duckdb.execute(
        f"select * replace (strftime(event_time, '%Y-%m-%d %H:%M:%S.%f') as event_time) from (from {events} "
        f"select {COLUMNS}) where hash(user_id) % 6 = 0 order by all"
    ).fetchall()
    with closing(sqlite3.connect(folder / "log.db")) as connection, connection:
        connection.execute(f"create table log (id integer primary key, {COLUMNS})")
        wanted = f"insert into log ({COLUMNS}) values ({', '.join('?' * len(rows[0]))})"
        connection.executemany(wanted, [*rows, (None, *rows[0][1:])])
    config = world.config.read_text()
    read_from = READ_FROM.format(place=folder / "log.db", columns=COLUMNS)
    allowed = (
        "\n[scoring]\nallow_mapping_change = true\n"  # the model was trained on files, which have no ids of events
    )
    (folder / "churn.toml").write_text(config.replace('path = "events/**/*.parquet"', read_from) + allowed)
    return replace(world, folder=folder)
