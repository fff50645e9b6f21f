"""What an answer may be, and that it is judged as what ``churn init`` finds by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from churn.cli.init import _ask  # pyright: ignore[reportPrivateUsage]
from churn.first_look.evidence.table import open_table
from churn.first_look.look import Look, look
from churn.first_look.questions import Answers, Option, Question
from features.errors import InputError
from tests.churn.conftest import Command
from tests.churn.first_look.awkward import early, kind, moment, text, user

SPREADSHEET = "timestamp '1899-12-30' + to_seconds(86400 * \"date\")"


def looked(path: Path, **answers: str) -> Look:
    return look(open_table(str(path), Path()), path=str(path), answers=Answers(answers))


def days_of_a_spreadsheet(folder: Path) -> Path:
    """Write sessions of 15 users, counted by days as a spreadsheet numbers them."""
    line = "u{},{},{}".format
    return text("log.csv", "user_id,date,sessions", lambda row: line(row % 15, 45300 + row // 15, row % 4))(folder)


def test_an_expression_for_the_time_is_judged_as_a_column_is(tmp_path: Path):
    path = days_of_a_spreadsheet(tmp_path)
    assert {one.key for one in looked(path, event_time=SPREADSHEET).questions} == {"count"}
    found = looked(path, event_time=SPREADSHEET, count="sessions")
    assert found.draft.events["covered_until"].value.isoformat() == "2024-01-15"
    assert "100 % of the values can be read, 2024-01-09 to 2024-01-14" in found.draft.columns["event_time"].evidence


def test_an_expression_over_texts_objects_and_two_columns_is_read(tmp_path: Path):
    path = text("log.csv", "user_id,d,t,event", lambda row: f"u{user(row)},{moment(row):%d.%m.%y,%H.%M},{kind(row)}")(
        tmp_path
    )
    found = looked(path, event_time="strptime(d || ' ' || t, '%d.%m.%y %H.%M')")
    assert "timezone" in found.draft.events
    assert not any("not read" in note for note in found.notes)
    objects = text(
        "log.jsonl", "", lambda row: f'{{"user": {{"id": {user(row)}}}, "seen": {{"d": "{moment(row):%Y%m%dX}"}}}}'
    )
    found = looked(objects(tmp_path), event_time="strptime(seen.d, '%Y%m%dX')")
    assert found.draft.columns["event_time"].columns == ("seen.d",)


@pytest.mark.parametrize(
    ("expression", "words"),
    [("nowhere + 1", "no such column"), ("upper(event)", "too few rows"), ("timestamp '2024-01-01'", "too few rows")],
)
def test_an_expression_that_gives_no_times_is_refused(tmp_path: Path, expression: str, words: str):
    path = text("log.csv", "user_id,date,event", lambda row: f"u{user(row)},{moment(row):%Y-%m-%d},{kind(row)}")(
        tmp_path
    )
    with pytest.raises(InputError, match=words):
        looked(path, event_time=expression)


def test_a_file_that_may_be_of_another_order_than_an_expression_says_is_asked_about(tmp_path: Path):
    text("a.csv", "user_id,date,event", lambda row: f"u{user(row)},{moment(row):%d/%m/%Y},{kind(row)}")(tmp_path)
    text("b.csv", "user_id,date,event", lambda row: f"u{user(row)},{early(row):%m/%d/%Y},{kind(row)}")(tmp_path)
    found = looked(tmp_path / "*.csv", event_time="strptime(trim(\"date\"), '%d/%m/%Y')")
    assert {one.key for one in found.questions} == {"date_order"}


def test_a_decimal_comma_of_an_amount_that_was_answered_is_read(tmp_path: Path):
    line = "k{};{:%Y-%m-%d};{},50;{}".format
    path = text("log.csv", "Kunde;Datum;Preis;Artikel", lambda row: line(user(row), moment(row), row, kind(row)))(
        tmp_path
    )
    assert looked(path, amount="Preis").draft.format["decimal"].value == ","


def test_users_of_two_columns_are_asked_what_their_rows_stand_for(tmp_path: Path):
    line = "{},{},{},{}".format
    log = text(
        "log.csv",
        "user_id,device_id,date,sessions",
        lambda row: line(
            "" if row % 3 else f"u{row % 15}", f"d{row % 15}", f"{moment(row // 15 * 3):%Y-%m-%d}", row % 4 + 1
        ),
        rows=300,
    )
    found = looked(log(tmp_path), user_id="coalesce(user_id, device_id)")
    assert {one.key for one in found.questions} == {"count"}


def test_rows_of_one_type_are_so_where_that_was_answered(tmp_path: Path):
    path = text("log.csv", "user_id,date,type", lambda row: f"u{user(row)},{moment(row):%Y-%m-%d},{kind(row)}")(
        tmp_path
    )
    assert looked(path, event_type="none").draft.columns["event_type"].expression == "'event'"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("user_id=none", "every event has somebody who did it"),
        ("event_time=none", "every event has a time"),
        ("user_id=9", "a number is the same in all rows"),
        ("count=9", "a number is the same in all rows"),
    ],
)
def test_what_answers_nothing_is_refused(command: Command, tmp_path: Path, answer: str, words: str):
    days_of_a_spreadsheet(tmp_path)
    ran = command("init", "log.csv", "--answer", answer)
    assert ran.code == 2
    assert words in ran.err
    assert not (tmp_path / "churn.toml").exists()


def test_a_person_is_asked_again_after_what_answers_nothing(monkeypatch: pytest.MonkeyPatch):
    typed = iter(["9", "none", " 2 "])
    monkeypatch.setattr("typer.prompt", lambda *_, **__: next(typed))
    options = tuple(Option(name, "") for name in ("a", "b", "c"))
    assert _ask(Question("user_id", "Who did it?", options)) == "b"
    assert next(typed, None) is None
