"""Which column identifies an event, so that one that was delivered again counts once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from churn.first_look.evidence.columns import Column
from churn.first_look.evidence.copies import contents_of
from churn.first_look.evidence.names import is_event_id, is_only_id, is_order, is_word
from churn.first_look.evidence.table import TABLE, LogTable
from churn.first_look.evidence.times import TimeReading, column_name
from churn.first_look.questions import EVENT_ID, NONE, Answers, Option
from churn.results.first_look import Finding
from features.sql import identifier

_MOSTLY, _NEARLY_UNIQUE = 0.95, 0.5
_SHOWN = 4
_RARE = (
    0.01  # of the ids that repeat: rows of another user, time, type or amount, as where an id is used again by chance
)
_ROWS = (  # what a row is of, where its id says no more than that
    "transaction|trans|txn|tx|trx|record|row|entry|message|operation|payment|transaktion|buchung|buchungs|vorgang|vorgangs|datensatz|enregistrement|paiement"
    "|transaccion|operacion|registro|transacao|operacao|transazione|operazione|transactie|transakcja|transakcji|operacja|operacji|islem|kayit|транзакция"
    "|транзакции|операция|операции|запись|записи|取引|決済|交易|流水|记录|記錄|거래|결제"
)


def find_event_id(
    columns: Sequence[Column],
    table: LogTable,
    *,
    found: Mapping[str, Finding],
    reading: TimeReading | None,
    answers: Answers,
) -> Finding | None:
    """Return the id of an event: named so, or repeated where user, time and type are the same; None: there is none, or it is asked."""
    if given := answers.get(EVENT_ID):
        return Finding(given, "as you answered")
    if answers.is_none(EVENT_ID):
        return None
    same = _who_when_and_what(found, reading, table)
    ids = [one for one in columns if one.is_identifier and one.filled_share > _MOSTLY]
    named = [one for one in ids if is_event_id(one.normal)]
    if len(named) != 1:
        used = {name for one in found.values() for name in one.columns}
        possible = [one for one in ids if one.name not in used and _may_be_id(one.normal)]
        named = [one for one in possible if same and not named and _comes_again(one, columns, table, same=same)][:1]
    return _of_column(named[0], columns, table, same=same, answers=answers) if named else None


def _may_be_id(name: str) -> bool:
    """Tell whether a name says that a column identifies a row or an order, or nothing but that it identifies something."""
    return is_only_id(name) or is_order(name) or is_word(_ROWS, name)


def _who_when_and_what(found: Mapping[str, Finding], reading: TimeReading | None, table: LogTable) -> dict[str, str]:
    """Return SQL of what is the same where an event was delivered again; nothing where it is not known who and when."""
    names = [name for role in ("user_id", "event_type", "amount") if role in found for name in found[role].columns]
    if reading is None or "user_id" not in found:
        return {}
    return {reading.column.name: reading.sql} | {name: table.column(name) for name in names}


def _comes_again(one: Column, columns: Sequence[Column], table: LogTable, *, same: Mapping[str, str]) -> bool:
    """Tell whether hardly any of the rows that share an id are of another user, time or type.

    The lines of an order are of one as well, so what is not named as an id alone must not differ in any content.
    """
    if not _NEARLY_UNIQUE * one.filled <= one.distinct < one.filled:
        return False
    differing = _differing(one, same, table)
    return not differing and (
        is_only_id(one.normal) or not _differing(one, contents_of(columns, table, but=one), table)
    )


def _of_column(
    one: Column, columns: Sequence[Column], table: LogTable, *, same: Mapping[str, str], answers: Answers
) -> Finding | None:
    """Return a column, where rows with the same id are the same but for how and when they came; else ask what they are."""
    name, twice = column_name(one.name, table), one.filled - one.distinct
    if not twice:
        return Finding(name, "no value comes twice", (one.name,))
    contents = contents_of(columns, table, but=one)
    others = _differing(one, contents, table, of=one.distinct if is_event_id(one.normal) else None)
    differing = list(dict.fromkeys([*_differing(one, same, table, share=_RARE), *others]))
    copies = _copies(one, contents, table)
    if differing:
        options = [Option(name, "one event: the others are excluded as copies"), Option(NONE, "events of their own")]
        where = ", ".join(differing[:_SHOWN]) + (", ..." if len(differing) > _SHOWN else "")
        those = f"{twice - copies:,} of them" if copies else "they"
        words = f"{twice:,} rows repeat a value of {one.name}, and {those} differ in {where}. Each is ..."
        answers.ask(EVENT_ID, words, options)
        return None
    alike = "all" if copies == twice else f"{copies:,}"
    words = f"{twice:,} rows repeat an id, {alike} of them as copies in all that they say: each id counts once"
    return Finding(name, words, (one.name,))


def _copies(one: Column, contents: Mapping[str, str], table: LogTable) -> int:
    """Return how many rows are the same as another in an id and some columns."""
    key = identifier(one.name)
    values = ", ".join((key, *contents.values()))
    ((rows,),) = table.connection.execute(
        f"select count(*) from (select distinct {values} from {TABLE} where {key} is not null)"
    ).fetchall()
    return one.filled - int(rows)


def _differing(
    one: Column, contents: Mapping[str, str], table: LogTable, *, of: int | None = None, share: float = 1 - _MOSTLY
) -> list[str]:
    """Return in which of some columns rows with the same id differ, for more than a share of the ids that repeat, or of a number."""
    key = identifier(one.name)
    values = (f"count(distinct {sql}) + cast(bool_or({sql} is null) as integer)" for sql in contents.values())
    listed = ", ".join(f"{counted} > 1 as _{place}" for place, counted in enumerate(values))
    totals = ", ".join(f"count(*) filter (_{place})" for place in range(len(contents)))
    if not contents:
        return []
    ((ids, *differing),) = table.connection.execute(
        f"""select count(*), {totals} from
            (select {listed} from {TABLE} where {key} is not null group by {key} having count(*) > 1)"""
    ).fetchall()
    return [name for name, n in zip(contents, differing, strict=True) if n > share * (of or ids)]


def copies_of(columns: Sequence[Column], table: LogTable) -> int:
    """Return how many rows are the same as another in all columns."""
    names = ", ".join(identifier(one.name) for one in columns)
    ((rows,),) = table.connection.execute(f"select count(*) from (select distinct {names} from {TABLE})").fetchall()
    return table.rows - int(rows)
