"""Which column says when it happened, and which when the row became known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from churn.first_look.evidence.columns import Column, percent
from churn.first_look.evidence.eras import era_options, in_reiwa, share_ahead
from churn.first_look.evidence.expressions import reading_of
from churn.first_look.evidence.names import (
    is_arrival,
    is_event_time,
    is_other_time,
    is_spelled,
    may_be_of_goods,
)
from churn.first_look.evidence.split_dates import weekdays_of
from churn.first_look.evidence.table import TABLE, LogTable
from churn.first_look.evidence.times import (
    TimeReading,
    column_name,
    has_digits_of_times,
    has_months,
    sql_name,
)
from churn.first_look.questions import DATE_ORDER, Answers, Option
from churn.first_look.roles.clocks import is_clock, is_time_of_day, may_be_of_half_days, with_clock
from churn.first_look.roles.files import check_order
from churn.first_look.roles.people import rounded_by_a_spreadsheet, shape_of
from churn.first_look.roles.zones import zone_options
from churn.results.first_look import Finding
from features.errors import InputError
from features.log.corrections import correction_of

Readings = Mapping[str, tuple[TimeReading, ...]]
_MIN_USERS, _CONSTANT = 10, 0.02
_FEW_USERS = 2
_SOME, _MIN_ROWS = 0.05, 20
_OF_AN_EVENT = (
    r"(event|occurred|happened|ereignis|evenement|evento|события|発生|イベント|事件|发生|行为|이벤트|발생|zdarzen|olay).*"
    "|.*(_evenement|_evento|_события|ereigniszeit)"
)
_OF_A_RECORD = r"(creat|erstellt|cree_le|creado|criado|создан|作成|创建|생성).*|.*(_creation|_creacion|_criacao)"
_FORMAT = "such as strptime(COLUMN, '%d.%m.%Y %H:%M')"
_LATER, _FULL = 0.99, 0.95
_LONG_AGO = 5 * 365
_SOON = 3600  # seconds that a row takes to arrive, and a parcel does not


def find_time(
    columns: Sequence[Column], readings: Readings, table: LogTable, *, user: Finding | None, answers: Answers
) -> tuple[Finding | None, TimeReading | None]:
    """Return when it happened and how that is read; None: it has to be asked.

    Raises
    ------
    InputError
        When no column holds times.
    """
    given = answers.get("event_time")
    if given:
        named = next((one for one in columns if given in (one.name, column_name(one.name, table))), None)
        if named is None:
            return _of_expression(given, columns, table, answers=answers)
        if not readings.get(named.name):
            raise InputError(
                f"--answer event_time={given}: its values cannot be read as times",
                hint="give an SQL expression that reads them",
            )
        return _read(named.name, readings, columns, table, answers=answers)
    dated = [one for one in columns if readings.get(one.name)]
    if not dated and not _unread_asked(columns, table, answers=answers):
        raise _no_times(columns, table)
    if not dated:
        return None, None
    possible = _of_events(dated, table, user=user)
    chosen = _chosen(columns, possible, readings, table=table)
    if chosen is None:
        _ask(columns, readings, table, possible=possible, answers=answers)
        return None, None
    return _read(chosen.name, readings, columns, table, answers=answers)


def _of_expression(
    given: str, columns: Sequence[Column], table: LogTable, *, answers: Answers
) -> tuple[Finding, TimeReading]:
    """Return how an expression that was answered reads the log, which is judged as any other reading.

    Raises
    ------
    InputError
        When it gives no times.
    """
    reading = reading_of(given, columns, table, what=f"--answer event_time={given}")
    if reading is None:
        raise InputError(
            f"--answer event_time={given}: it gives a time of the past in too few rows",
            hint=f"give an SQL expression over the log's own columns that is a time, {_FORMAT}",
        )
    check_order(reading, table, answers=answers)
    return Finding(given, reading.evidence, (reading.column.name, *reading.others)), reading


def _unread_asked(columns: Sequence[Column], table: LogTable, *, answers: Answers) -> bool:
    """Ask about times that cannot be read without knowing what their zones or their years mean; tell whether there are any."""
    asked = {
        "end in abbreviations of zones": [
            (one, zone_options(one, table)) for one in columns if is_event_time(one.normal)
        ],
        "count their years from elsewhere": [(one, era_options(one, table)) for one in columns if _may_be_dates(one)],
    }
    for what, found in asked.items():
        for one, options in found:
            if options:
                answers.ask("event_time", f"When did it happen? The times of {one.name} {what}.", options)
                return True
    return False


def _may_be_dates(column: Column) -> bool:
    """Tell whether a column that is not read may hold dates: its name says so, or marks stand between its numbers."""
    return is_event_time(column.normal) or (column.is_text and not column.is_number)


def _of_events(dated: Sequence[Column], table: LogTable, *, user: Finding | None) -> list[Column]:
    """Return the columns that are not an attribute of the user, such as the day of signing up."""
    if user is None or not user.columns:
        return list(dated)
    return [one for one in dated if one.distinct == 1 or not _is_of_user(one, table, user=user.columns[0])]


def _is_of_user(column: Column, table: LogTable, *, user: str) -> bool:
    """Tell whether users who come back have one value of it each; where they are few, all of them."""
    who, value = table.column(user), table.column(column.name)
    ((users, varied, few, any_varied),) = table.connection.execute(
        f"""select count(*) filter (rows_ > 2), count(*) filter (rows_ > 2 and values_ > 1), count(*), count(*) filter (values_ > 1)
            from (select count(*) as rows_, count(distinct {value}) as values_ from {TABLE} where {who} is not null group by {who})
            where rows_ > 1"""
    ).fetchall()
    return varied < _CONSTANT * users if users >= _MIN_USERS else few >= _FEW_USERS and not any_varied


def _chosen(
    columns: Sequence[Column], possible: Sequence[Column], readings: Readings, *, table: LogTable
) -> Column | None:
    """Return the only column that is named as the time of events, or the only one that holds times at all."""
    named = [one for one in possible if _is_named_as_time(one)]
    if named:
        chosen = _finest(_of_one_meaning(named, readings, table), readings, table)
        if chosen and (
            _others_of_events(chosen, possible, readings, table=table) or _not_read(chosen, columns, readings)
        ):
            return None
        return chosen
    dated = [one for one in columns if readings.get(one.name)]
    unread = [one for one in columns if is_event_time(one.normal) and one not in dated and not is_clock(one)]
    is_the_only_one = (
        len(dated) == len(possible) == 1
        and not unread
        and not is_other_time(dated[0].normal)
        and not is_arrival(dated[0].normal)
    )
    return dated[0] if is_the_only_one else None


def _not_read(chosen: Column, columns: Sequence[Column], readings: Readings) -> list[Column]:
    """Return the columns whose names say the time of an event as well as that of the chosen one, and whose values are not read.

    Where the chosen one has one value only, any other column of months in words may be the time.
    """
    taken = {name for one in readings.values() for reading in one for name in (reading.column.name, *reading.others)}
    left = [one for one in columns if one.name not in taken and one.filled_share >= _SOME and one.distinct > 1]
    if chosen.distinct == 1 and chosen.rows >= _MIN_ROWS and (dates := [one for one in left if has_months(one)]):
        return dates
    if is_spelled(_OF_AN_EVENT, chosen.normal):
        left = [one for one in left if is_spelled(_OF_AN_EVENT, one.normal)]
    return [one for one in left if _is_named_as_time(one) and not is_time_of_day(one) and has_digits_of_times(one)]


def _is_named_as_time(column: Column) -> bool:
    return is_event_time(column.normal) and not is_other_time(column.normal) and not is_arrival(column.normal)


def _others_of_events(
    chosen: Column, possible: Sequence[Column], readings: Readings, *, table: LogTable
) -> list[Column]:
    """Return the columns of other times whose names do not say of what: a booking may be the event, or what was booked."""
    unclear = [
        one
        for one in possible
        if not (is_event_time(one.normal) or is_other_time(one.normal) or is_arrival(one.normal) or one.is_whole)
        and one.filled_share >= _FULL
    ]
    return [one for one in unclear if not says_the_same(readings[one.name][0], readings[chosen.name][0], table)]


def _of_one_meaning(named: Sequence[Column], readings: Readings, table: LogTable) -> Sequence[Column]:
    """Return the columns without those that say when a row was made, where one column is named as of an event before it."""
    first = [one for one in named if is_spelled(_OF_AN_EVENT, one.normal)]
    if len(first) != 1:
        return named
    event = readings[first[0].name][0]
    return [one for one in named if not _is_made_later(one, event, readings, table=table)]


def _is_made_later(column: Column, event: TimeReading, readings: Readings, *, table: LogTable) -> bool:
    """Tell whether a column says when a row was made, which is not before the day of its event."""
    if not is_spelled(_OF_A_RECORD, column.normal):
        return False
    difference = f"epoch({readings[column.name][0].sql}) - epoch({event.sql})"
    both, later = table.numbers(f"count({difference})", f"count(*) filter ({difference} >= {_DAY_OF[0]})")
    return later >= _LATER * both


def _finest(group: Sequence[Column], readings: Readings, table: LogTable) -> Column | None:
    """Return the column that says the time most finely, where the others say the same; None: they are different times."""
    if any(len(readings[one.name]) > 1 for one in group) and len(group) > 1:
        return None
    ordered = sorted(
        group, key=lambda one: (_STEPS.index(readings[one.name][0].step), not readings[one.name][0].is_zoned)
    )
    finest = readings[ordered[0].name][0]
    same = all(says_the_same(readings[one.name][0], finest, table) for one in ordered[1:])
    return ordered[0] if same else None


_STEPS = ("time", "day", "week", "month")
_DAY_OF = (-38 * 3600, 14 * 3600)  # seconds from an instant to the start of its own day, in whatever zone


def says_the_same(other: TimeReading, finest: TimeReading, table: LogTable) -> bool:
    """Tell whether two columns say the same time, or one the day of the other."""
    low, high = _DAY_OF if other.step == "day" and finest.step == "time" else (-1, 1)
    difference = f"epoch({other.sql}) - epoch({finest.sql})"
    both, same = table.numbers(f"count({difference})", f"count(*) filter ({difference} between {low} and {high})")
    return bool(both) and same >= _LATER * both


def _read(
    name: str, readings: Readings, columns: Sequence[Column], table: LogTable, *, answers: Answers
) -> tuple[Finding | None, TimeReading | None]:
    """Return the reading of a column; where several fit, the one that was answered, or None."""
    possible, order = readings[name], answers.get(DATE_ORDER)
    found = [one for one in possible if len(possible) == 1 or one.order == order]
    if not found and order:
        raise InputError(
            f"--answer {DATE_ORDER}={order}: the values of {name} cannot be read so",
            hint=f"they allow {', '.join(one.order for one in possible)}",
        )
    if not found:
        options = [Option(one.order, f"{one.expression}: {one.evidence}") for one in possible]
        words = f"How are the dates of {name} written? No value tells, such as {_example(name, columns)}."
        answers.ask(DATE_ORDER, words, options)
        return None, None
    if found[0].parsed < 1 and _unread_asked([found[0].column], table, answers=answers):
        return None, None
    if eras := _eras(found[0], table, answers=answers):
        answers.ask("event_time", f"When did it happen? The years of {name} have two digits, and end long ago.", eras)
        return None, None
    check_order(found[0], table, answers=answers)
    reading = with_clock(found[0], columns, table)
    if "event_time" not in answers.given and may_be_of_half_days(reading, table):
        words = (
            f"When did it happen? The hours of {name} are 1 to 12, and nothing says which half of the day they are in."
        )
        answers.ask("event_time", words, _of_half_days(reading, table))
        return None, None
    return Finding(reading.expression, reading.evidence, (name, *reading.others)), reading


def _of_half_days(reading: TimeReading, table: LogTable) -> list[Option]:
    """Return what times may be whose hours are 1 to 12."""
    plain = column_name(reading.column.name, table)
    is_plain = reading.expression == plain
    time = f"cast({sql_name(reading.column.name, table)} as timestamp)" if is_plain else reading.expression
    return [
        Option(f"date_trunc('day', {time})", "by the day: mornings and afternoons cannot be told apart"),
        Option(reading.expression, f"of a clock of 24 hours, and nothing happens from 13 to 1; {reading.evidence}"),
    ]


def _eras(reading: TimeReading, table: LogTable, *, answers: Answers) -> list[Option]:
    """Return what years of two digits may be, where all would be long ago and another era fits; nothing where that was answered."""
    is_recent = reading.last > datetime.now(UTC) - timedelta(days=_LONG_AGO)
    if is_recent or reading.order != "year-first" or "%y" not in reading.expression or "event_time" in answers.given:
        return []
    own = Option(column_name(reading.column.name, table), f"years of two digits as they are; {reading.evidence}")
    return [own, *eras] if (eras := in_reiwa(reading.column, table)) else []


def _example(name: str, columns: Sequence[Column]) -> str:
    return next(one.values[0] for one in columns if one.name == name)


def _ask(
    columns: Sequence[Column], readings: Readings, table: LogTable, *, possible: Sequence[Column], answers: Answers
) -> None:
    dated = [one for one in columns if readings.get(one.name)]
    options = [
        Option(column_name(one.name, table), f"{one.evidence}; {readings[one.name][0].evidence}") for one in dated
    ]
    unread = [one for one in columns if is_event_time(one.normal) and one not in dated]
    options += [option for one in unread for option in (*zone_options(one, table), *era_options(one, table))]
    why = f"{len(dated)} columns hold times."
    if not possible:
        why = "Each user has one value only of what holds times, as of a birth or a registration."
    elif hidden := [each for one in possible if _is_named_as_time(one) for each in _not_read(one, columns, readings)]:
        why = f"{hidden[0].name} may say so, but its values are not read, such as {shape_of(hidden[0])}: {_way_of(hidden[0])}."
    elif len(dated) == 1:
        why = "One column holds times, and its name says something else."
    answers.ask("event_time", f"When did it happen? {why}", options)


def _way_of(column: Column) -> str:
    """Return in words what would read a column of times."""
    way = correction_of("event_time", column.values[0] if column.values else "", expression=column.name)
    return way or f"an SQL expression may read them, {_FORMAT.replace('COLUMN', column.name)}"


def find_arrival(
    columns: Sequence[Column], readings: Readings, table: LogTable, *, time: TimeReading | None
) -> Finding | None:
    """Return when rows became known: named so, and hardly ever before the event."""
    named = [
        one
        for one in columns
        if is_arrival(one.normal) and not is_other_time(one.normal) and len(readings.get(one.name, ())) == 1
    ]
    if time is None or len(named) != 1 or named[0].name == time.column.name:
        return None
    (reading,) = readings[named[0].name]
    both, later, delay = table.numbers(
        f"count(*) filter ({time.sql} is not null)",
        f"count(*) filter ({reading.sql} >= {time.sql})",
        f"median(epoch({reading.sql}) - epoch({time.sql}))",
        where=f"{reading.sql} is not null",
    )
    if not both or later < _LATER * both:
        return None
    if may_be_of_goods(named[0].normal) and (reading.step != "time" or delay > _SOON):
        return None
    return Finding(
        reading.expression,
        f"named as the arrival of a row; {reading.evidence}; never before the event in {later / both:.1%} of rows",
        (named[0].name,),
    )


def _no_times(columns: Sequence[Column], table: LogTable) -> InputError:
    named = [one for one in columns if is_event_time(one.normal)]
    ahead = {one.name: share for one in columns if (share := share_ahead(one, table)) > _SOME}
    for name, share in ahead.items():
        return InputError(
            f"{name} can be read as times, and {percent(share, 1)} of them lie in the future: an event log says what has happened",
            hint="if another column says when it was booked or done: --answer event_time=COLUMN",
        )
    if of_weeks := weekdays_of(columns, table):
        return InputError(
            f"{of_weeks.name} seems to be a day of the week: it is never above 7, over several months",
            hint='give a log with a date in each row; if an SQL expression gives one: --answer "event_time=EXPRESSION"',
        )
    why, way = "no column holds times", ""
    if rounded := [one for one in named if one.is_rounded]:
        return rounded_by_a_spreadsheet(rounded[0])
    if named:
        why = (
            f"no column can be read as times; {named[0].name} is named as one, with values such as {shape_of(named[0])}"
        )
        way = correction_of("event_time", named[0].values[0] if named[0].values else "", expression=named[0].name)
    return InputError(
        f"this is not an event log, or its times are written in a way that churn does not know: {why}",
        hint=f'if an SQL expression gives the time of a row: --answer "event_time=EXPRESSION"; {way or _FORMAT}',
    )
