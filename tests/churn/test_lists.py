"""churn export through the real command: lists of one's own, contacts, deliveries, a dry run, and the check of a folder."""

import csv
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from serving.weekly.files import spreadsheet
from tests.builders import values_of
from tests.churn.command import AS_OF, WEEK, Ran, TrainedWorld, churn
from tests.churn.conftest import Command

LISTS = """lists=[{name="ios", capacity=20, where="last_device_os = 'ios'"}, {name="rest", at_least="medium", value="events_28d"}]"""
EARLIER = "2026-04-20"  # the Monday before


@pytest.fixture
def world(trained_world: TrainedWorld, tmp_path: Path) -> TrainedWorld:
    return trained_world.copy_to(tmp_path / "home")


@dataclass(frozen=True)
class NextWeek:
    """A home with the lists of two Mondays, the earlier one's written first, and what the later export said."""

    world: TrainedWorld
    before: Any
    ran: Ran

    @property
    def lists(self) -> Any:
        return self.ran.json()["lists"]


@pytest.fixture(scope="module")
def next_week(trained_world: TrainedWorld, tmp_path_factory: pytest.TempPathFactory) -> NextWeek:
    """Look, do not touch: tests that write copy the home."""
    place = tmp_path_factory.mktemp("next_week")
    world = trained_world.copy_to(place / "home")
    earlier, later = (churn("export", *world.options(), "--as-of", at, "--json", cwd=place) for at in (EARLIER, AS_OF))
    return NextWeek(world, earlier.json()["lists"], later)


@pytest.fixture(scope="module")
def two_lists(trained_world: TrainedWorld, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the export of two lists said."""
    place = tmp_path_factory.mktemp("two_lists")
    world = trained_world.copy_to(place / "home")
    ran = churn("export", *world.options(), "--as-of", AS_OF, "--set", LISTS, "--json", cwd=place)
    return ran.json()["lists"]


def ids(folder: str | Path, name: str = "at_risk.parquet") -> list[str]:
    return values_of(pq.ParquetFile(Path(folder) / name).read(), "user_id")


def exported(command: Command, world: TrainedWorld, *more: str, at: str = AS_OF) -> Any:
    ran = command("export", *world.options(), "--as-of", at, *more, "--json")
    assert ran.code == 0, ran.err
    return ran.json()


def table(path: Path) -> dict[str, tuple[str, ...]]:
    """The cells of an upload or a delta by id."""
    with path.open(newline="") as file:
        _, *rows = csv.reader(file)
    return {one: tuple(cells) for one, *cells in rows}


def with_emails(folder: Path, users: list[str], *more: str) -> list[str]:
    """Options by which lists carry the e-mail address of each of these users."""
    (folder / "users.csv").write_text("".join(["user_id,email\n", *(f"{user},{user}@x.org\n" for user in users)]))
    settings = (
        f"users.path={folder}/users.csv",
        "users.trust_undated=true",
        "users.columns.email=email",
        'lists=[{name="at_risk", at_least="medium", columns=["email"]}]',
        *more,
    )
    return [*(word for one in settings for word in ("--set", one)), "--force"]  # the table knows few of the users


def files_of(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


def test_a_list_of_a_past_week_says_that_it_is_one(command: Command, trained_world: TrainedWorld):
    def notes(*options: str) -> list[str]:
        return command("export", *trained_world.options(), *options, "--dry-run", "--json").json()["notes"]

    learned = "version 1 was trained when the outcome of this week was known: it ranks a new week less well"
    assert notes("--week", "2026-W19") == []
    assert notes("--as-of", "2026-03-16") == ["the log reaches a later week: churn export --week 2026-W19", learned]


def test_nobody_is_on_two_lists_and_each_is_cut_in_its_own_way(two_lists: Any):
    ios, rest = two_lists
    assert (ios["name"], ios["treated"]) == ("ios", 20)
    assert set(ids(ios["path"])).isdisjoint(ids(rest["path"]))
    assert rest["excluded"]["on an earlier list"] > 0
    table = pq.ParquetFile(Path(rest["path"]) / "at_risk.parquet").read()
    assert all(value is not None for value in table["value"].to_pylist())


def test_a_dry_run_counts_the_same_and_writes_nothing(command: Command, world: TrainedWorld, two_lists: Any):
    before = files_of(world.home)
    counted = exported(command, world, "--set", LISTS, "--dry-run")
    new = {path.relative_to(world.home).parts[0] for path in files_of(world.home) - before}
    assert new <= {"activity", "rejected"}  # what was read of the log
    for one, other in zip(counted["lists"], two_lists, strict=True):
        assert (one["treated"], one["held_out"], one["excluded"]) == (
            other["treated"],
            other["held_out"],
            other["excluded"],
        )
        assert (one["path"], bool(other["path"])) == (None, True)


def test_sql_that_fails_is_refused_by_the_name_of_its_setting(command: Command, world: TrainedWorld):
    wrong = """lists=[{name="a", at_least="high", where="no_such_column > 3"}]"""
    ran = command("export", *world.options(), "--as-of", AS_OF, "--set", wrong)
    assert ran.code == 2
    assert "[[lists]] a: where" in ran.err
    assert "no_such_column" in ran.err


def test_contacts_of_other_tools_count_for_the_cool_down_and_arms_of_other_tools_win(
    command: Command, world: TrainedWorld, tmp_path: Path
):
    first, second, *_ = ids(world.list_folder)
    (tmp_path / "contacts.csv").write_text(
        f"user_id,contacted_at,arm\n{first},2026-04-25 10:00:00,treated\n{second},2026-04-01 10:00:00,held_out\n"
    )
    more = ["contacts.columns.arm=arm", f"contacts.path={tmp_path / 'contacts.csv'}", "export.cool_down_days=7"]
    (found,) = exported(command, world, *(word for one in more for word in ("--set", one)))["lists"]
    assert found["excluded"]["contacted lately"] == 1
    assert {first, second}.isdisjoint(ids(found["path"]))
    assert second in (Path(found["path"]) / "holdout.csv").read_text().split()


@pytest.fixture(scope="module")
def delivered(trained_world: TrainedWorld, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainedWorld, Any]:
    """A home from which a list was taken to a folder and to a database next to it, and what was said of the list."""
    place = tmp_path_factory.mktemp("delivered")
    world = trained_world.copy_to(place / "home")
    to = f'export.to=["{place / "crm"}", "sqlite:///{place / "crm.db"}#at_risk"]'
    ran = churn("export", *world.options(), "--as-of", AS_OF, "--set", to, "--json", cwd=place)
    return world, ran.json()["lists"][0]


def test_a_list_is_taken_to_a_folder_and_a_database_and_checked_there(
    command: Command, delivered: tuple[TrainedWorld, Any], tmp_path: Path
):
    world, found = delivered
    assert len(found["delivered"]) == 2
    (taken,) = (path.parent for path in (world.home.parent / "crm").rglob("manifest.json"))
    assert taken.name == found["export_id"]
    folder = shutil.copytree(taken, tmp_path / taken.name)
    whole = command("export", "--verify", str(folder), "--json")
    assert (whole.code, whole.json()["is_whole"]) == (0, True)
    with (folder / "at_risk.csv").open("a") as file:
        file.write("one more\n")
    damaged = command("export", "--verify", str(folder))
    assert damaged.code == 3
    assert "at_risk.csv" in damaged.err


def test_a_week_is_taken_to_a_further_place_and_stays_where_it_is(
    command: Command, delivered: tuple[TrainedWorld, Any], tmp_path: Path
):
    world, _ = delivered
    crm = world.home.parent / "crm"
    before = {path: path.read_bytes() for path in files_of(crm)}
    (found,) = exported(command, world, "--set", f'export.to=["{crm}", "{tmp_path / "more"}"]')["lists"]
    assert len(found["delivered"]) == 2
    assert {path: path.read_bytes() for path in files_of(crm)} == before
    assert {path.name for path in files_of(tmp_path / "more")} == {path.name for path in before}


def test_the_next_week_says_what_has_changed_and_uploads_only_that(next_week: NextWeek):
    """An epoch later nobody's arm is taken for that of the one before."""
    (before,), (found,) = next_week.before, next_week.lists
    rows = pq.ParquetFile(Path(found["path"]) / "at_risk.parquet").read().to_pylist()
    assert {row["change"] for row in rows} <= {"new", "rose", "fell", "same"}
    assert any(row["band_last_week"] for row in rows)
    with (Path(found["path"]) / "delta.csv").open(newline="") as file:
        delta = list(csv.DictReader(file))
    gone = set(ids(before["path"])) - set(ids(found["path"]))
    assert {row["user_id"] for row in delta if row["risk_band"] == "none"} == gone
    held_out = (Path(found["path"]) / "holdout.csv").read_text().split()[1:]
    assert {row["user_id"] for row in delta}.isdisjoint(held_out)


def test_only_who_is_on_no_list_any_more_is_cleared_in_the_tool(command: Command, world: TrainedWorld):
    """From one week to the next the lists take each other's users, and their deltas are imported in either order."""
    two = 'lists=[{{name="vip", at_least="medium", where="hash(user_id) % 2 = {}"}}, {{name="others", at_least="medium"}}]'
    before = exported(command, world, "--set", two.format(0), at=EARLIER)["lists"]
    now = exported(command, world, "--set", two.format(1), "--force")["lists"]
    was, listed = ([table(Path(one["path"]) / "upload.csv") for one in lists] for lists in (before, now))
    assert was[0].keys() & listed[1].keys()
    assert was[1].keys() & listed[0].keys()
    deltas = [table(Path(one["path"]) / "delta.csv") for one in now]
    for first, second in (deltas, deltas[::-1]):
        tool = was[0] | was[1]
        for user, cells in (*first.items(), *second.items()):
            tool[user] = tuple(cell or old for cell, old in zip(cells, tool.get(user, cells), strict=True))
        assert tool.items() >= (listed[0] | listed[1]).items()
        held_out = {user for one in now for user in (Path(one["path"]) / "holdout.csv").read_text().split()}
        gone = tool.keys() - listed[0].keys() - listed[1].keys() - held_out
        assert gone
        assert {cells for user, cells in tool.items() if user in gone} == {("none",) * 4}


@pytest.mark.parametrize(
    "setting", [pytest.param("export.preset=braze", marks=pytest.mark.slow), "export.id_column=email"]
)
def test_the_first_upload_by_another_id_is_new_as_a_whole_and_later_ones_are_not(
    command: Command, next_week: NextWeek, tmp_path: Path, setting: str
):
    world = next_week.world.copy_to(tmp_path / "home")
    earlier = [*next_week.before, *next_week.lists]
    more = with_emails(tmp_path, [user for one in earlier for user in ids(one["path"])], setting)
    ran = command("export", *world.options(), "--as-of", AS_OF, *more, "--json")
    assert (ran.code, "at_risk: its last upload names users by another id" in ran.err) == (0, True), ran.err
    (found,) = ran.json()["lists"]
    upload, delta = ((Path(found["path"]) / name).read_bytes() for name in ("upload.csv", "delta.csv"))
    assert upload == delta
    exported(command, world, *more, at=EARLIER)  # that week again, in the new form
    again = command("export", *world.options(), "--as-of", AS_OF, *more, "--json")
    assert "by another id" not in again.err
    assert (Path(again.json()["lists"][0]["path"]) / "delta.csv").read_bytes() != upload


def test_a_delta_goes_by_the_latest_upload_that_exists(command: Command, next_week: NextWeek, tmp_path: Path):
    world = next_week.world.copy_to(tmp_path / "home")
    (earlier,) = exported(command, world, at="2026-04-13")["lists"]
    shutil.rmtree(world.home / "lists/churn/2026-W17")  # as where a run was stopped after the account
    (found,) = exported(command, world, "--force")["lists"]
    delta, held_out = table(Path(found["path"]) / "delta.csv"), (Path(found["path"]) / "holdout.csv").read_text()
    gone = set(ids(earlier["path"])) - set(ids(found["path"])) - set(held_out.split())
    assert gone
    assert {user for user, cells in delta.items() if "none" in cells} == gone


def test_a_list_that_no_sheet_holds_is_in_no_account(
    command: Command, world: TrainedWorld, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(spreadsheet, "MAX_ROWS", 5)
    ran = command("export", *world.options(), "--as-of", EARLIER)
    assert (ran.code, "at_risk.xlsx: a sheet of Excel holds 5 rows" in ran.err) == (2, True), ran.err
    assert not [path for part in ("ledger", "lists") for path in (world.home / part).rglob("*2026-W17*")]


def test_a_preset_names_those_to_contact_and_those_held_out_by_the_same_id(
    command: Command, world: TrainedWorld, tmp_path: Path
):
    people = [*ids(world.list_folder), *(world.list_folder / "holdout.csv").read_text().split()[1:]]
    (found,) = exported(command, world, *with_emails(tmp_path, people, "export.preset=hubspot"))["lists"]
    uploaded, held_out = ((Path(found["path"]) / name).read_text().split() for name in ("upload.csv", "holdout.csv"))
    assert held_out[0] == "Email"
    assert held_out[1:]
    assert all(line.endswith("@x.org") for line in held_out[1:])
    assert set(held_out[1:]).isdisjoint(line.partition(",")[0] for line in uploaded)


def test_users_whom_the_tool_cannot_find_are_counted_wherever_the_list_is(
    command: Command, world: TrainedWorld, tmp_path: Path
):
    listed = ids(world.list_folder)
    known = [f"{user},{user}@x.org\n" for user in listed[2:]]
    (tmp_path / "users.csv").write_text("".join(["user_id,email\n", *known]))
    settings = (
        f"users.path={tmp_path}/users.csv",
        "users.trust_undated=true",
        "users.columns.email=email",
        "export.id_column=email",
    )
    more = [word for one in settings for word in ("--set", one)]
    (dry,) = exported(command, world, *more, "--dry-run")["lists"]
    ran = command("export", *world.options(), "--as-of", AS_OF, *more, "--force")  # the table knows few of the users
    assert "not uploaded, without an id" in ran.out
    assert dry["not_uploaded"] == {"without an id": 2}
    folder = world.list_folder
    assert len((folder / "upload.csv").read_text().splitlines()[1:]) == dry["treated"] - 2
    assert json.loads((folder / "manifest.json").read_text())["not_uploaded"] == {"without an id": 2}
    page = (folder / "at_risk.html").read_text()
    assert "2 without an id" in page
    assert "email is not null" in page


def test_scores_that_are_kept_are_not_made_again(command: Command, world: TrainedWorld):
    ran = command("export", *world.options(), "--week", WEEK)
    assert "nothing is scored again" in ran.err
    late = command("export", *world.options(), "--week", WEEK, "--set", "scoring.high_percentile=95")
    assert "nothing is scored again" not in late.err
    other = command("export", *world.options(), "--week", WEEK, "--set", "events.format.null=['none']")
    assert "nothing is scored again" not in other.err  # the log is read in another way


def test_scores_are_made_again_where_an_earlier_list_says_who_was_left_alone(
    command: Command, next_week: NextWeek, tmp_path: Path
):
    world = next_week.world.copy_to(tmp_path / "home")
    assert "nothing is scored again" not in next_week.ran.err
    assert "nothing is scored again" in command("export", *world.options(), "--week", WEEK).err


def test_the_key_of_the_arms_is_in_no_file_that_is_handed_out(world: TrainedWorld):
    (key,) = (path.read_text().strip() for path in (world.home / "arms").rglob("key"))
    for path in files_of(world.home / "lists") | files_of(world.home / "ledger") | files_of(world.home / "releases"):
        content = path.read_bytes()
        assert key.encode() not in content
        assert bytes.fromhex(key) not in content
    assert json.loads(next((world.home / "arms").rglob("epochs.json")).read_text())["epochs"]
