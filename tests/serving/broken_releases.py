"""What the service makes of a release that is not what it should be, as a page: ``python -m tests.serving.broken_releases``."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from features.storage.versions import Place
from models.churn_model import ChurnModel
from serving.http.scoring import Scoring
from serving.release.bundle import FILE as ABOUT
from serving.release.bundle import FIRST_FILE, MODEL, ServingBundle
from serving.release.watch import ReleaseWatch
from serving.score import score
from serving.settings import ScoringSettings, ServingSettings
from serving.store.profile_store import FILE as STORE_FILE
from tests.damage import alter, cut_short
from tests.models.model_builder import fit_model, profiles_of, rows_of, tiny_model
from tests.serving.finished import NEVER_STALE, finished_release

BOOSTER, MANIFEST, STORE = f"{MODEL}/booster.txt", f"{MODEL}/churn_model.json", f"store/{STORE_FILE}"
FILES = (ABOUT, MANIFEST, BOOSTER, STORE)
BANDS = ScoringSettings()
PAGE = """# When a release is broken

Made by a test, which breaks a release in each of these ways while version 7 is in service; do not edit. What is *refused* leaves
version 7 in service: answers are `degraded`, `quality.why` and the log say what the last column says, and `churn_degraded` is 1. What is
*taken* is read, and its answers are those of its own model. Files that were cut short, altered or deleted differ from the digest in the
name of the release; in the other rows the digest fits, as if a broken release had been written so.

| file | fault | outcome | what is said |
|---|---|---|---|
"""


class Row(NamedTuple):
    """One fault of one file, and what came of it."""

    file: str
    fault: str
    outcome: str
    words: str


def of_format(change: int) -> Callable[[Path], None]:
    """Have a file say that it is of an older or a newer format."""

    def write(path: Path) -> None:
        if path.name == STORE_FILE:
            with closing(sqlite3.connect(path)) as connection, connection:
                ((info,),) = connection.execute("select info from meta").fetchall()
                connection.execute("update meta set info = ?", (json.dumps(_changed(json.loads(info), change)),))
        else:
            path.write_text(json.dumps(_changed(json.loads(path.read_text()), change)))

    return write


def _changed(content: dict[str, Any], change: int) -> dict[str, Any]:
    """An older store has no finished answers, an older model no shift and no digests, an older release no golden profile."""
    lacking = {"answers", "digests", "shift", "golden"} if change < 0 else set[str]()
    kept = {name: value for name, value in content.items() if name not in lacking}
    return kept | {"format_version": content["format_version"] + change}


def in_the_first_format(path: Path) -> None:
    """The first format of a release: everything next to the files of the model."""
    release = path.parent
    of_format(-1)(path)
    path.rename(release / FIRST_FILE)
    for file in (release / MODEL).iterdir():
        file.rename(release / file.name)
    (release / MODEL).rmdir()


@dataclass
class Service:
    """Version 7 in service, and releases that are to follow it."""

    folder: Path

    @cached_property
    def profiles(self) -> pa.Table:
        return profiles_of(60, seed=3)

    @cached_property
    def models(self) -> dict[str, ChurnModel]:
        return {"7": tiny_model(), "8": fit_model(seed=9), "9": fit_model(seed=11)}

    @cached_property
    def place(self) -> Place:
        return Place(self.folder / "releases/shop")

    def bundle(self, version: str) -> ServingBundle:
        limits = ServingSettings(**NEVER_STALE)
        return ServingBundle(self.models[version], "shop", version, "champion", self.folder, BANDS, limits)

    @cached_property
    def releases(self) -> dict[str, Path]:
        """Of each version, in a place of its own: what is in service and what is broken are copies."""
        return {
            version: finished_release(Place(self.folder / version), self.bundle(version), self.profiles)
            for version in self.models
        }

    @cached_property
    def user(self) -> dict[str, Any]:
        return next(row for row in rows_of(self.profiles) if row["days_since_last_qualifying_day"] <= 7)

    def copied(self, version: str, change: Callable[[Path], object] = lambda _: None) -> Path:
        """Write a copy that is changed before it is named, and make it current."""

        def write(draft: Path) -> None:
            shutil.copytree(self.releases[version], draft, dirs_exist_ok=True)
            change(draft)

        return self.place.add(write)

    def try_fault(self, file: str, fault: str, break_it: Callable[[Path], object], *, named_before: bool) -> Row:
        """Break a file of version 8 while version 7 is in service; return what came of it."""
        shutil.rmtree(self.place.folder, ignore_errors=True)
        scoring = Scoring(ReleaseWatch(self.copied("7")))
        if named_before:
            break_it(self.copied("8") / file)
        else:
            self.copied("8", lambda draft: break_it(draft / file))
        scoring.look()
        return Row(file, fault, self._outcome(scoring), self._words(scoring))

    def _outcome(self, scoring: Scoring) -> str:
        """Ask by id and by profile: both answers have to be those of the version that is named."""
        content = json.dumps({"items": [{"user_id": self.user["user_id"]}, {"profile": self.user}]}, default=str)
        found = json.loads(asyncio.run(scoring.answer(content.encode(), request_id="r1")).content)
        version, said = found["model"]["version"], [one["churn_probability"] for one in found["results"]]
        expected = score(self.models[version], [self.user], bands=BANDS)[0].churn_probability
        if any(one is None or expected is None or abs(one - expected) > 1e-9 for one in said):
            return f"wrong: {said}, expected {expected} of version {version}"
        return "taken" if version == "8" else "refused"

    def _words(self, scoring: Scoring) -> str:
        """Without what differs from one machine to the next."""
        why = scoring.standing.why.removeprefix("a newer release was refused: ").replace(str(self.folder.resolve()), "")
        short = re.sub(r"/\S*/[0-9a-f]{16}", "RELEASE", why.replace(str(self.folder), ""))
        return re.sub(r"\b[0-9a-f]{12}\.\.\.", "...", short)


def rows(folder: Path) -> Iterator[Row]:
    """Break each file in each way."""
    service = Service(folder)
    damages = {"cut short": cut_short, "one bit turned": alter, "deleted": Path.unlink}
    for file in FILES:
        for fault, break_it in damages.items():
            yield service.try_fault(file, fault, break_it, named_before=True)
    for file in FILES:
        other = service.releases["9"] / file
        yield service.try_fault(
            file, "of another model", lambda path, other=other: shutil.copyfile(other, path), named_before=False
        )
    formats: dict[str, dict[str, Callable[[Path], None]]] = {
        "of an older format": {ABOUT: in_the_first_format, MANIFEST: of_format(-1), STORE: of_format(-1)},
        "of a newer format": {file: of_format(1) for file in (ABOUT, MANIFEST, STORE)},
    }
    for fault, files in formats.items():
        for file, break_it in files.items():
            yield service.try_fault(file, fault, break_it, named_before=False)


def page(found: list[Row]) -> str:
    """The page."""
    return PAGE + "".join(f"| `{one.file}` | {one.fault} | {one.outcome} | {one.words} |\n" for one in found)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        sys.stdout.write(page(list(rows(Path(temporary)))))
