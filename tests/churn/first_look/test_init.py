"""``churn init`` as somebody with a file meets it: what it writes, asks, refuses and admits."""

from __future__ import annotations

import json
import random
import re
import tomllib
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import churn
from churn.first_look.init import Inquiry, Place, first_look
from churn.first_look.questions import Question
from churn.progress import progress_of
from tests.churn.command import Ran
from tests.churn.command import churn as churn_command
from tests.churn.conftest import Command
from tests.churn.first_look.awkward_files import FILES
from tests.churn.first_look.awkward_logs import AWKWARD

USERS, DAYS = 300, 200


def shop(folder: Path, *, broken: int = 0) -> Path:
    """Write orders of a shop: each user orders every 5 to 13 days, for five weeks out of ten."""
    lines = ["E-Mail;Bestelldatum;Betrag;Kanal"]
    for user in range(USERS):
        for day in range(user % 11, DAYS, 5 + user % 9):
            if (day + 13 * user) // 35 % 2:
                continue
            moment = datetime(2025, 1, 6, 8 + user % 12, 30) + timedelta(days=day)  # noqa: DTZ001
            lines.append(f"u{user}@example.de;{moment:%d.%m.%Y %H:%M};{10 + user % 7},50;web")
    lines += [f"u1@example.de;;{line.split(';', 2)[2]}" for line in lines[1 : broken + 1]]
    path = folder / "orders.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    return path


@dataclass(frozen=True)
class Made:
    """A folder, and what the command said that wrote its settings."""

    folder: Path
    ran: Ran

    @property
    def config(self) -> Path:
        return self.folder / "churn.toml"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A shop, and what `churn init` made of its file. Look, do not touch."""
    folder = tmp_path_factory.mktemp("shop")
    shop(folder)
    return Made(folder, churn_command("init", "orders.csv", cwd=folder))


def test_a_file_of_a_shop_becomes_settings_that_the_other_verbs_read(made: Made):
    assert made.ran.code == 0, made.ran.err
    assert made.ran.out.splitlines()[-1] == "next: churn train"
    written = tomllib.loads(made.config.read_text())
    assert written["events"]["columns"] == {
        "user_id": '"E-Mail"',
        "event_time": "strptime(Bestelldatum, '%d.%m.%Y %H:%M')",
        "event_type": "'purchase'",
        "channel": "Kanal",
        "amount": "Betrag",
    }
    assert written["events"]["format"] == {"decimal": ","}
    assert written["churn"]["horizon_days"] in range(7, 43)
    log = churn.Project(made.config, home=made.folder / ".churn").log()
    assert log.to_json()["rejected"] == {}
    assert log.activity.is_reused  # the next verb does not read the file again


def few_buyers(folder: Path, *, buyers: int) -> None:
    """Write a shop where users buy at rates of their own, and leave after a time that nothing foretells: 130 days."""
    chance, rows = random.Random(1), list[tuple[datetime, int]]()
    for user in range(buyers):
        rate, day = chance.gammavariate(1.5, 1 / 14), chance.uniform(0, 110)
        end = min(130.0, day + chance.expovariate(1 / 60))
        while day < end:
            rows.append((datetime(2025, 1, 6) + timedelta(days=day), user))  # noqa: DTZ001
            day += chance.expovariate(rate) + 0.01
    lines = [f"c{user},{moment:%Y-%m-%d %H:%M:%S}" for moment, user in sorted(rows)]
    (folder / "orders.csv").write_text("\n".join(["customer,ordered_at", *lines]) + "\n")


def test_what_is_proposed_leaves_enough_to_train_on_and_horizon_says_the_same(command: Command, tmp_path: Path):
    few_buyers(tmp_path, buyers=522)
    assert command("init", "orders.csv").out.splitlines()[-1] == "next: churn train"
    written = tomllib.loads((tmp_path / "churn.toml").read_text())["churn"]
    found = churn.Project(tmp_path / "churn.toml", home=tmp_path / ".churn").horizon().advice
    assert (found.recommended, found.active_within_days) == (written["horizon_days"], written["active_within_days"])
    (chosen,) = [one for one in found.choices if one.horizon_days == found.recommended]
    assert chosen.smaller_class >= 100


def test_a_column_that_names_orders_is_said_to_be_of_use_to_the_report(command: Command, tmp_path: Path):
    path = shop(tmp_path)
    head, *lines = path.read_text(encoding="utf-8-sig").splitlines()
    numbered = [f"{head};order_id", *(f"{line};o{number}" for number, line in enumerate(lines))]
    path.write_text("\n".join(numbered) + "\n", encoding="utf-8-sig")
    notes = command("init", "orders.csv", "--dry-run", "--json").json()["notes"]
    assert "order_id names orders: as [events.columns] order_id, the report tells of them" in notes


def test_a_log_with_too_few_users_to_train_on_is_said_to_have(command: Command, tmp_path: Path):
    few_buyers(tmp_path, buyers=150)
    ran = command("init", "orders.csv")
    assert re.search(
        r"note: no horizon can be proposed: .*; \d+ days leaves \d+ users in the smaller class, 100 are", ran.out
    )
    assert ran.out.splitlines()[-1] == "next: churn horizon"
    assert "next:" not in command("horizon").out  # a training would be refused


def test_editors_find_the_schema_of_what_was_written(made: Made):
    first = made.config.read_text().splitlines()[0]
    assert first == "#:schema .churn/churn.schema.json"
    schema = json.loads((made.folder / ".churn/churn.schema.json").read_text())
    written = tomllib.loads(made.config.read_text())
    assert set(written) <= set(schema["properties"])
    events = schema["$defs"]["EventsSettings"]["properties"]
    assert set(written["events"]) <= set(events)
    assert events["path"]["description"]


def test_the_same_file_gives_the_same_bytes(command: Command, made: Made, tmp_path: Path):
    shop(tmp_path)
    (tmp_path / "churn.toml").write_text("# mine\n")
    assert command("init", "orders.csv", "--force").code == 0
    assert (tmp_path / "churn.toml").read_bytes() == made.config.read_bytes()


def test_what_somebody_wrote_is_not_replaced(command: Command, tmp_path: Path):
    shop(tmp_path)
    (tmp_path / "churn.toml").write_text("# mine\n")
    ran = command("init", "orders.csv")
    assert ran.code == 2
    assert "--force" in ran.err
    assert (tmp_path / "churn.toml").read_text() == "# mine\n"


def test_a_dry_run_prints_the_settings_and_writes_nothing(command: Command, tmp_path: Path):
    shop(tmp_path)
    ran = command("init", "orders.csv", "--dry-run")
    assert ran.code == 0
    assert 'amount = "Betrag"' in ran.out
    assert [path.name for path in tmp_path.iterdir()] == ["orders.csv"]


def test_machines_get_columns_counts_and_cohorts(command: Command, tmp_path: Path):
    shop(tmp_path)
    found = command("init", "orders.csv", "--dry-run", "--json").json()
    assert found["columns"]["user_id"]["expression"] == '"E-Mail"'
    assert found["users"] == USERS
    assert found["rejected"] == {}
    assert found["horizon_days"]
    assert sum(cohort["users"] for cohort in found["retention"]) <= USERS
    assert tomllib.loads(found["toml"])["project"]["name"] == "orders"


def test_two_readings_are_refused_with_the_answer_to_give(command: Command, tmp_path: Path):
    case = next(one for one in FILES if one.name == "no day above 12")
    case.write(tmp_path)
    ran = command("init", "log.csv")
    assert ran.code == 2
    assert "--answer date_order=day-first" in ran.err
    assert "--answer date_order=month-first" in ran.err
    assert not (tmp_path / "churn.toml").exists()
    ran = command("init", "log.csv", "--answer", "date_order=month-first")
    assert ran.code == 0
    assert "'%m/%d/%Y'" in tomllib.loads((tmp_path / "churn.toml").read_text())["events"]["columns"]["event_time"]


def test_an_answer_that_the_values_contradict_is_refused(command: Command, tmp_path: Path):
    case = next(one for one in FILES if one.name == "no day above 12")
    case.write(tmp_path)
    ran = command("init", "log.csv", "--answer", "date_order=year-first")
    assert ran.code == 2
    assert "cannot be read so" in ran.err


@pytest.mark.parametrize(("answer", "words"), [("user=x", "did you mean"), ("user_id", "expected key=value")])
def test_an_answer_to_nothing_is_refused(command: Command, tmp_path: Path, answer: str, words: str):
    shop(tmp_path)
    ran = command("init", "orders.csv", "--answer", answer)
    assert ran.code == 2
    assert words in ran.err


def test_a_person_is_asked_until_nothing_is_open(tmp_path: Path):
    case = next(one for one in AWKWARD if one.name == "no name says who, but values might")
    path, asked = case.write(tmp_path), list[Question]()

    def ask(question: Question) -> str:
        asked.append(question)
        return question.options[0].value

    found = first_look(str(path), Place(tmp_path / "churn.toml", None), Inquiry(ask=ask), say=progress_of(None))
    assert [question.key for question in asked] == ["user_id"]
    assert found.columns["user_id"].expression == "a"


def test_rows_that_would_be_set_aside_are_admitted(command: Command, tmp_path: Path):
    shop(tmp_path, broken=3)
    ran = command("init", "orders.csv")
    assert ran.code == 0
    assert "set aside 3 x event_time is null" in ran.out


def test_settings_under_which_the_log_cannot_be_read_are_no_success(command: Command, tmp_path: Path):
    shop(tmp_path, broken=1000)
    ran = command("init", "orders.csv")
    assert ran.code == 3
    assert "1000 of" in ran.err
    assert (tmp_path / "churn.toml").exists()


def test_settings_elsewhere_name_the_log_from_there(command: Command, tmp_path: Path):
    shop(tmp_path)
    assert command("init", "orders.csv", "--out", "shop/churn.toml").code == 0
    assert tomllib.loads((tmp_path / "shop/churn.toml").read_text())["events"]["path"] == "../orders.csv"


def test_what_is_not_there_is_refused(command: Command):
    ran = command("init", "nothing.csv")
    assert ran.code == 2
    assert "no Parquet, CSV or JSON Lines file" in ran.err
