"""Ids, in SQL and in Python."""

import unicodedata

import duckdb
import pytest

from features.log.sources.values import id_of, plain_id

BLANK = [chr(one) for one in range(0x10000) if one <= 32 or unicodedata.category(chr(one))[0] == "Z"] + [
    "\u200b",
    "\ufeff",
]
IDS = ["17850", "17850.0", "-3.000", "17850.5", "1.0.0", ".0", "u1", "0017", "1e3", "\u0661.0", "a b", "-0.0"]


@pytest.mark.parametrize("blanks", [("", ""), (" ", "\t"), ("\u00a0\ufeff", "\u3000")])
def test_python_reads_an_id_as_sql_does(blanks: tuple[str, str]):
    texts = [one.join(blanks) for one in IDS]
    rows = duckdb.execute(f"select {id_of('raw', 'VARCHAR')} from (select unnest(?) as raw)", [texts]).fetchall()
    assert [plain_id(one) for one in texts] == [found for (found,) in rows]


def test_every_blank_is_one_for_both():
    texts = [f"{blank}u1{blank}" for blank in BLANK if blank != "\0"]
    rows = duckdb.execute(f"select {id_of('raw', 'VARCHAR')} from (select unnest(?) as raw)", [texts]).fetchall()
    assert {found for (found,) in rows} == {plain_id(one) for one in texts} == {"u1"}
