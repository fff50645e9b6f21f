"""CSV and TSV: every value is the text it is, every line is a row, and what is ambiguous is refused by name."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from features.errors import InputError
from features.settings import FormatSettings
from tests.builders import found_in, read
from tests.features.log_files import HEADER, LENIENT, TEN, csv_log, csv_logs, last_in, put, times_in, users_in

MANY = 12  # files; DuckDB guesses from the first ten


def in_many_files(folder: Path, usual: str, last: str, *, header: str, **options: Any) -> list[tuple[Any, ...]]:
    """The rows of a log whose last file alone is written otherwise."""
    files = [[usual.format(place)] for place in range(MANY)]
    return found_in(csv_logs(folder, [*files, [last]], header=header, **options))


# --- Values are texts, whatever other rows and files hold --------------------------------------------------------------


@pytest.mark.parametrize("where", ["", "env = 'prod'"])
def test_decimals_that_only_a_later_file_has_are_not_rounded(tmp_path: Path, where: str):
    late = {"9.99": 9.99, "0.005": 0.005, "1e-3": 0.001, "12345678.123456": 12345678.123456}
    files = [*([f"u{place:02},2026-01-05,buy,10,prod"] for place in range(MANY))]
    files.append([f"z{place},2026-01-05,buy,{text},prod" for place, text in enumerate(late)])
    log = csv_logs(tmp_path, files, header=f"{HEADER},price,env", columns={"amount": "price"}, where=where)
    assert last_in(log) == [10.0] * MANY + list(late.values())


def test_ids_that_only_a_later_file_spells_so_stay_as_they_are(tmp_path: Path):
    late = ["007", "1e3", "0x10", "1_000", "+7", "1.0e2", " 7 7", "٣"]
    files = [*([f"{place},2026-01-05,open"] for place in range(MANY)), [f"{one},2026-01-05,open" for one in late]]
    columns = {"user_id": "'shop-' || cust"}
    log = csv_logs(tmp_path, files, header="cust,event_time,event_type", columns=columns)
    assert set(users_in(log)) == {f"shop-{user}" for user in [*range(MANY), *late]}


def test_a_later_file_with_texts_changes_no_number_of_an_earlier_one(tmp_path: Path):
    found = in_many_files(
        tmp_path,
        "u{:02},2026-01-05,buy,1.10",
        "z,2026-01-05,buy,beta",
        header=f"{HEADER},version",
        columns={"app_version": "version"},
    )
    assert [row[-1] for row in found] == ["1.10"] * MANY + ["beta"]


@pytest.mark.parametrize("column", ["client", "'ga:' || client"])
def test_no_id_is_rewritten(tmp_path: Path, column: str):
    texts = {
        *("1234567890.1600000000", "1234567890.1600000010", "98765432.1600000000"),
        *("9007199254740993", "9007199254740992", "00012", "0012", "true", "True", "t", "2026-01-05", "2026-1-5"),
        *("6D92078A-8246-4BA4-AE5B-76104861E7DC", "6d92078a-8246-4ba4-ae5b-76104861e7dc"),
    }
    lines = [f"{text},2026-01-05,open" for text in texts]
    log = csv_log(tmp_path, *lines, header="client,event_time,event_type", columns={"user_id": column})
    assert {user.removeprefix("ga:") for user in users_in(log)} == texts


@pytest.mark.parametrize(
    ("column", "versions"), [("version", ["1.10", "1.9", "2.00"]), ("'v' || version", ["v1.10", "v1.9", "v2.00"])]
)
def test_a_version_keeps_its_zeros(tmp_path: Path, column: str, versions: list[str]):
    lines = [f"u{place},2026-01-05,open,{text}" for place, text in enumerate(["1.10", "1.9", "2.00"])]
    assert last_in(csv_log(tmp_path, *lines, header=f"{HEADER},version", columns={"app_version": column})) == versions


# --- Quotes --------------------------------------------------------------------------------------------------------------


def test_open_quotes_of_a_tsv_swallow_no_rows(tmp_path: Path):
    queries = ["shoes", '"running shoes', "hats", '40" screen', "socks"]
    lines = [f"u{place}\t2026-01-05\tsearch\t{query}" for place, query in enumerate(queries)]
    header = f"{HEADER},query".replace(",", "\t")
    log = csv_log(tmp_path, *lines, header=header, name="log.tsv", columns={"channel": "query"})
    assert last_in(log) == queries


def test_a_single_quote_mark_at_the_end_of_a_tsv_swallows_nothing(tmp_path: Path):
    lines = ["a\t2026-01-05\tsearch", 'b\t2026-01-05\t"', 'c\t2026-01-05\t27"']
    log = csv_log(tmp_path, *lines, header=HEADER.replace(",", "\t"), name="log.tsv")
    assert [row[2] for row in found_in(log)] == ["search", '"', '27"']


def test_quotes_of_a_tsv_that_enclose_its_fields_are_not_part_of_them(tmp_path: Path):
    lines = ['a\t2026-01-05\t"tab\there"', 'b\t2026-01-05\t"say ""hi"""', "c\t2026-01-05\tplain"]
    log = csv_log(tmp_path, *lines, header=HEADER.replace(",", "\t"), name="log.tsv")
    assert [row[2] for row in found_in(log)] == ["tab\there", 'say "hi"', "plain"]


def test_quote_marks_of_a_csv_that_enclose_nothing_are_characters(tmp_path: Path):
    log = csv_log(tmp_path, 'a,2026-01-05,40" screen', 'b,2026-01-05,"running shoes', "c,2026-01-05,hats")
    assert [row[2] for row in found_in(log)] == ['40" screen', '"running shoes', "hats"]


@pytest.mark.parametrize(
    "lines",
    [
        ['a,2026-01-05,"left open', "b,2026-01-05,x", 'c,2026-01-05,40"', 'd,2026-01-05,"a, b"'],
        ['a,2026-01-05,"a, b"', 'b,2026-01-05,"left open', "c,2026-01-05,x"],
        ['"Smith, J",2026-01-05,x', 'b,2026-01-05,"open', 'c,2026-01-05,shut"', "d,2026-01-05,x"],
    ],
)
def test_an_open_quote_among_quoted_fields_is_refused_with_its_file_and_the_way_out(tmp_path: Path, lines: list[str]):
    with pytest.raises(InputError, match=r"(?s)the quotes of .*log\.csv: one is left open .*\[events\.format\] quote"):
        csv_log(tmp_path, *lines)


def test_quotes_can_be_switched_off(tmp_path: Path):
    lines = ['a,2026-01-05,"left open', "b,2026-01-05,x", 'c,2026-01-05,"shut"']
    log = csv_log(tmp_path, *lines, format=FormatSettings(quote=""))
    assert [row[2] for row in found_in(log)] == ['"left open', "x", '"shut"']


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (r'"{\"plan\":\"pro\",\"n\":1}"', '{"plan":"pro","n":1}'),
        (r'"say \"hi\", twice"', 'say "hi", twice'),
        (r'"a \"\" b"', 'a "" b'),
    ],
)
def test_quotes_after_a_backslash_are_part_of_a_field(tmp_path: Path, field: str, value: str):
    lines = [f"a,2026-01-05,x,{field}", "b,2026-01-05,x,plain"]
    log = csv_log(tmp_path, *lines, header=f"{HEADER},props", columns={"channel": "props"})
    assert last_in(log) == [value, "plain"]


def test_a_backslash_before_the_last_quote_is_a_character_where_quotes_are_doubled(tmp_path: Path):
    lines = ['a,2026-01-05,x,"C:\\"', 'b,2026-01-05,x,"say ""hi"""']
    log = csv_log(tmp_path, *lines, header=f"{HEADER},place", columns={"channel": "place"})
    assert last_in(log) == ["C:\\", 'say "hi"']


def test_the_escape_can_be_named(tmp_path: Path):
    log = csv_log(tmp_path, "a,2026-01-05,'it^'s'", format=FormatSettings(quote="'", escape="^"))
    assert found_in(log)[0][2] == "it's"


@pytest.mark.parametrize(
    "text",
    [
        '{\n  "plan": "pro",\n  "seats": 3,\n  "tags": ["a", "b", "c"]\n}',
        "12 Main Street\nSpringfield, IL\nUSA",
        "first\n\nthird",
        "a,b,c,d,e\nf",
    ],
)
def test_a_quoted_field_may_have_several_lines(tmp_path: Path, text: str):
    quoted = text.replace('"', '""')
    log = csv_log(
        tmp_path,
        f'a,2026-01-05,x,"{quoted}"',
        "b,2026-01-05,x,plain",
        header=f"{HEADER},p",
        columns={"channel": "p"},
    )
    assert last_in(log) == [text, "plain"]


@pytest.mark.parametrize("name", ["n", "row", "_file"])
def test_a_quoted_field_of_several_lines_may_lie_next_to_a_column_of_any_name(tmp_path: Path, name: str):
    log = csv_log(tmp_path, 'a,2026-01-05,"one\ntwo",7', header=f"{HEADER},{name}", columns={"channel": name})
    assert found_in(log) == [("a", "2026-01-05 00:00:00", "one\ntwo", "7")]


@pytest.mark.parametrize("text", ["ring\nx,y,z", "x\r\ny", "a,b\nc,d", "Flat 2, door 3\nSpringfield, IL"])
def test_lines_of_a_field_that_have_the_fields_of_a_row_but_no_time_are_no_rows(tmp_path: Path, text: str):
    log = csv_log(tmp_path, f'a,2026-01-05,"{text}"', "b,2026-01-05,plain")
    assert [row[2] for row in found_in(log)] == [text, "plain"]


def test_rows_that_a_quote_would_swallow_are_rows_over_blank_lines_too(tmp_path: Path):
    log = csv_log(tmp_path, 'a,2026-01-05,"tv', "", "b,2026-01-06,x", 'c,2026-01-07,tv"')
    assert [row[2] for row in found_in(log)] == ['"tv', "x", 'tv"']


# --- Line ends ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ends", [("\r\n", "\n"), ("\n", "\r\n"), ("\r\n", "\r\n"), ("\n", "\n")])
def test_lines_may_end_in_both_ways_in_one_file(tmp_path: Path, ends: tuple[str, str]):
    first, second = ends
    text = f"{HEADER}{first}a,{TEN},x{first}b,{TEN},y{second}c,{TEN},z{second}"
    assert [(row[0], row[2]) for row in found_in(read(put(tmp_path / "log.csv", text)))] == [
        ("a", "x"),
        ("b", "y"),
        ("c", "z"),
    ]


def test_lines_may_end_in_another_way_in_another_file(tmp_path: Path):
    for name, end in (("a", "\r\n"), ("b", "\n"), ("c", "\r")):
        put(tmp_path / f"{name}.csv", f"{HEADER}{end}{name},{TEN},x{end}")
    assert [row[::2] for row in found_in(read(tmp_path))] == [("a", "x"), ("b", "x"), ("c", "x")]


def test_a_field_of_a_windows_file_may_hold_a_unix_line_end(tmp_path: Path):
    text = f'{HEADER}\r\na,{TEN},"one\ntwo"\r\nb,{TEN},y\r\n'
    assert [row[2] for row in found_in(read(put(tmp_path / "log.csv", text)))] == ["one\ntwo", "y"]


@pytest.mark.parametrize("broken", ["c,2026-01-05,x,too,many", "c,2026-01-05"])
def test_a_line_with_too_many_or_too_few_fields_is_set_aside_where_line_ends_are_mixed_too(tmp_path: Path, broken: str):
    text = f"{HEADER}\r\na,2026-01-05,x\r\nb,2026-01-05,y\n{broken}\n"
    log = read(put(tmp_path / "log.csv", text), **LENIENT)
    assert (users_in(log), sum(log.rejected.values())) == (["a", "b"], 1)


def test_lines_above_the_header_may_end_in_another_way(tmp_path: Path):
    text = f"A report\nof a day\n{HEADER}\r\na,{TEN},x\r\nb,{TEN},y\r\n"
    assert users_in(read(put(tmp_path / "log.csv", text), format=FormatSettings(skip=2))) == ["a", "b"]


def test_the_last_line_needs_no_end(tmp_path: Path):
    assert users_in(read(put(tmp_path / "log.csv", f"{HEADER}\na,{TEN},x\nb,{TEN},y"))) == ["a", "b"]


# --- Headers -------------------------------------------------------------------------------------------------------------

TAOBAO = "1,2268318,2520377,pv,1511544070\n1,2333346,2520771,pv,1511561733\n2,230380,411153,buy,1511544071\n"
NAMES = ("user_id", "item", "category", "event_type", "event_time")


def test_the_first_event_is_not_lost_where_columns_are_named(tmp_path: Path):
    log = read(put(tmp_path / "log.csv", TAOBAO), format=FormatSettings(names=NAMES))
    assert found_in(log) == [
        ("1", "2017-11-24 17:21:10", "pv"),
        ("1", "2017-11-24 22:15:33", "pv"),
        ("2", "2017-11-24 17:21:11", "buy"),
    ]


@pytest.mark.parametrize(
    "text", [TAOBAO, f"anna,{TEN},open\nbob,{TEN},buy\n", "anna\t1511544070\topen\nbob\t1511544071\topen\n"]
)
def test_a_file_without_a_header_is_refused_with_the_way_to_name_its_columns(tmp_path: Path, text: str):
    with pytest.raises(InputError, match=r'(?s)no header.*names = \["column_1", "column_2", "column_3"'):
        read(put(tmp_path / "log.csv", text), columns={"user_id": "1", "event_type": "pv"})


@pytest.mark.parametrize("above", ["# export", "# export\n#", "sep=,"])
def test_comments_above_the_header_are_passed_over(tmp_path: Path, above: str):
    path = put(tmp_path / "log.csv", f"{above}\n{HEADER}\na,{TEN},x\n")
    assert users_in(read(path)) == ["a"]


def test_a_line_above_the_header_is_named_and_passed_over_where_the_settings_say_so(tmp_path: Path):
    path = put(tmp_path / "log.csv", f"Report of January 2026\n{HEADER}\na,{TEN},x\nb,{TEN},y\n")
    with pytest.raises(InputError, match=r"(?s)first line of .*log\.csv.*skip = 1"):
        read(path)
    assert users_in(read(path, format=FormatSettings(skip=1))) == ["a", "b"]


def test_several_lines_above_the_header_may_be_passed_over(tmp_path: Path):
    path = put(tmp_path / "log.csv", f'Report\nfor,"us"\n\n{HEADER}\na,{TEN},x\n')
    assert users_in(read(path, format=FormatSettings(skip=3))) == ["a"]


@pytest.mark.parametrize("mark", [",", ";", "|", "\t"])
def test_the_delimiter_is_the_one_that_the_header_has_most_of(tmp_path: Path, mark: str):
    text = f"{HEADER},note\na,{TEN},x,n\n".replace(",", mark)
    assert found_in(read(put(tmp_path / "log.csv", text))) == [("a", TEN, "x")]


def test_another_delimiter_can_be_named(tmp_path: Path):
    text = f"{HEADER}\na,{TEN},x\n".replace(",", "~")
    assert found_in(read(put(tmp_path / "log.csv", text), format=FormatSettings(delimiter="~"))) == [("a", TEN, "x")]


def test_names_of_a_header_may_be_quoted(tmp_path: Path):
    log = csv_log(
        tmp_path, f"a,{TEN},x", header='"User, ID","event_time","event_type"', columns={"user_id": '"User, ID"'}
    )
    assert users_in(log) == ["a"]


def test_columns_may_come_in_another_order_in_another_file(tmp_path: Path):
    put(tmp_path / "a.csv", f"{HEADER}\na,{TEN},x\n")
    put(tmp_path / "b.csv", f"event_type,user_id,event_time\ny,b,{TEN}\n")
    assert found_in(read(tmp_path)) == [("a", TEN, "x"), ("b", TEN, "y")]


# --- Decimals and words for nothing --------------------------------------------------------------------------------


def test_decimals_may_stand_after_a_comma(tmp_path: Path):
    amounts = {"9,99": 9.99, "1.234,50": 1234.5, "-0,0042": -0.0042, "7": 7.0, "1.234.567": 1234567.0}
    log = csv_log(
        tmp_path,
        *[f"{place};{TEN};buy;{text}" for place, text in enumerate(amounts)],
        header=f"{HEADER},price".replace(",", ";"),
        format=FormatSettings(decimal=","),
        columns={"amount": "price"},
    )
    assert last_in(log) == list(amounts.values())


def test_a_decimal_comma_holds_in_expressions_too(tmp_path: Path):
    log = csv_log(
        tmp_path,
        f"a;{TEN};buy;1,5;3",
        header=f"{HEADER},price,pieces".replace(",", ";"),
        format=FormatSettings(decimal=","),
        columns={"amount": "price * pieces"},
    )
    assert last_in(log) == [4.5]


def test_it_holds_for_extra_columns(tmp_path: Path):
    log = csv_log(
        tmp_path,
        *[f"{place};{TEN};buy;{text}" for place, text in enumerate(["1.234", "9,5", "-", "1.234.567,25", ""])],
        header=f"{HEADER},score".replace(",", ";"),
        format=FormatSettings(decimal=",", null=("-",)),
        extra={"score": "score"},
    )
    assert last_in(log) == [1234.0, 9.5, None, 1234567.25, None]


@pytest.mark.parametrize(("value", "are_texts"), [("1.10", True), ("1.100", False), ("1,10", False), ("-", False)])
def test_where_it_does_points_that_group_no_thousands_make_a_text(tmp_path: Path, value: str, *, are_texts: bool):
    header = f"{HEADER},version".replace(",", ";")
    written = FormatSettings(decimal=",", null=("-",))
    log = csv_log(tmp_path, f"a;{TEN};open;{value}", header=header, format=written, extra={"version": "version"})
    assert log.inventory.files[0].texts == (("version",) if are_texts else ())


def test_a_word_that_the_settings_call_absent_is_absent_in_every_column(tmp_path: Path):
    lines = [f"a,{TEN},x,-,-", f"-,{TEN},x,1,web", f"c,{TEN},x,2,-"]
    log = csv_log(
        tmp_path,
        *lines,
        header=f"{HEADER},price,channel",
        format=FormatSettings(null=("-",)),
        columns={"amount": "price", "channel": "channel"},
        **LENIENT,
    )
    assert sorted((row[0], *sorted(map(str, row[3:]))) for row in found_in(log)) == [
        ("a", "None", "None"),
        ("c", "2.0", "None"),
    ]
    assert log.rejected == {"user_id is null": 1}


@pytest.mark.parametrize("name", ["log.csv.gz", "log.tsv.gz"])
def test_packed_files_are_read_alike(tmp_path: Path, name: str):
    text = f'{HEADER}\n007,{TEN},"a ""b"""\n'.replace(",", "\t" if "tsv" in name else ",")
    assert found_in(read(put(tmp_path / name, gzip.compress(text.encode())))) == [("007", TEN, 'a "b"')]


def test_a_file_is_read_as_any_other_where_a_quote_comes_only_in_a_later_one(tmp_path: Path):
    log = csv_logs(tmp_path, [[f"a,{TEN},1.10"], [f'b,{TEN},"1.10"'], [f'"c, d",{TEN},1.10']])
    assert [(row[0], row[2]) for row in found_in(log)] == [("a", "1.10"), ("b", "1.10"), ("c, d", "1.10")]
    assert times_in(log) == [TEN] * 3
