"""The latest profile of every user, and the finished answer, one row per user each, in SQLite: any number of readers.

A look-up reads some pages of the file, which all workers share in the cache of the system: a million users take a worker no memory.
"""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import msgspec
import pyarrow as pa

from features.errors import InputError
from features.profiles.specification import Specification
from features.storage.atomic import atomic_file
from serving.store import answers as stored
from serving.store.answers import AnswersOf, BatchAnswers, StoredAnswer
from serving.store.kept_activity import KeptColumns, KeptRows

FILE = "profiles.sqlite"
Arm = Literal["treated", "held_out"]
FORMAT_VERSION = 4  # 2 had no arms, 3 no answers
_FIND = "select profile from profiles where user_id = ?"
_FIND_ARM = "select exists (select 1 from held_out h where h.user_id = p.user_id) from profiles p where user_id = ?"
_FIND_KEPT = "select relation, packed from activity where user_id = ?"
_CACHE = "pragma cache_size = -16000"  # KiB: what is above the leaves of a million users
_FILL = "fill it with: churn score --as-of DATE"


_ACTIVITY = """create table activity (user_id text, relation text, packed blob, primary key (user_id, relation))
    without rowid"""


@dataclass(frozen=True)
class StoreShift:
    """The shift of a model's log-odds to the base rate at the cutoff of a store, and the version of that model."""

    version: str
    shift: float


@dataclass(frozen=True)
class StoreArms:
    """The epoch of the arms at the cutoff of a store, and who is held out."""

    epoch: str
    held_out: Collection[str]


@dataclass(frozen=True)
class StoreBatch:
    """What the scoring of the users in a store found of them all."""

    shift: StoreShift | None = None
    arms: StoreArms | None = None
    answers: BatchAnswers | None = None


@dataclass(frozen=True)
class StoreInfo:
    """The cutoff of the profiles in a store, the specification they were built with, and the activity that is kept.

    Attributes
    ----------
    shift
        None: the model's own shift is used.
    epoch
        Of the arms; empty: they are not known.
    answers
        What the finished answers depend on; None: there are none.
    """

    cutoff: date
    specification: Specification
    users: int
    kept: KeptColumns | None = None
    format_version: int = 1  # which had no number, and is read as it is
    shift: StoreShift | None = None
    epoch: str = ""
    answers: AnswersOf | None = None


class ProfileStore:
    """Read access to a store. The file may be replaced or removed at any time: an open store stays readable.

    Raises
    ------
    InputError
        When the folder holds no readable store.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / FILE
        if not path.exists():
            raise InputError(f"no profile store at {folder}", hint=_FILL)
        uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        self._connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
        self._lock = threading.Lock()
        self.close = weakref.finalize(self, self._connection.close)
        try:
            self._connection.execute(_CACHE)
            self.info = msgspec.json.decode(self._meta(), type=StoreInfo)
        except (sqlite3.DatabaseError, msgspec.DecodeError) as error:
            self.close()
            raise InputError(f"{path} is not a profile store of this version: {error}", hint=_FILL) from error
        if self.info.format_version > FORMAT_VERSION:
            self.close()
            found = f"{path} is a profile store of format {self.info.format_version}, expected at most {FORMAT_VERSION}"
            raise InputError(found, hint=_FILL)
        self.written = path.stat().st_mtime  # seconds since 1970
        self._names = ("user_id", *self.info.specification.feature_names)

    def _meta(self) -> bytes:
        return self._connection.execute("select info from meta").fetchone()[0]

    def get(self, user_ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """Return the profiles of the known users among these, by user id; each with its ``cutoff``."""
        with self._lock:  # threads that share a connection could get each other's rows
            rows = [self._connection.execute(_FIND, (user_id,)).fetchone() for user_id in user_ids]
        return {user_id: self._profile(row[0]) for user_id, row in zip(user_ids, rows, strict=True) if row}

    def answers(self, user_ids: Sequence[str]) -> list[StoredAnswer | None]:
        """Return the finished answers of these users, in their order; None for who is not in the store."""
        with self._lock:
            rows = [self._connection.execute(stored.FIND, (user_id,)).fetchone() for user_id in user_ids]
        return [row and StoredAnswer._make(row) for row in rows]

    def some_answers(self) -> list[tuple[str, bytes]]:
        """Return a few users who are scored, with their finished answers."""
        with self._lock:
            return self._connection.execute(stored.SOME).fetchall()

    def arms(self, user_ids: Collection[str]) -> dict[str, Arm]:
        """Return the arms of the users with a profile among these; nobody's where the store knows no arms."""
        if not self.info.epoch:
            return {}
        with self._lock:
            rows = {user_id: self._connection.execute(_FIND_ARM, (user_id,)).fetchone() for user_id in user_ids}
        return {user_id: "held_out" if row[0] else "treated" for user_id, row in rows.items() if row}

    def kept(self, user_id: str) -> Mapping[str, Mapping[str, list[Any]]]:
        """Return a user's kept days: relation to columns; empty where the user has no event before the cutoff."""
        with self._lock:
            rows = self._connection.execute(_FIND_KEPT, (user_id,)).fetchall()
        return {relation: msgspec.msgpack.decode(packed) for relation, packed in rows}

    def _profile(self, packed: bytes) -> Mapping[str, Any]:
        values = msgspec.msgpack.decode(packed)
        return dict(zip(self._names, values, strict=True)) | {"cutoff": self.info.cutoff}


def open_store(folder: Path, specification: Specification) -> ProfileStore:
    """Open the store for a model.

    Raises
    ------
    InputError
        When there is none, or its profiles were built with another specification.
    """
    store = ProfileStore(folder)
    if store.info.specification != specification:
        store.close()
        raise InputError(f"the profiles at {folder} were built for another model", hint=_FILL)
    return store


def write_store(
    folder: Path,
    profiles: pa.Table,
    *,
    specification: Specification,
    kept: KeptRows | None = None,
    batch: StoreBatch | None = None,
) -> StoreInfo:
    """Replace the store by the profiles of one cutoff, atomically.

    Parameters
    ----------
    profiles
        One row per user, of one cutoff, from :func:`features.profiles.build.build_profiles`.
    kept
        Activity before the same cutoff, so that later events can be added to it; the store is then several times larger.
    batch
        Shift of the model that the profiles were scored by, arms and finished answers; None: none is known.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cutoff, columns = profiles.column("cutoff")[0].as_py(), kept and kept.columns
    found = batch or StoreBatch()
    held_out, epoch = (sorted(found.arms.held_out), found.arms.epoch) if found.arms else ([], "")
    answers = found.answers and found.answers.of
    info = StoreInfo(cutoff, specification, profiles.num_rows, columns, FORMAT_VERSION, found.shift, epoch, answers)
    with atomic_file(folder / FILE) as temporary, closing(sqlite3.connect(temporary)) as connection, connection:
        connection.execute("create table meta (info blob)")
        connection.execute("create table profiles (user_id text primary key, profile blob) without rowid")
        connection.execute("insert into meta values (?)", (msgspec.json.encode(info),))
        connection.executemany("insert into profiles values (?, ?)", _rows(profiles, specification))
        connection.execute("create table held_out (user_id text primary key) without rowid")
        connection.executemany("insert into held_out values (?)", ((one,) for one in held_out))
        connection.execute(stored.TABLE)
        connection.executemany(stored.INSERT, _answers(found, profiles))
        connection.execute(_ACTIVITY)
        connection.executemany("insert into activity values (?, ?, ?)", kept.rows() if kept else ())
    return info


def _answers(batch: StoreBatch, profiles: pa.Table) -> Iterator[tuple[Any, ...]]:
    """Return the rows of finished answers, each with its arm."""
    if batch.answers is None:
        return iter(())
    arms: dict[str, str] = {}
    if batch.arms:
        ids: list[Any] = profiles.column("user_id").to_pylist()
        arms = dict.fromkeys(ids, "treated")
        arms |= dict.fromkeys(batch.arms.held_out, "held_out")
    return batch.answers.rows(profiles, arms, epoch=batch.arms.epoch if batch.arms else "")


def _rows(profiles: pa.Table, specification: Specification) -> Iterator[tuple[str, bytes]]:
    names = ["user_id", *specification.feature_names]
    for batch in profiles.select(names).to_batches(max_chunksize=10_000):
        for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            yield values[0], msgspec.msgpack.encode(values)
