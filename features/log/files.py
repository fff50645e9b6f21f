"""Where the files of a log are: a folder of this machine, or an object store that fsspec knows (``s3://``, ``gs://``, ``az://``).

Credentials are the store's usual ones, from the environment or its configuration files; none of them pass through here.
"""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from fnmatch import fnmatchcase
from io import IOBase
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar, cast

import duckdb
from fsspec.core import url_to_fs
from fsspec.spec import AbstractFileSystem

from features.errors import InputError, translated
from features.storage.stores import store_errors, without_secrets

ANSWERS_WITHIN_SECONDS = 30  # a store that is silent for longer is blocked or does not exist
_SILENT = "check its name, its endpoint (for S3: AWS_ENDPOINT_URL) and whether this machine may reach it"
_REFUSED = (
    "check its name, the credentials (for S3: AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY) "
    "and whether this machine may reach it"
)
# What a store is opened with. DuckDB knows which bytes it needs; s3fs would fetch 50 MB around each of them.
_OPTIONS = {"s3": {"default_cache_type": "none"}, "s3a": {"default_cache_type": "none"}}
_ETAGS = ("ETag", "etag", "md5Hash", "content_md5")
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "modified", "created")

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Subject:
    """What is read, as errors name it.

    Attributes
    ----------
    section
        Its section of the settings.
    noun
        Its name in a sentence.
    """

    section: str
    noun: str

    @property
    def unreadable(self) -> tuple[str, str]:
        """Message and hint where its content cannot be read."""
        hint = "check that its files are complete and of one format, and that its expressions hold for every row"
        return f"[{self.section}]: {self.noun} cannot be read", hint


LOG = Subject("events", "the log")


@dataclass(frozen=True)
class LogFile:
    """One file of a log.

    Attributes
    ----------
    name
        What DuckDB is given: a path, or the URL of an object.
    fingerprint
        Changes when the file does: its ETag, or its size and time of change.
    bytes
        Its size; 0 where the store does not report it.
    key
        What it is known by, however the path of the log is spelled: below the folder that all symbolic links lead to.
    """

    name: str
    fingerprint: str
    bytes: int
    key: str


def is_remote(place: str) -> bool:
    """Tell whether a place is the URL of a store rather than a path of this machine.

    Examples
    --------
    >>> is_remote("s3://bucket/logs/*.parquet"), is_remote("events/*.parquet"), is_remote("file:///events")
    (True, False, False)
    """
    return re.match(r"(?!file:)[a-zA-Z][\w+.-]*://", place) is not None


def listed(place: str, base: Path, *, subject: Subject = LOG) -> list[LogFile]:
    """Return every file at a place: a file, a folder with all below it, or a glob. A relative path starts at the base.

    Raises
    ------
    InputError
        When a store refuses, or does not answer.
    SettingsError
        When no package that is installed knows the store.
    """
    if is_remote(place):
        setting = f"[{subject.section}] path"
        what = f"{setting}: {without_secrets(place)}"
        silent = InputError(f"{what} did not answer within {ANSWERS_WITHIN_SECONDS} seconds", hint=_SILENT)
        with (
            store_errors(place, f"{what} cannot be listed", setting=setting, hint=_REFUSED),
            translated(TimeoutError, lambda _: silent),
        ):
            return _remote_files(_with_lower_case_scheme(place))
    return _local_files(base / place.removeprefix("file://"), subject)


def is_hidden(path: str, pattern: str) -> bool:
    """Tell whether a path that a glob found is not part of a log, as in Hive and Spark: a job still writes it, or it is private.

    What the glob names outright is not hidden.

    Examples
    --------
    >>> [is_hidden(f"log/{path}", "log") for path in ("_temporary/0/x.parquet", "._x.parquet", "_day=1/x.parquet")]
    [True, True, False]
    >>> is_hidden("log/_old/x.parquet", "log/*/x.parquet"), is_hidden("log/_old/x.parquet", "log/_*/x.parquet")
    (True, False)
    """
    wanted = pattern.rstrip("/").split("/")
    named = next((place for place, part in enumerate(wanted) if glob.has_magic(part)), len(wanted))
    outright = [part for part in wanted[named:] if part.startswith((".", "_"))]
    hidden = [part for part in path.split("/")[named:] if part.startswith(".") or (part[:1] == "_" and "=" not in part)]
    return any(not any(fnmatchcase(part, each) for each in outright) for part in hidden)


def _local_files(place: Path, subject: Subject) -> list[LogFile]:
    if place.is_file():
        return [_local_file(place, place)]
    pattern = glob.escape(place.as_posix()) if place.is_dir() else place.as_posix()
    what, way_out = f"[{subject.section}] path:", "let churn read it, or name the files with a glob"
    with translated(OSError, lambda error: InputError(f"{what} a folder cannot be read: {error}", hint=way_out)):
        found = _below(place, pattern=pattern) if place.is_dir() else map(Path, glob.glob(str(place), recursive=True))
        seen = [path for path in found if not is_hidden(path.as_posix(), pattern)]
    if lost := next((path for path in seen if path.is_symlink() and not path.exists()), None):
        raise InputError(f"{what} {lost} is a link to nothing", hint="remove the link, or restore what it leads to")
    top = place if place.is_dir() else _outright(place)
    return [_local_file(path, top) for path in seen if path.is_file()]


def _below(folder: Path, *, pattern: str, above: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """Yield what is in a folder and in all below it, through links too, except one that leads to a folder that it is in."""
    around = above | {folder.resolve()}
    for path in folder.iterdir():
        if not path.is_dir():
            yield path
        elif path.resolve() not in around and not is_hidden(path.as_posix(), pattern):
            yield from _below(path, pattern=pattern, above=around)


def _outright(pattern: Path) -> Path:
    """Return the folder that a glob names outright, above its first wildcard."""
    wild = [folder for folder in (pattern, *pattern.parents) if glob.has_magic(folder.name)]
    return wild[-1].parent if wild else pattern


def _local_file(path: Path, top: Path) -> LogFile:
    """Look at a file; its key follows the links up to the place of the log, and none below: two links are two files."""
    found = path.stat()
    key = top.resolve() / path.relative_to(top)
    return LogFile(str(path), f"{found.st_size}-{found.st_mtime_ns}", found.st_size, str(key))


def _with_lower_case_scheme(url: str) -> str:
    """Write the scheme in lower case, as stores know it."""
    scheme, mark, path = url.partition("://")
    return scheme.lower() + mark + path


def _remote_files(url: str) -> list[LogFile]:
    store, path, info = _in_time(lambda: _info_of(url))
    match info.get("type"):
        case "file":
            return [_remote_file(store, info)]
        case "directory":
            found, pattern = store.find(url, detail=True), glob.escape(str(info["name"]))
        case _:
            found, pattern = store.glob(url, detail=True) if glob.has_magic(url) else {}, path
    files = [info for info in cast("dict[str, dict[str, Any]]", found).values() if info.get("type") != "directory"]
    return [_remote_file(store, info) for info in files if not is_hidden(str(info["name"]), pattern)]


def _info_of(url: str) -> tuple[AbstractFileSystem, str, dict[str, Any]]:
    """Open a store and look up a URL as it is written; an empty answer: there is no such object."""
    store, path = _opened(url)
    store.invalidate_cache()  # else a second listing in one process would repeat the first
    try:
        return store, path, cast("dict[str, Any]", store.info(path))
    except FileNotFoundError:
        return store, path, {}


def _opened(url: str) -> tuple[AbstractFileSystem, str]:
    return url_to_fs(url, **_OPTIONS.get(url.partition(":")[0], {}))


def _remote_file(store: AbstractFileSystem, info: Mapping[str, Any]) -> LogFile:
    name, size = str(store.unstrip_protocol(info["name"])), int(info.get("size") or 0)
    known = next((info[key] for key in (*_ETAGS, *_TIMES) if info.get(key)), None) or store.ukey(info["name"])
    return LogFile(name, json.dumps([size, str(known).strip('"')]), size, name)


def _in_time(ask: Callable[[], Answer]) -> Answer:
    """Call it in a thread and wait for a bounded time: clients retry in their own ways, some without an end."""
    answer: Future[Answer] = Future()

    def run() -> None:
        try:
            answer.set_result(ask())
        except Exception as error:  # noqa: BLE001 -- handed over to the thread that waits
            answer.set_exception(error)

    Thread(target=run, daemon=True).start()
    return answer.result(timeout=ANSWERS_WITHIN_SECONDS)


def mount(connection: duckdb.DuckDBPyConnection, names: Collection[str]) -> None:
    """Let a connection read byte ranges from the stores of these files."""
    for url in {name.partition("://")[0]: name for name in names if is_remote(name)}.values():
        store, _ = _opened(url)
        protocols = {store.protocol} if isinstance(store.protocol, str) else set(store.protocol)
        if not protocols & set(connection.list_filesystems()):
            connection.register_filesystem(store)


def open_file(name: str) -> IOBase:
    """Open one file of a log to read its bytes as they are stored."""
    if not is_remote(name):
        return Path(name).open("rb")
    store, path = _opened(name)
    return cast("IOBase", store.open(path, "rb"))
