"""Expressions over texts: read as SQL needs them, whatever the rows of a month hold; one that fails is one row set aside."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import InputError
from features.settings import FormatSettings
from tests.builders import found_in, read
from tests.features.log_files import (
    HEADER,
    LENIENT,
    SECONDS,
    TEN,
    csv_log,
    last_in,
    parquet_of,
    put,
    times_in,
    users_in,
)

RETAIL = "InvoiceNo,Quantity,InvoiceDate,UnitPrice,CustomerID"
README = {
    "user_id": "CustomerID",
    "event_time": "InvoiceDate",
    "event_type": "case when InvoiceNo like 'C%' then 'refund' else 'purchase' end",
    "amount": "Quantity * UnitPrice",
}
SALE, CANCELLATION = "536365,6,2010-12-01 08:26:00,2.55,17850", "C536366,-2,2010-12-02 08:26:00,1.00,17851"


def test_the_mapping_of_the_readme_works_with_and_without_a_cancellation(tmp_path: Path):
    sale, cancellation = (
        ("17850", "2010-12-01 08:26:00", "purchase", pytest.approx(15.3)),
        ("17851", "2010-12-02 08:26:00", "refund", -2.0),
    )
    assert found_in(csv_log(tmp_path / "a", SALE, header=RETAIL, columns=README)) == [sale]
    assert found_in(csv_log(tmp_path / "b", SALE, CANCELLATION, header=RETAIL, columns=README)) == [sale, cancellation]
    assert found_in(csv_log(tmp_path / "c", CANCELLATION, header=RETAIL, columns=README)) == [cancellation]


def test_arithmetic_over_texts_of_parquet_is_that_over_texts_of_csv(tmp_path: Path):
    columns = {"user_id": ["a", "b"], "pieces": ["2", "3"], "price": ["1.10", "1e1"]}
    log = read(parquet_of(tmp_path / "log.parquet", columns), columns={"amount": "pieces * price"})
    assert last_in(log) == [2.2, 30.0]


@pytest.mark.parametrize("expression", ["'shop-' || u", "concat('shop-', u)", "'shop-' || cast(u as varchar)"])
def test_the_text_of_a_whole_number_is_the_same_in_whatever_type_a_file_has_it(tmp_path: Path, expression: str):
    for name, kind in {"a": pa.int64(), "b": pa.float64(), "c": pa.decimal128(10, 1), "d": pa.string()}.items():
        columns = {"u": pa.array(["7"]).cast(kind), "event_time": [TEN], "event_type": ["open"]}
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
    assert {row[0] for row in found_in(read(tmp_path, columns={"user_id": expression}))} == {"shop-7"}


def one_by_one(folder: Path, values: list[str], column: str, expression: str, **options: Any) -> dict[str, Any]:
    """Value to what an expression over the column ``x`` makes of it; a row that is set aside is not there."""
    quoted = ['"' + value.replace('"', '""') + '"' for value in values]
    lines = [f"u{place:02},{TEN},open,{value}" for place, value in enumerate(quoted)]
    log = csv_log(
        folder, *lines, f"zz,{TEN},open,1", header=f"{HEADER},x", columns={column: expression}, **LENIENT | options
    )
    return {values[int(row[0][1:])]: row[-1] for row in found_in(log) if row[0] != "zz"}


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("x * 2", {"1.10": 2.2, "1e3": 2000.0, "-0.5": -1.0, "": None}),
        ("x / 100", {"1999": 19.99, "0": 0.0}),
        ("x - 1", {"1.5": 0.5}),
        ("abs(x)", {"-2.5": 2.5}),
        ("cast(x as double)", {"1.10": 1.1}),
        ("x::decimal(18,4)", {"1.2345": 1.2345}),
        ("replace(x, ',', '')::double", {"1,234.50": 1234.5}),
        ("regexp_replace(x, '[^0-9.-]', '', 'g')::double", {"€ 9.99": 9.99, "-3 EUR": -3.0}),
        ("case when x = '' then 0 else x::double end", {"5": 5.0}),
        ("coalesce(x::double, 0)", {"5": 5.0, "": 0.0}),
        ("round(x, 1)", {"2.25": 2.3}),
    ],
)
def test_an_expression_for_an_amount_reads_numbers(tmp_path: Path, expression: str, values: dict[str, float | None]):
    expression = expression.replace("coalesce(x::", "coalesce(nullif(x, '')::")
    assert one_by_one(tmp_path, list(values), "amount", expression) == pytest.approx(values)


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("x || ''", {"007": "007", "1.10": "1.10", "1e3": "1e3"}),
        ("upper(x)", {"ab1": "AB1", "1e3": "1E3"}),
        ("substr(x, 1, 2)", {"007": "00", "1.10": "1."}),
        ("coalesce(x, 'none')", {"007": "007"}),
        ("case when x like 'C%' then 'C' else x end", {"C1": "C", "536365": "536365"}),
        ("case when x = '1' then 'yes' when x in ('2', '3') then 'no' else x end", {"1": "yes", "3": "no", "01": "01"}),
        ("case when x > 5 then 'large' else 'small' end", {"10": "large", "9": "large", "4.5": "small"}),
        ("case when x::int > 5 then 'large' else 'small' end", {"10": "large", "4": "small"}),
        ("case when x = 1.5 then 'a' else 'b' end", {"1.50": "a", "1.5": "a", "2": "b"}),
        ("case when x between 2 and 10 then 'in' else 'out' end", {"3": "in", "10": "in", "11": "out"}),
        ("split_part(x, '.', 2)", {"1.10": "10", "a.b": "b"}),
        ("regexp_extract(x, '\\d+')", {"order 0042": "0042"}),
        ("trim(x)", {" 007 ": "007"}),
        ("concat(x, '-', x)", {"07": "07-07"}),
    ],
)
def test_an_expression_for_a_text_reads_texts(tmp_path: Path, expression: str, values: dict[str, str]):
    assert one_by_one(tmp_path, list(values), "channel", expression) == values


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("strptime(x, '%Y%m%d')", {"20170331": "2017-03-31 00:00:00"}),
        ("strptime(x, '%d.%m.%y')", {"06.01.25": "2025-01-06 00:00:00", "25.03.25": "2025-03-25 00:00:00"}),
        ("strptime(x, '%d/%m/%Y')", {"05/06/2026": "2026-06-05 00:00:00"}),
        ("strptime(x, '%m/%d/%Y')", {"05/06/2026": "2026-05-06 00:00:00"}),
        ("strptime(x, '%Y-%m-%d %I:%M %p')", {"2026-01-05 10:30 PM": "2026-01-05 22:30:00"}),
        ("strptime(x, '%Y-%m-%d %H:%M:%S %z')", {"2026-01-05 22:30:00 -0500": "2026-01-06 03:30:00"}),
        ("cast(x as timestamp)", {"2026-01-05 10:00:00": TEN}),
        ("cast(x as timestamptz)", {"2026-01-05 10:00:00+02": "2026-01-05 08:00:00"}),
        ("cast(x as date)", {"2026-01-05": "2026-01-05 00:00:00"}),
        ("to_timestamp(x::bigint / 1000)", {"1767607200000": TEN}),
        ("to_timestamp(x)", {"1767607200": TEN}),
        ("make_timestamp(x::bigint)", {"1767607200000000": TEN}),
        ("x + interval 1 hour", {"2026-01-05 09:00:00": TEN}),
        ("date_trunc('hour', x::timestamp)", {"2026-01-05 10:59:59": TEN}),
    ],
)
def test_an_expression_for_a_time_reads_times(tmp_path: Path, expression: str, values: dict[str, str]):
    lines = [f"u{place},{value}" for place, value in enumerate(values)]
    log = csv_log(tmp_path, *lines, header="user_id,x", columns={"event_time": f"{expression}", "event_type": "'open'"})
    assert times_in(log) == list(values.values())


@pytest.mark.parametrize(
    "expression",
    [
        "cast(x as timestamp)",
        "x::timestamp",
        "try_cast(X as timestamp)",
        "date_trunc('second', x::datetime)",
        "x::timestamp + interval 0 hour",
    ],
)
@pytest.mark.parametrize(
    "text", ["2026-01-05T11:00:00+01:00", "2026-01-05 10:00:00Z", "2026-01-05 05:00:00-05", "2026-01-05 19:00:00"]
)
def test_a_cast_to_a_time_without_zone_minds_an_offset(tmp_path: Path, expression: str, text: str):
    columns = {"event_time": expression, "event_type": "'open'"}
    log = csv_log(tmp_path, f"u,{text}", header="user_id,x", columns=columns, timezone="Asia/Tokyo")
    assert times_in(log) == [TEN]


def test_an_offset_where_sql_says_of_which_zone_a_time_is_is_unreadable(tmp_path: Path):
    columns = {"event_time": "x::timestamp at time zone 'Europe/Berlin'", "event_type": "'open'"}
    lines = ["a,2026-01-05 11:00:00", "b,2026-01-05 11:00:00+05:00"]
    log = csv_log(tmp_path, *lines, header="user_id,x", columns=columns, **LENIENT)
    assert (times_in(log), log.rejected) == ([TEN], {"event_time is unreadable": 1})


def test_a_strptime_over_whole_numbers_of_json_is_one_over_texts(tmp_path: Path):
    text = '{"msno": "abc=", "date": 20170331}\n{"msno": "def=", "date": "20170330"}\n'
    columns = {"user_id": "msno", "event_time": "strptime(date, '%Y%m%d')", "event_type": "'listen'"}
    assert times_in(read(put(tmp_path / "log.jsonl", text), columns=columns)) == [
        "2017-03-31 00:00:00",
        "2017-03-30 00:00:00",
    ]


# --- An expression that fails on a row ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "expression", "good", "bad"),
    [
        ("amount", "x * 2", "1.5", ["free", "1,5", "--"]),
        ("amount", "x::double", "1.5", ["free", "0x"]),
        ("amount", "cast(x as integer)", "3", ["three", "99999999999"]),
        ("event_time", "strptime(x, '%d.%m.%y')", "06.01.25", ["31.02.25", "2025-01-06", "x"]),
        ("event_time", "x::timestamp", "2026-01-05", ["2026-13-05", "soon"]),
        ("count", "x::int", "2", ["two"]),
        ("duration_seconds", "epoch(cast(x as time))", "00:10:00", ["25:00:00", "x"]),
    ],
)
def test_a_value_on_which_an_expression_fails_is_one_row_set_aside(
    tmp_path: Path, column: str, expression: str, good: str, bad: list[str]
):
    lines = [f'u{place},{TEN},open,"{value}"' for place, value in enumerate([good, *bad])]
    log = csv_log(tmp_path, *lines, header=f"{HEADER},x", columns={column: expression}, **LENIENT)
    assert (users_in(log), log.rejected) == (["u0"], {f"{column} is unreadable": len(bad)})


def test_what_casts_with_try_is_absent_and_not_set_aside(tmp_path: Path):
    found = one_by_one(tmp_path, ["1.5", "free"], "amount", "try_cast(x as double)")
    assert found == {"1.5": 1.5, "free": None}


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ("x = '1'", {"1"}),
        ("x <> 1", {"01", "2", "10", "abc", "1.5"}),
        ("x in (1, 2)", {"1", "2", "1.0"}),
        ("x in ('1', '01')", {"1", "01"}),
        ("x not in (1, 2)", {"01", "10", "abc", "1.5"}),
        ("x like '1%'", {"1", "1.0", "10", "1.5"}),
        ("x is not null", {"1", "01", "1.0", "2", "10", "abc", "1.5"}),
        ("length(x) = 3", {"1.0", "abc", "1.5"}),
        ("try_cast(x as double) >= 1.5", {"2", "10", "1.5"}),
        ("true", {"1", "01", "1.0", "2", "10", "abc", "1.5", ""}),
    ],
)
def test_a_condition_compares_texts_as_texts(tmp_path: Path, where: str, kept: set[str]):
    values = ["1", "01", "1.0", "2", "10", "abc", "1.5", ""]
    lines = [f"u{place},{TEN},open,{value}" for place, value in enumerate(values)]
    log = csv_log(tmp_path, *lines, header=f"{HEADER},x", where=where)
    assert ({values[int(user[1:])] for user in users_in(log)}, log.rejected) == (kept, {})


def test_a_condition_that_compares_sizes_compares_numbers(tmp_path: Path):
    lines = [f"u{value},{TEN},open,{value}" for value in ("9", "10", "100", "2.5")]
    log = csv_log(tmp_path, *lines, header=f"{HEADER},x", where="x > 9.5")
    assert users_in(log) == ["u10", "u100"]


def test_a_condition_that_compares_dates_compares_instants(tmp_path: Path):
    lines = [
        f"{user},{at},open" for user, at in (("a", "2026-01-05"), ("b", "20260106"), ("c", "2026-01-07T10:00:00Z"))
    ]
    log = csv_log(tmp_path, *lines, where="event_time >= date '2026-01-06'")
    assert users_in(log) == ["b", "c"]
    assert users_in(csv_log(tmp_path, *lines, where="event_time < timestamp '2026-01-06'")) == ["a"]


def test_a_row_on_which_the_condition_fails_is_set_aside_for_that_reason(tmp_path: Path):
    lines = [f"{user},{TEN},open,{value}" for user, value in (("a", "5"), ("b", "free"), ("c", "20"), ("d", ""))]
    log = csv_log(tmp_path, *lines, header=f"{HEADER},x", where="x::double > 10", **LENIENT)
    assert (users_in(log), log.rejected) == (["c"], {"[events] where fails on it": 1})


@pytest.mark.parametrize("where", ["is_paid", '"is_paid"', "is_paid = true", "not is_free", "is_paid and not is_free"])
def test_a_text_of_true_or_false_is_a_condition(tmp_path: Path, where: str):
    lines = [f"a,{TEN},open,true,false", f"b,{TEN},open,false,true", f"c,{TEN},open,TRUE,FALSE", f"d,{TEN},open,1,0"]
    log = csv_log(tmp_path, *lines, header=f"{HEADER},is_paid,is_free", where=where)
    assert users_in(log) == ["a", "c", "d"]


def test_a_boolean_within_an_expression_is_true_or_false(tmp_path: Path):
    lines = [f"a,{TEN},true", f"b,{TEN},false"]
    columns = {"event_type": "case when is_paid then 'buy' else 'open' end"}
    log = csv_log(tmp_path, *lines, header="user_id,event_time,is_paid", columns=columns)
    assert [row[2] for row in found_in(log)] == ["buy", "open"]


def test_an_expression_over_a_column_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"(?s)amount = \"pricee \* 2\".*price"):
        csv_log(tmp_path, f"a,{TEN},x,1", header=f"{HEADER},price", columns={"amount": "pricee * 2"})


# --- Types that the settings declare ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["log.csv", "log.parquet"])
def test_a_declared_type_is_that_of_the_column_everywhere(tmp_path: Path, name: str):
    columns = {"user_id": ["a", "b"], "price": ["1.2345", "free"]}
    if name == "log.csv":
        path = put(tmp_path / name, f"{HEADER},price\na,{TEN},x,1.2345\nb,{TEN},x,free\n")
    else:
        path = parquet_of(tmp_path / name, columns)
    for expression in ("price", "price * 1"):
        log = read(path, columns={"amount": expression}, types={"PRICE": "decimal(18,4)"}, **LENIENT)
        assert (last_in(log), log.rejected) == ([1.2345], {"amount is unreadable": 1})


def test_a_declared_number_reads_a_decimal_comma(tmp_path: Path):
    log = csv_log(
        tmp_path,
        f"a;{TEN};x;1.234,50",
        header=f"{HEADER},price".replace(",", ";"),
        types={"price": "decimal(18,4)"},
        format=FormatSettings(decimal=","),
        columns={"amount": "price * 2"},
    )
    assert last_in(log) == [2469.0]


def test_a_declared_type_decides_what_a_code_is(tmp_path: Path):
    lines = [f"007,{TEN},x", f"7,{TEN},x"]
    assert users_in(csv_log(tmp_path, *lines, types={"user_id": "integer"})) == ["7", "7"]
    assert users_in(csv_log(tmp_path, *lines, types={"user_id": "varchar"})) == ["007", "7"]


@pytest.mark.parametrize("kind", ["timestamp", "timestamptz", "date"])
def test_a_declared_time_that_fails_is_one_row_set_aside(tmp_path: Path, kind: str):
    log = csv_log(tmp_path, "a,2026-01-05,x", "b,05/06/2026,x", types={"event_time": kind}, **LENIENT)
    assert (times_in(log), log.rejected) == (["2026-01-05 00:00:00"], {"event_time is unreadable": 1})


# --- Differences, and texts out of JSON ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("began", "ended"),
    [(TEN, "2026-01-05 10:10:00"), (str(SECONDS), str(SECONDS + 600)), ("2026-01-05T10:00:00Z", "20260105101000")],
)
def test_the_difference_of_two_times_is_seconds_in_whatever_form_they_are(tmp_path: Path, began: str, ended: str):
    columns = {"duration_seconds": "ended - event_time"}
    log = csv_log(tmp_path, f"a,{began},x,{ended}", header=f"{HEADER},ended", columns=columns)
    assert last_in(log) == [600.0]


def test_a_difference_in_milliseconds_is_divided_as_it_is_written(tmp_path: Path):
    columns = {"duration_seconds": "(ended - event_time) / 1000"}
    log = csv_log(tmp_path, f"a,{SECONDS}000,x,{SECONDS + 600}000", header=f"{HEADER},ended", columns=columns)
    assert last_in(log) == [600.0]


def test_a_difference_of_a_time_and_no_time_is_unreadable(tmp_path: Path):
    log = csv_log(
        tmp_path,
        f"a,{TEN},x,2026-01-05 10:10:00",
        f"b,{TEN},x,later",
        f"c,{TEN},x,",
        header=f"{HEADER},ended",
        columns={"duration_seconds": "ended - event_time"},
        **LENIENT,
    )
    assert (last_in(log), log.rejected) == ([600.0, None], {"duration_seconds is unreadable": 1})


@pytest.mark.parametrize("expression", ["props ->> 'v'", "json_extract_string(props, '$.v')", "props -> 'in' ->> 'v'"])
def test_a_text_out_of_json_has_the_digits_that_are_written(tmp_path: Path, expression: str):
    path = parquet_of(tmp_path / "log.parquet", {"user_id": ["a"], "props": ['{"v": 1.10, "in": {"v": 1.10}}']})
    assert last_in(read(path, columns={"app_version": expression})) == ["1.10"]
