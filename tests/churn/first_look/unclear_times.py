"""Logs whose days, clocks or letters are not what a first look at them says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tests.churn.first_look.awkward import Awkward, kind
from tests.churn.first_look.unclear_logs import log, stamp, when, who

_WHEN = frozenset({"event_time"})


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
