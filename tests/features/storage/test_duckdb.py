"""What DuckDB says of a log is passed on, and no value of the log with it."""

from pathlib import Path

import duckdb
import pytest

from features.errors import InputError
from features.settings import ComputeSettings
from features.storage.duckdb import connect, duckdb_errors
from tests.builders import read

ID = "secret@x.org"
NUMBER = 12345678901
HEADER = "user_id,event_time,event_type\n"


def refusal_of(sql: str) -> str:
    with pytest.raises(InputError) as refused, duckdb_errors("here", "mend it"):
        connect().execute(sql).fetchall()
    return str(refused.value)


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        (f"cast(t.n as int) from (values ({NUMBER})) t(n)", "Conversion Error: Type INT64 with value (not shown)"),
        ("cast(t.n as int) from (values (15e29)) t(n)", "Type DOUBLE with value (not shown)"),
        ("t.n * t.n from (values (98765432109876)) t(n)", "(not shown)"),
        (f"strptime(t.u, '%Y') from (values ('{ID}')) t(u)", "Could not parse string (not shown)"),
        (f"cast(t.u as json) from (values ('{ID}')) t(u)", "Malformed JSON at byte 0 of input"),
        (f"cast(t.u as date) from (values ('{ID}')) t(u)", "invalid date field format: (not shown)"),
        (f"cast(t.u as uuid) from (values ('{ID}')) t(u)", "Could not convert string (not shown) to UUID when casting"),
        (f"cast(t.u as boolean) from (values ('it''s\n\n{ID}')) t(u)", "Could not convert string (not shown) to BOOL"),
        (f"cast(t.u as struct(a int)) from (values ('{ID}')) t(u)", "Type VARCHAR with value (not shown)"),
        (f"cast(t.u as int[]) from (values ('[{ID}, \"')) t(u)", "(not shown)"),
    ],
)
def test_a_value_that_cannot_be_converted_is_not_shown(expression: str, said: str):
    message = refusal_of(f"select {expression}")
    assert said in message
    for value in (ID, str(NUMBER), "15e29", "e+30", "98765432109876", "it's"):
        assert value not in message


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select colour from (values (1)) t(color)", 'Referenced column "colour" not found'),
        ("select 1 +", "syntax error"),
        ("from read_parquet('/nowhere/x.parquet')", "/nowhere/x.parquet"),
    ],
)
def test_names_are_shown(sql: str, said: str):
    assert said in refusal_of(sql)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("x.csv", f'{HEADER}{ID},2026-01-01,"x\n{ID},2026-01-01,x,4,5\n', "one is left open on line 2"),
        (
            "x.csv",
            f"{HEADER}{ID},2026-01-01,x\n{ID},2026-01-01,x,4,5\n",
            "1 of 2 rows are invalid (1 x the row has too many fields)",
        ),
        (
            "x.jsonl",
            f'{{"user_id":"{ID}","user_id":"c","event_time":"2026-01-01","event_type":"x"}}\n',
            "1 x the object has a key twice",
        ),
        (
            "x.jsonl",
            f'{{"user_id":"{ID}","event_time":"2026-01-01" "event_type":"x"}}\n',
            "at byte 53 in record/value 2: unexpected",
        ),
    ],
)
def test_a_broken_line_is_named_and_not_shown(tmp_path: Path, name: str, text: str, said: str):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as refused:
        read(tmp_path / name)
    assert said in str(refused.value)
    assert ID not in str(refused.value)


def test_too_little_memory_is_said_with_the_limit_and_the_way_out():
    with (
        pytest.raises(InputError, match=r"47\.6 MiB(?s:.*)--memory-limit(?s:.*)rows_at_once"),
        duckdb_errors("here", ""),
    ):
        connect(compute=ComputeSettings(memory_limit_gb=0.05)).execute("select list(range) from range(100000000)")


def test_ctrl_c_is_not_bad_input():
    with pytest.raises(duckdb.InterruptException), duckdb_errors("here", ""):
        raise duckdb.InterruptException("INTERRUPT Error: Interrupted!")
