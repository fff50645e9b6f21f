"""Every kind of file under a home cut short, altered or deleted: the verbs heal it or refuse it by name."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import pytest

from tests.churn.command import AS_OF
from tests.damage import alter, cut_short
from tests.faults.base import Base, Verb, forget_manifests
from tests.faults.command import Ended, forked, results
from tests.faults.outcomes import EQUAL, REFUSED, Outcomes

AT = ("--as-of", AS_OF)
SCORE, EXPORT, SERVE, FETCH = Verb("score", AT), Verb("export", AT), Verb("serve"), Verb("serve fetched")
READ_AGAIN = Verb("score", AT, forget_manifests)
VERBS = (SCORE, EXPORT, SERVE)
WRITES = {
    "score": ("scores", "ledger", "releases", "rejected"),
    "export": ("ledger", "lists", "rejected"),
    "serve": ("releases",),
    "serve fetched": ("fetched_releases",),
}
# kind to where its files are, and the verbs that read or replace them
KINDS: dict[str, tuple[tuple[str, ...], tuple[Verb, ...]]] = {
    "home.json": (("home.json",), VERBS),
    "activity: manifest": (("activity/*/manifest.json",), (SCORE, EXPORT)),
    "activity: days of a batch": (("activity/*/*/days.json", "activity/*/*/files.json"), (SCORE,)),
    "activity: Parquet": (("activity/*/*/*.parquet",), (SCORE,)),
    "activity: event ids": (("activity/*/event_ids/*/*",), (SCORE, READ_AGAIN)),
    "rejected rows": (("rejected/*/*",), (SCORE,)),
    "log fetched from a database": (("fetched/*/*/*", "fetched/*/*/*/*"), (SCORE,)),
    "locks": (("**/*.lock", "**/.lock"), (SCORE,)),
    "scores": (("scores/*/*/*/*/*",), (SCORE, EXPORT)),
    "what scores were made from": (("ledger/*/*/*/made_from.json",), (SCORE, EXPORT)),
    "arms": (("arms/*/*",), (SCORE, EXPORT)),
    "account of a list": (("ledger/*/lists/*/*/*/*",), (EXPORT,)),
    "ledger": (("ledger/*/*/*/*/*",), (SCORE, EXPORT)),
    "list": (("lists/*/*/*/*/*",), (EXPORT,)),
    "release": (("releases/*/*/release.json", "releases/*/*/model/*"), (SCORE, SERVE)),
    "profile store": (("releases/*/*/store/*",), (SCORE, SERVE)),
    "release that was fetched": (("fetched_releases/*/*/*", "fetched_releases/*/*/*/*"), (FETCH,)),
    "keys": (("keys/*/*.json", "keys/*/used/*"), (SERVE,)),
    "MLflow's database": (("mlflow.db",), VERBS),
    "registered model": (("artifacts/models/*/artifacts/data/model/*",), (SCORE, SERVE)),
    "MLflow's description of a model": (("artifacts/models/*/artifacts/*",), (SCORE,)),
}


DAMAGES: dict[str, Callable[[Path], None]] = {"cut short": cut_short, "one bit turned": alter, "deleted": Path.unlink}


def files(base: Base, kind: str) -> list[Path]:
    """Return the files of a kind, relative to the home; each under its own name, not through `current`."""
    found = [path for pattern in KINDS[kind][0] for path in sorted(base.home.glob(pattern))]
    own = [path.relative_to(base.home) for path in found if "current" not in path.parts and path.is_file()]
    return [
        file for file in own if AS_OF in str(file) or "lists" in file.parts or file.parts[0] not in ("scores", "ledger")
    ]


@contextmanager
def damaged(base: Base, verb: Verb, file: Path, damage: Callable[[Path], None]) -> Generator[Path]:
    """Return a copy of the home with one file damaged; the copies share the models, so theirs are put back."""
    home = base.copy(verb)
    is_shared = file.parts[0] == "artifacts"
    place = (base.home if is_shared else home) / file
    before = place.read_bytes()
    damage(place)
    try:
        yield home
    finally:
        if is_shared:
            place.write_bytes(before)
        shutil.rmtree(home)


def outcome(ended: Ended, file: Path, *, is_equal: bool) -> str:
    if ended.code == 0:
        return EQUAL if is_equal else f"another result, and not a word: {ended.said}"
    is_named = file.name in ended.said or file.parent.name in ended.said
    return REFUSED if ended.code == 2 and is_named and "a bug" not in ended.said else f"{ended.code}: {ended.said}"


def damage_all(base: Base, outcomes: Outcomes, kind: str, *, fault: str) -> None:
    expected = results(base.home)
    assert files(base, kind), f"no file of the kind: {kind}"
    for file, verb in product(files(base, kind), KINDS[kind][1]):
        with damaged(base, verb, file, DAMAGES[fault]) as home:
            ended, found = forked(verb.run(base.world, home), base.log), results(home)
            is_equal = all(
                found.get(place) == expected[place] for place in expected if place.startswith(WRITES[verb.name])
            )
            outcomes.of(kind, fault).add(outcome(ended, file, is_equal=is_equal), f"{verb.name}, {file}")


@pytest.mark.slow
def test_every_file_under_a_home_is_of_a_kind_that_is_damaged_here(base: Base):
    """But for what MLflow keeps of runs and of the code of models: no verb reads it."""
    found = {path.relative_to(base.home) for path in base.home.rglob("*") if path.is_file()}
    unknown = found - {file for kind in KINDS for file in files(base, kind)}
    assert [file for file in unknown if file.parts[0] != "artifacts" and "current" not in file.parts] == []


@pytest.mark.slow
@pytest.mark.parametrize("fault", DAMAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_damaged_heals_or_is_refused_by_name(base: Base, outcomes: Outcomes, kind: str, fault: str):
    damage_all(base, outcomes, kind, fault=fault)
