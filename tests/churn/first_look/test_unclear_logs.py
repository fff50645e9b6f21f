"""Logs whose users, days or clocks are not what a first look at them says: asked about, read right, or refused in words."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from churn.first_look.evidence.table import open_table
from churn.first_look.init import Inquiry, Place, first_look
from churn.first_look.look import look
from churn.first_look.questions import Answers
from churn.progress import progress_of
from churn.results.first_look import FirstLook
from tests.churn.first_look.awkward_logs import Awkward, kind, text
from tests.churn.first_look.test_awkward_logs import check, each

ROWS, USERS = 400, 24
_WHO, _WHEN = frozenset({"user_id"}), frozenset({"event_time"})


def who(row: int) -> int:
    """Which of 24 users, in no order."""
    return (row * 5 // 3 + row // 11) % USERS


def when(row: int) -> datetime:
    """When: at most times of day of 150 days."""
    return datetime(2025, 1, 6, 8, 3, 11, tzinfo=UTC) + timedelta(hours=9 * row % 3600, minutes=row * 37 % 540)


def stamp(row: int) -> str:
    return f"{when(row):%Y-%m-%d %H:%M:%S}"


def log(
    name: str, header: str, line: Callable[[int], str], *, rows: int = ROWS, encoding: str = "utf-8", **expected: object
) -> Awkward:
    """Return a CSV file and what is expected of it."""
    return Awkward(name, text("log.csv", header, line, rows=rows, encoding=encoding), **expected)  # pyright: ignore[reportArgumentType]


def _again(row: int) -> int:
    """The row itself, or one of the first again: a seventh came twice."""
    return row if row < ROWS * 6 // 7 else (row - ROWS * 6 // 7) * 5


def _received(row: int) -> str:
    return f"{when(_again(row)) + timedelta(seconds=row):%Y-%m-%d %H:%M:%S}"


PEOPLE = (
    # --- Devices and visitors of accounts --------------------------------------------------------------------------------
    *(
        log(
            f"{several} of {account}",
            f"{several},{account},ts,event",
            lambda row: f"d{who(row) * 2 + row % 2},a{who(row)},{stamp(row)},{kind(row)}",
            asks=_WHO,
        )
        for several, account in (
            ("device_id", "account_id"),
            ("anonymous_id", "account_id"),
            ("visitor_id", "account_id"),
            ("Gerät-ID", "Konto"),
            ("设备ID", "账号"),
        )
    ),
    log(
        "one tablet of several accounts, of which some are absent",
        "device_id,account_id,ts,event",
        lambda row: f"d{who(row) // 3},{f'a{who(row)}' if row % 3 else ''},{stamp(row)},{kind(row)}",
        asks=_WHO,
    ),
    log(
        "an account for each device",
        "device_id,account_id,ts,event",
        lambda row: f"d{who(row)},a{who(row)},{stamp(row)},{kind(row)}",
        columns={"user_id": "device_id"},
    ),
    # --- Ids that start again --------------------------------------------------------------------------------------------
    log(
        "ids of each tenant",
        "tenant_id,user_id,ts,event",
        lambda row: f"t{row % 4},{1 + who(row)},{stamp(row)},{kind(row)}",
        asks=_WHO,
    ),
    log(
        "ids of each tenant, of which some are small",
        "tenant_id,user_id,ts,event",
        lambda row: f"t{row % 4},u{1 + who(row) % (24, 12, 8, 4)[row % 4]},{stamp(row)},{kind(row)}",
        asks=_WHO,
    ),
    log(
        "numbers of each shop",
        "Filiale;Kundennummer;Datum;Betrag",
        lambda row: f"F{row % 4};{1 + who(row):04};{when(row):%d.%m.%Y %H:%M};{row % 90},50",
        asks=_WHO,
    ),
    log(
        "numbers of each shop, in Japanese",
        "店舗,会員番号,購入日時,金額",
        lambda row: f"店{row % 4},{1 + who(row)},{stamp(row)},{row % 90}00",
        asks=_WHO,
    ),
    log(
        "members of households",
        "household_id,member_no,ts,event",
        lambda row: f"h{who(row)},{1 + row % 6},{stamp(row)},{kind(row)}",
        asks=_WHO,
    ),
    log(
        "customers who come to several shops",
        "store,customer_id,date,amount",
        lambda row: f"s{row % 4},{4711 + 13 * who(row)},{stamp(row)},{row % 90}.50",
        columns={"user_id": "customer_id"},
    ),
    log(
        "users who are each of one team",
        "team_id,user_id,ts,event",
        lambda row: f"t{who(row) % 4},{1 + who(row)},{stamp(row)},{kind(row)}",
        columns={"user_id": "user_id"},
    ),
    log(
        "accounts of customers",
        "account_id,customer_id,date,amount",
        lambda row: f"{1 + who(row) * 2 + row % 2},{1 + who(row)},{stamp(row)},{row % 90}.50",
        columns={"user_id": "customer_id"},
    ),
    # --- Nobody ------------------------------------------------------------------------------------------------------------
    *(
        log(
            f"a quarter of {nobody}",
            "user_id,event_time,event",
            lambda row, nobody=nobody: f"{f'u{who(row)}' if row % 4 else nobody},{stamp(row)},{kind(row)}",
            columns={"user_id": "user_id"},
            notes=f"user_id is {nobody} in many rows",
        )
        for nobody in ("ゲスト", "游客", "гость", "Invitado", "misafir", "Invité", "convidado", "게스트")
    ),
    log(
        "a user with a fifth of the rows",
        "user_id,event_time,event",
        lambda row: f"u{who(row) if row % 5 else 'X'},{stamp(row)},{kind(row)}",
        notes="one value of user_id has 20 % of the rows",
    ),
    # --- Spreadsheets ------------------------------------------------------------------------------------------------------
    log(
        "ids as a spreadsheet shows them",
        "customer_id,ts,event",
        lambda row: f"{4_915_112_000_000 + who(row) * 61_234_567_890:.2E},{stamp(row)},{kind(row)}",
        refuses="customer_id was rounded by a spreadsheet",
    ),
    log(
        "ids as a spreadsheet shows them, with decimal commas",
        "Kundennummer;Zeitpunkt;Ereignis",
        lambda row: (
            f"{f'{4_915_112_000_000 + who(row) * 61_234_567_890:.2E}'.replace('.', ',')};{stamp(row)};{kind(row)}"
        ),
        refuses="Kundennummer was rounded by a spreadsheet",
    ),
    log(
        "times as a spreadsheet shows them",
        "user_id,timestamp,event",
        lambda row: f"u{who(row)},{when(row).timestamp() * 1000:.5E},{kind(row)}",
        refuses="timestamp was rounded by a spreadsheet",
    ),
)
EVENTS = (
    *(
        log(
            f"rows that came again with the same {name}",
            f"{name},user_id,ts,event,{how}",
            lambda row: (
                f"{_again(row):08x}-x,u{who(_again(row))},{stamp(_again(row))},{kind(_again(row))},{2025 + row}"
            ),
            settings={"event_id": name},
        )
        for name, how in (
            ("id", "batch"),
            ("uuid", "file_name"),
            ("transaction_id", "batch"),
            ("message_id", "offset"),
            ("order_id", "attempt"),
            ("이벤트번호", "batch"),
            ("olay_id", "batch"),
            ("id_zdarzenia", "partia"),
        )
    ),
    log(
        "rows that came again, and when they did",
        "id,user_id,ts,event,received_at",
        lambda row: f"{_again(row)}-x,u{who(_again(row))},{stamp(_again(row))},{kind(_again(row))},{_received(row)}",
        columns={"ingested_at": "received_at"},
        settings={"event_id": "id"},
    ),
    log(
        "rows of the same id, user and time that say something else",
        "id,user_id,ts,event,page",
        lambda row: f"{_again(row)}-x,u{who(_again(row))},{stamp(_again(row))},{kind(_again(row))},p{row}",
        asks=frozenset({"event_id"}),
    ),
    log(
        "the lines of orders",
        "transaction_id,customer_id,ts,product",
        lambda row: f"T{row * 2 // 3:05},c{who(row * 2 // 3)},{stamp(row * 2 // 3)},p{row % 7}",
        without=("event_id",),
    ),
    log(
        "ids that start again in each batch",
        "id,user_id,ts,event",
        lambda row: f"{row % 250}-x,u{who(row)},{stamp(row)},{kind(row)}",
        without=("event_id",),
    ),
)


def _clocks(header: str, date_: str, clock: Callable[[datetime], str], event_time: str) -> Awkward:
    mark = ";" if ";" in header else ","
    line = lambda row: mark.join((f"u{who(row)}", f"{when(row):{date_}}", clock(when(row)), kind(row)))  # noqa: E731
    return log(f"a time of day: {header}", header, line, columns={"event_time": event_time})


CLOCKS = (
    _clocks("고객번호,날짜,시간,이벤트", "%Y-%m-%d", lambda t: f"{t:%H:%M:%S}", "날짜 || ' ' || 시간"),
    _clocks(
        "usuário,Data,Horário,Ação",
        "%d/%m/%Y",
        lambda t: f"{t:%H:%M}",
        "strptime(Data || ' ' || Horário, '%d/%m/%Y %H:%M')",
    ),
    _clocks(
        "العميل,التاريخ,الوقت,نوع",
        "%d/%m/%Y",
        lambda t: f"{t:%H:%M}",
        "strptime(التاريخ || ' ' || الوقت, '%d/%m/%Y %H:%M')",
    ),
    _clocks(
        "Kunde;Datum;Uhrzeit;Ereignis",
        "%d.%m.%Y",
        lambda t: f"{t:%H:%M} Uhr",
        "strptime(Datum || ' ' || Uhrzeit, '%d.%m.%Y %H:%M Uhr')",
    ),
    _clocks(
        "asiakas;päivä;klo;tyyppi",
        "%d.%m.%Y",
        lambda t: f"{t:%H.%M}",
        "strptime(päivä || ' ' || klo, '%d.%m.%Y %H.%M')",
    ),
    _clocks(
        "client,date,heure,evenement",
        "%d/%m/%Y",
        lambda t: f"{t.hour}h{t:%M}",
        "strptime(\"date\" || ' ' || heure, '%d/%m/%Y %Hh%M')",
    ),
    _clocks(
        "user_id,date,time,event",
        "%Y-%m-%d",
        lambda t: f"{t:%I:%M %p}",
        "strptime(\"date\" || ' ' || \"time\", '%Y-%m-%d %I:%M %p')",
    ),
    log(
        "the half of a day in a column of its own",
        "user_id,date,time,ampm,event",
        lambda row: f"u{who(row)},{when(row):%m/%d/%Y},{when(row):%I:%M},{when(row):%p},{kind(row)}",
        columns={
            "event_time": "strptime(\"date\" || ' ' || \"time\" || ' ' || ampm, '%m/%d/%Y %I:%M %p')",
        },
    ),
    log(
        "the half of a day in a column of its own, in Chinese",
        "用户,日期,时间,时段,事件",
        lambda row: (
            f"u{who(row)},{when(row):%Y/%m/%d},{when(row):%I:%M:%S},{'上午' if when(row).hour < 12 else '下午'},{kind(row)}"
        ),
        columns={
            "event_time": (
                "strptime(日期 || ' ' || 时间 || ' ' || case when 时段 in ('上午') then 'AM' else 'PM' end,"
                " '%Y/%m/%d %I:%M:%S %p')"
            )
        },
    ),
    log(
        "the half of a day beside a date with a time",
        "user_id,time,ampm,event",
        lambda row: f"u{who(row)},{when(row):%Y-%m-%d %I:%M:%S},{when(row):%p},{kind(row)}",
        columns={
            "event_time": (
                "strptime(strftime(cast(\"time\" as timestamp), '%Y-%m-%d %I:%M:%S.%f') || ' ' || ampm,"
                " '%Y-%m-%d %I:%M:%S.%f %p')"
            )
        },
    ),
    log(
        "the half of a day beside a date with a time, in Korean",
        "user_id,time,half,event",
        lambda row: f"u{who(row)},{when(row):%d.%m.%Y %I:%M},{'오전' if when(row).hour < 12 else '오후'},{kind(row)}",
        columns={
            "event_time": (
                "strptime(strftime(strptime(\"time\", '%d.%m.%Y %H:%M'), '%Y-%m-%d %I:%M:%S.%f') || ' ' ||"
                " case when half in ('오전') then 'AM' else 'PM' end, '%Y-%m-%d %I:%M:%S.%f %p')"
            )
        },
    ),
    log(
        "hours up to twelve, and nothing that says which half of a day",
        "user_id,date,time,event",
        lambda row: f"u{who(row)},{when(row):%Y-%m-%d},{when(row):%I:%M},{kind(row)}",
        columns={"event_time": "date"},
        notes="time holds times of day and is not read",
    ),
    log(
        "times of day under a name that nobody knows",
        "user_id,date,xyz,event",
        lambda row: f"u{who(row)},{when(row):%Y-%m-%d},{when(row):%H:%M},{kind(row)}",
        columns={"event_time": "date"},
        notes="xyz holds times of day and is not read",
    ),
)


def _monday(row: int) -> datetime:
    """One of the first ten Mondays of a year."""
    return datetime(2025, 1, 6, tzinfo=UTC) + timedelta(days=7 * (row * 3 % 10))


def _periods(name: str, format_: str, *, expression: str = "", asks: frozenset[str] = frozenset()) -> Awkward:
    return log(
        f"{format_} in {name}",
        f"user_id,{name},event",
        lambda row: f"u{who(row)},{_monday(row):{format_}},{kind(row)}",
        columns={"event_time": expression} if expression else {},
        asks=asks,
        notes="weeks only" if "%G" in expression else "",
    )


PERIODS = (
    _periods("week", "%G%V", expression="strptime(week || '-1', '%G%V-%u')"),
    _periods("week", "%G/%V", expression="strptime(week || '-1', '%G/%V-%u')"),
    _periods("Woche", "%V/%G", expression="strptime(Woche || '-1', '%V/%G-%u')"),
    _periods("semaine", "%G-%V", expression="strptime(semaine || '-1', '%G-%V-%u')"),
    _periods("semana", "%G.%V", expression="strptime(semana || '-1', '%G.%V-%u')"),
    _periods("hafta", "%G%V", expression="strptime(hafta || '-1', '%G%V-%u')"),
    _periods("неделя", "%V.%G", expression="strptime(неделя || '-1', '%V.%G-%u')"),
    _periods("周", "%G年第%V周", expression="strptime(周 || '-1', '%G年第%V周-%u')"),
    _periods("주차", "%G%V", expression="strptime(주차 || '-1', '%G%V-%u')"),
    _periods("date", "KW %V/%G", expression="strptime(\"date\" || '-1', 'KW %V/%G-%u')"),
    _periods("month", "%Y%m", expression="strptime(month || '-01', '%Y%m-%d')"),
    _periods("date", "%m/%Y", expression="strptime(\"date\" || '-01', '%m/%Y-%d')"),
    _periods("period", "%Y%m", asks=frozenset({"date_order"})),
    log(
        "months of two years",
        "user_id,period,event",
        lambda row: f"u{who(row)},{2023 + (row % 14 + 5) // 12}{(row % 14 + 5) % 12 + 1:02},{kind(row)}",
        columns={"event_time": "strptime(period || '-01', '%Y%m-%d')"},
    ),
)
ERAS = tuple(
    log(
        f"years as in {shown.format(y=when(0).year + added, m=1, d=6)}",
        "会員番号,日付,金額",
        lambda row, shown=shown, added=added: (
            f"{who(row):04},{shown.format(y=when(row).year + added, m=when(row).month, d=when(row).day)},{row % 7}"
        ),
        asks=_WHEN,
    )
    for shown, added in (
        ("{y}/{m:02}/{d:02}", -1911),
        ("民國{y}年{m}月{d}日", -1911),
        ("{y}{m:02}{d:02}", -1911),
        ("{d:02}/{m:02}/{y}", 543),
        ("{y}-{m:02}-{d:02} 08:30", 543),
        ("{y}{m:02}{d:02}", 543),
        ("令和{y}年{m}月{d}日", -2018),
        ("R{y}.{m:02}.{d:02}", -2018),
        ("{y:02}/{m:02}/{d:02}", -2018),
    )
)
OLD = (
    log(
        "years of two digits that ended long ago, with the day first",
        "user_id,date,event",
        lambda row: f"u{who(row)},{when(row):%d/%m/}11,{kind(row)}",
        columns={"event_time": "strptime(\"date\", '%d/%m/%y')"},
    ),
    log(
        "a year that no calendar explains",
        "user_id,date,event",
        lambda row: f"u{who(row)},{when(row).year - 621}/{when(row):%m/%d},{kind(row)}",
        refuses="no column can be read as times",
    ),
)
PAGES = tuple(
    log(
        f"{encoding} with {words[0]}",
        "user_id;event_time;event_type",
        lambda row, words=words: f"u{who(row)};{stamp(row)};{words[row % len(words)]}",
        encoding=encoding,
        refuses=refuses,
    )
    for encoding, words, refuses in (
        ("cp1252", ("5 €", "Hemd „x“", "Ärmel"), "a code page such as Windows-1252"),
        ("cp1252", ("Köln … Bonn", "Öl"), "a code page such as Windows-1252"),
        ("cp1250", ("Wysłane", "Wejście", "Zakup"), "a code page such as Windows-1250"),
        ("iso8859-2", ("Wysłane", "Książka"), "a code page such as Windows-1250"),
        ("cp932", ("カート", "ページ", "タブ", "テスト"), "a code page such as Shift-JIS"),
        ("big5", ("功能", "一般", "世界", "么"), "a code page such as Big5"),
        ("cp1251", ("вход", "заказ"), "a code page such as GBK, Shift-JIS or Windows-1251"),
        ("latin-1", ("Öl", "Är", "Üb", "Größe", "n.º 1", "25°C", "m³"), ""),
    )
)
UNCLEAR = (*PEOPLE, *EVENTS, *CLOCKS, *PERIODS, *ERAS, *OLD, *PAGES)


@pytest.mark.parametrize("case", each([one for one in UNCLEAR if one not in ERAS]))
def test_an_unclear_log_is_understood_asked_about_or_refused(case: Awkward, tmp_path: Path):
    check(case, tmp_path)


# --- What is read with the answers that are offered ---------------------------------------------------------------------------


def read(case: Awkward, folder: Path, **answers: str) -> FirstLook:
    """Look at a log, read it with what was proposed, and count."""
    path = case.write(folder)
    place = Place(folder / "x.toml", None)
    return first_look(str(path), place, Inquiry(dict(answers)), say=progress_of(None))


def offered(case: Awkward, folder: Path) -> list[str]:
    """Return the values of the answers to the only question."""
    path = case.write(folder)
    (question,) = look(open_table(str(path), Path()), path=str(path), answers=Answers()).questions
    assert not case.asks or {question.key} == case.asks
    return [one.value for one in question.options]


def named(name: str, cases: tuple[Awkward, ...] = UNCLEAR) -> Awkward:
    return next(one for one in cases if one.name == name)


DAYS = {when(row).date() for row in range(ROWS)}


@pytest.mark.parametrize(
    "case",  # three forms of each of three eras: the first in every run
    [
        pytest.param(case, id=case.name, marks=[pytest.mark.slow] if place % 3 else [])
        for place, case in enumerate(ERAS)
    ],
)
def test_the_expression_that_is_offered_for_an_era_reads_its_days(case: Awkward, tmp_path: Path):
    *_, expression = offered(case, tmp_path)
    counts = read(case, tmp_path, event_time=expression).counts
    assert (counts["first_day"], counts["rejected"]) == (str(min(DAYS)), {})
    assert counts["covered_until"] == str(max(DAYS) + timedelta(days=1))


def test_ids_that_start_again_are_as_many_users_as_there_are_in_all_groups(tmp_path: Path):
    case = named("ids of each tenant")
    joined, plain = offered(case, tmp_path)
    found = read(case, tmp_path, user_id=joined)
    assert found.counts["users"] == len({(row % 4, who(row)) for row in range(ROWS)})
    assert not [note for note in found.notes if "not read" in note]
    assert read(case, tmp_path, user_id=plain).counts["users"] == len({who(row) for row in range(ROWS)})


def test_events_that_came_again_count_once(tmp_path: Path):
    found = read(named("rows that came again, and when they did"), tmp_path)
    assert found.counts["events"] == ROWS * 6 // 7
    assert not [note for note in found.notes if "not read" in note]


def test_weeks_start_on_their_monday(tmp_path: Path):
    counts = read(named("%V/%G in Woche"), tmp_path).counts
    assert (counts["first_day"], counts["covered_until"]) == ("2025-01-06", "2025-03-11")


def test_a_clock_of_twelve_hours_is_read_with_its_half(tmp_path: Path):
    case = named("the half of a day in a column of its own")
    table = open_table(str(case.write(tmp_path)), Path())
    look(table, path="log.csv", answers=Answers())
    (read_,) = [name for name, *_ in table.connection.execute("describe first_look").fetchall() if "_time_" in name][
        -1:
    ]
    rows = table.connection.execute(f"select strftime({read_}, '%H:%M') from first_look").fetchall()
    assert [clock for (clock,) in rows] == [f"{when(row):%H:%M}" for row in range(ROWS)]


# --- The zone of days -------------------------------------------------------------------------------------------------------


def local(row: int, zone: str) -> datetime:
    """Midnight of the day of a row in a zone."""
    return datetime.combine(when(row).date(), datetime.min.time(), ZoneInfo(zone))


def _midnights(name: str, zone: str, write: Callable[[datetime], str]) -> tuple[Awkward, str]:
    line = lambda row: f"u{who(row)},{write(local(row, zone).astimezone(UTC))},{kind(row)}"  # noqa: E731
    return log(f"midnights of {zone} as {name}", "user_id,date,event", line), zone


MIDNIGHTS = (
    _midnights("instants", "Europe/Berlin", lambda t: f"{t:%Y-%m-%dT%H:%M:%S}.000Z"),
    _midnights("instants", "Africa/Lagos", lambda t: f"{t:%Y-%m-%dT%H:%M:%S}Z"),
    _midnights("times without a zone", "Australia/Sydney", lambda t: f"{t:%Y-%m-%d %H:%M:%S}"),
    _midnights("milliseconds", "Asia/Tokyo", lambda t: f"{t.timestamp() * 1000:.0f}"),
    _midnights(
        "texts with two offsets", "Europe/Berlin", lambda t: t.astimezone(ZoneInfo("Europe/Berlin")).isoformat()
    ),
    _midnights("texts with an offset", "Asia/Tokyo", lambda t: t.astimezone(ZoneInfo("Asia/Tokyo")).isoformat()),
)


@pytest.mark.parametrize(
    ("case", "zone"),  # as instants, without a zone, and with two offsets: each in every run
    [
        pytest.param(case, zone, id=case.name, marks=[pytest.mark.slow] if place % 2 else [])
        for place, (case, zone) in enumerate(MIDNIGHTS)
    ],
)
def test_local_midnights_count_on_their_own_day(case: Awkward, zone: str, tmp_path: Path):
    found = read(case, tmp_path)
    assert tomllib.loads(found.toml)["churn"]["timezone"] == zone
    assert found.counts["first_day"] == str(min(DAYS))
    assert any("[churn] timezone" in note for note in found.notes)


@pytest.mark.parametrize(
    ("name", "write", "timezone", "days"),
    [
        ("timestamp (America/New_York)", "{:%Y-%m-%d %H:%M:%S}", "America/New_York", "America/New_York"),
        ("event_time_pst", "{:%Y-%m-%d %H:%M:%S}", "America/Los_Angeles", "America/Los_Angeles"),
        ("Zeitpunkt (MEZ)", "{:%d.%m.%Y %H:%M}", "Europe/Berlin", "Europe/Berlin"),
        ("event_time_utc", "{:%Y-%m-%d %H:%M:%S}", "UTC", None),
        ("event_time", "{:%Y-%m-%d %H:%M:%S}", "UTC", None),
        ("event_time", "{:%Y-%m-%d %H:%M:%S} UTC+8", None, None),
        ("event_time", "{:%Y-%m-%dT%H:%M:%S}-03:00", None, "America/Sao_Paulo"),
        ("event_time", "{:%Y-%m-%dT%H:%M:%S}+00:00", None, None),
        ("event_time", "{:%Y-%m-%d} 06:00:00Z", None, None),
    ],
)
def test_a_zone_that_the_log_names_is_the_one_of_its_days(
    name: str, write: str, timezone: str | None, days: str | None, tmp_path: Path
):
    case = log("x", f"user_id,{name},event", lambda row: f"u{who(row)},{write.format(when(row))},{kind(row)}")
    path = case.write(tmp_path)
    draft = look(open_table(str(path), Path()), path=str(path), answers=Answers()).draft
    assert (draft.events["timezone"].value if "timezone" in draft.events else None) == timezone
    assert (draft.churn["timezone"].value if draft.churn else None) == days


def test_a_zone_of_several_places_is_asked_for(tmp_path: Path):
    case = log("x", "user_id,event_time_cst,event", lambda row: f"u{who(row)},{stamp(row)},{kind(row)}")
    assert offered(case, tmp_path) == ["America/Chicago", "Asia/Shanghai"]
    settings = tomllib.loads(read(case, tmp_path, timezone="Asia/Shanghai").toml)
    assert settings["events"]["timezone"] == settings["churn"]["timezone"] == "Asia/Shanghai"


@pytest.mark.parametrize(
    ("name", "zones"),
    [
        ("timezone", ("Asia/Tokyo", "America/New_York")),
        ("utc_offset", ("+09:00", "-05:00")),
        pytest.param("tz", ("UTC+0900", "UTC-0500"), marks=pytest.mark.slow),
        pytest.param("tz_offset", ("540", "-300"), marks=pytest.mark.slow),
    ],
)
def test_a_column_of_zones_is_asked_about_and_read(name: str, zones: tuple[str, str], tmp_path: Path):
    case = log(
        "x",
        f"user_id,local_time,{name},event",
        lambda row: f"u{who(row)},2025-01-{6 + row % 20:02} 20:00,{zones[row % 2]},{kind(row)}",
    )
    expression, plain = offered(case, tmp_path)
    assert plain == "local_time"
    path = case.write(tmp_path)
    table = open_table(str(path), Path())
    seen = table.connection.execute(
        f"select distinct strftime({expression}, '%H') from first_look order by 1"
    ).fetchall()
    assert seen == [("01",), ("11",)]
    assert read(case, tmp_path, event_time=expression).counts["rejected"] == {}


def test_a_column_of_one_zone_is_that_of_the_log(tmp_path: Path):
    case = log("x", "user_id,time,tz,event", lambda row: f"u{who(row)},{stamp(row)},Asia/Seoul,{kind(row)}")
    settings = tomllib.loads(read(case, tmp_path).toml)
    assert settings["events"]["timezone"] == settings["churn"]["timezone"] == "Asia/Seoul"
