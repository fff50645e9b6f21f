"""What lists give to the team's tool where users share an id, and lists that nobody is on, that lack a column, or that earn nothing."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import pyarrow.parquet as pq
import pytest

import churn
from churn.cli import console
from churn.results import WeeklyList
from serving.weekly.arms import Arms, ArmsFolder
from tests.churn.command import AS_OF, TrainedWorld
from tests.churn.conftest import Command

BEFORE = "2026-04-20"
END = "2026-05-05"  # of the log
TWO = [{"name": "big", "at_least": "high"}, {"name": "others", "at_least": "medium"}]
EMPTY = 'lists=[{name="a", at_least="high"}, {name="vip", at_least="low", where="active_days_28d > 28"}]'
NO_PROFIT = 'lists=[{name="profit", save_rate=0.05, value="0.0", cost_per_contact=1.0}]'


@pytest.fixture
def world(trained_world: TrainedWorld, tmp_path: Path) -> TrainedWorld:
    return trained_world.copy_to(tmp_path / "home")


def project(world: TrainedWorld, **settings: Any) -> churn.Project:
    named = {name.replace("__", "."): value for name, value in settings.items()}
    return churn.Project(world.config, home=world.home, settings=named)


def ids(found: WeeklyList, name: str) -> list[str]:
    with (found.path / name).open(newline="") as file:
        return [row[0] for row in csv.reader(file)][1:]


def refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


# --- Ids that users share --------------------------------------------------------------------------------------------


def users_table(path: Path, users: list[str], emails: dict[str, str], opted_out: set[str]) -> Path:
    rows = [(user, emails.get(user, f"{user}@x.org"), "no" if user in opted_out else "yes") for user in users]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("user_id", "email", "newsletter"), *rows])
    return path


@dataclass(frozen=True)
class Couples:
    """Pairs of users with one address: one is to be contacted by the second list, and nobody may contact the other.

    Attributes
    ----------
    users
        Of the world.
    others
        Why nobody may contact them, to the user.
    emails
        User to address; in another case for the others, and twice for two users of the second list.
    """

    users: list[str]
    others: dict[str, str]
    emails: dict[str, str]

    @classmethod
    def of(cls, world: TrainedWorld) -> Couples:
        everybody = project(world, lists=[{"name": "all", "at_least": "low"}])
        found = everybody.export(AS_OF, force=True)
        assert found.scores is not None
        users: list[Any] = found.scores.column("user_id").to_pylist()
        band = dict(zip(users, found.scores.column("risk_band").to_pylist(), strict=True))
        treated, held_out = (set(ids(found.lists[0], name)) for name in ("upload.csv", "holdout.csv"))
        medium, low = ([one for one in users if one in treated and band[one] == risk] for risk in ("medium", "low"))
        unscored = [one for one in users if band[one] is None]
        arms = Arms(ArmsFolder(everybody.home.arms(everybody.name)).key(), found.epoch, found.held_out_share)
        others = {
            "listed": next(one for one in users if one in held_out and band[one] == "high"),
            "unlisted": next(one for one in users if one in held_out and band[one] == "low"),
            "opted.out": low[0],
            # opted out too, and held out of nothing
            "gone": next(one for one, is_out in zip(unscored, arms.held_out(unscored), strict=True) if not is_out),
            "contacted": low[1],
        }
        emails = {user: f"{name}@x.org" for name, user in zip(others, medium, strict=False)}
        emails |= {user: f"{name}@x.org".title() for name, user in others.items()}
        return cls(users, others, emails | {medium[5]: "twice@x.org", medium[6]: "Twice@x.org"})

    def settings(self, folder: Path) -> dict[str, Any]:
        """Settings by which the second list has one of each pair."""
        contacts = folder / "contacts.csv"
        contacts.write_text(f"user_id,contacted_at\n{self.others['contacted']},2026-04-25 10:00:00\n")
        opted_out = {self.others["opted.out"], self.others["gone"]}
        return {
            "lists": TWO,
            "users__path": str(users_table(folder / "users.csv", self.users, self.emails, opted_out)),
            "users__trust_undated": True,
            "users__columns": {"email": "email", "newsletter": "newsletter"},
            "contacts__path": str(contacts),
            "export__id_column": "email",
            "export__opted_out": "newsletter = 'no'",
            "export__cool_down_days": 7,
        }


@dataclass(frozen=True)
class CouplesExport:
    """The lists of couples, the home that they were written to, and the settings."""

    world: TrainedWorld
    pairs: Couples
    settings: dict[str, Any]
    lists: tuple[WeeklyList, ...]


@pytest.fixture(scope="module")
def couples(trained_world: TrainedWorld, tmp_path_factory: pytest.TempPathFactory) -> CouplesExport:
    place = tmp_path_factory.mktemp("couples")
    world = trained_world.copy_to(place / "home")
    pairs = Couples.of(world)
    settings = pairs.settings(place)
    return CouplesExport(world, pairs, settings, project(world, **settings).export(AS_OF, force=True).lists)


def test_nobody_is_contacted_under_the_id_of_somebody_held_out_opted_out_or_contacted_lately(couples: CouplesExport):
    pairs, (big, others) = couples.pairs, couples.lists
    counted = project(couples.world, **couples.settings).export(AS_OF, dry_run=True)
    uploaded = [one.strip().lower() for one in ids(others, "upload.csv")]
    assert set(uploaded).isdisjoint(f"{name}@x.org" for name in pairs.others)
    assert uploaded.count("twice@x.org") == 1
    assert "Listed@X.Org" in ids(big, "holdout.csv")
    assert "Unlisted@X.Org" not in ids(big, "holdout.csv") + ids(others, "holdout.csv")
    assert [one.not_uploaded for one in counted.lists] == [big.not_uploaded, others.not_uploaded]
    assert others.not_uploaded == {
        "with the id of another row": 1,
        "with the id of a held-out user": 2,
        "with the id of a user who opted out or was contacted lately": 3,
    }
    assert len(uploaded) == others.treated - 6
    manifest = json.loads((others.path / "manifest.json").read_text())
    assert manifest["not_uploaded"] == others.not_uploaded


def test_a_list_from_which_other_users_are_uploaded_has_another_export_id(couples: CouplesExport, tmp_path: Path):
    """So that a place that has the one takes the other, too."""
    world, pairs = couples.world.copy_to(tmp_path / "home"), couples.pairs
    listed = pairs.others["listed"]
    settings = replace(pairs, emails=pairs.emails | {listed: f"{listed}@x.org"}).settings(tmp_path)
    first, second = couples.lists[1], project(world, **settings).export(AS_OF, force=True).lists[1]
    assert (first.treated, first.export_id) != (second.treated, second.export_id)
    assert first.treated == second.treated


def test_an_id_that_was_uploaded_and_is_of_somebody_held_out_by_now_is_suppressed(world: TrainedWorld, tmp_path: Path):
    lists = [{"name": "all", "at_least": "low"}]
    scores = pq.ParquetFile(Path(world.said["score"]["path"]) / "scores.parquet").read(["user_id"])
    users: list[Any] = scores.column("user_id").to_pylist()
    table = users_table(tmp_path / "users.csv", users, {}, set())
    settings: dict[str, Any] = {
        "lists": lists,
        "users__path": str(table),
        "users__trust_undated": True,
        "users__columns": {"email": "email"},
        "export__id_column": "email",
    }
    (before,) = project(world, **settings).export(BEFORE, force=True).lists
    uploaded, held_out = (set(ids(before, name)) for name in ("upload.csv", "holdout.csv"))
    (now,) = project(world, **settings).export(AS_OF, force=True).lists
    address = next(one for one in ids(now, "upload.csv") if one in uploaded)
    users_table(table, users, {user: address.title() for user in users if f"{user}@x.org" in held_out}, set())
    (found,) = project(world, **settings).export(AS_OF, force=True).lists
    assert address not in ids(found, "upload.csv") + ids(found, "delta.csv")
    assert address in ids(found, "holdout.csv")


# --- Lists of nobody -------------------------------------------------------------------------------------------------


def test_a_list_with_nobody_to_contact_is_counted_and_written_as_any_other(world: TrainedWorld, command: Command):
    counted = command("export", *world.options(), "--as-of", AS_OF, "--set", EMPTY, "--dry-run", "--json")
    assert [one["treated"] > 0 for one in counted.json()["lists"]] == [True, False]
    ran = command("export", *world.options(), "--as-of", AS_OF, "--set", EMPTY, "--force", "--json")
    assert ran.code == 0, ran.err
    folder = ran.json()["lists"][1]["path"]
    assert command("export", "--verify", folder).code == 0
    assert (Path(folder) / "upload.csv").read_text() == "user_id,risk_band,reason_1,action,list\n"


def test_a_list_that_earns_nothing_is_valid_json_and_says_so_in_words(world: TrainedWorld, command: Command):
    options = (*world.options(), "--as-of", AS_OF, "--set", NO_PROFIT, "--dry-run")
    (found,) = json.loads(command("export", *options, "--json").out, parse_constant=refuse)["lists"]
    assert (found["expected_profit"], found["pays_from"]) == (0.0, None)
    out = command("export", *options).out
    assert "No contact is expected to earn anything, so nobody is listed" in out
    assert "nobody is on a list: what the holdout can show is not known yet" in out
    assert "inf" not in out.split()
    unpaid = WeeklyList("a", 3, 1, {}, 0, expected_profit=-2.0, pays_from=float("inf"), also_by_risk=4)
    assert unpaid.profit["expected profit"] == "-2; no save rate makes it pay"


def test_a_number_that_json_does_not_have_is_not_printed():
    with pytest.raises(ValueError, match="JSON compliant"):
        console.print_json({"pays_from": float("inf")})


# --- All lists or none, and what comes next --------------------------------------------------------------------------


def test_a_column_that_one_list_lacks_is_refused_before_any_list_is_written(
    world: TrainedWorld, command: Command, tmp_path: Path
):
    table = users_table(tmp_path / "users.csv", ["u1"], {}, set())
    more = (
        'lists=[{name="a", at_least="high", columns=["email"]}, {name="b", at_least="medium"}]',
        f"users.path={table}",
        "users.trust_undated=true",
        "users.columns.email=email",
        'export.columns={email="Mail"}',
        f'export.to=["{tmp_path / "crm"}"]',
    )
    options = (*world.options(), "--as-of", BEFORE, *(word for one in more for word in ("--set", one)))
    ran = command("export", *options, "--force")
    assert (ran.code, '[export]: the list b has no column "email"' in ran.err) == (2, True), ran.err
    assert "an attribute of [users] is carried along by [[lists]] columns" in ran.err
    assert not [path for part in ("ledger", "lists") for path in (world.home / part).rglob("*2026-W17*")]
    assert not (tmp_path / "crm").exists()


def test_outcomes_come_next_once_those_of_an_earlier_list_are_known(world: TrainedWorld, command: Command):
    for part in (world.home / "ledger", world.home / "lists"):
        part.rename(part.with_name(f"former_{part.name}"))
    first = command("export", *world.options(), "--as-of", END)
    assert "next: churn serve" in first.out.splitlines()[-1], first.err
    refused = command("outcomes", *world.options())
    assert (refused.code, f"nothing was scored before {END}" in refused.err) == (3, True)
    assert f"the first outcomes, those of {END}, are final on 2026-05-22" in refused.err
    assert command("export", *world.options(), "--as-of", BEFORE, "--force").code == 0
    later = command("export", *world.options(), "--as-of", END, "--force")
    assert "next: churn outcomes" in later.out.splitlines()[-1]
    assert command("outcomes", *world.options()).code == 0
