"""Which column identifies an event, so that one that was delivered again counts once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from churn.first_look.evidence.columns import Column
from churn.first_look.evidence.names import is_arrival, is_event_id, is_only_id, is_order, is_word
from churn.first_look.evidence.table import TABLE, LogTable
from churn.first_look.evidence.times import TimeReading, column_name
from churn.first_look.questions import EVENT_ID, NONE, Answers, Option
from churn.results.first_look import Finding
from features.sql import identifier

_MOSTLY, _NEARLY_UNIQUE = 0.95, 0.5
_SHOWN = 4
_ROWS = (  # what a row is of, where its id says no more than that
    "transaction|trans|txn|tx|trx|record|row|entry|message|operation|payment|transaktion|buchung|buchungs|vorgang|vorgangs|datensatz|enregistrement|paiement"
    "|transaccion|operacion|registro|transacao|operacao|transazione|operazione|transactie|transakcja|transakcji|operacja|operacji|islem|kayit|транзакция"
    "|транзакции|операция|операции|запись|записи|取引|決済|交易|流水|记录|記錄|거래|결제"
)
_DELIVERIES = (  # of how and when a row came, beyond _INGESTED
    "batch|batch_id|offset|partition|kafka_offset|kafka_partition|sequence_number|retry|retries|attempt|attempts|delivery|delivery_count|redelivered|file"
    "|file_name|filename|source_file|lieferung|charge|lot|lote|paket|partie|partia|партия|バッチ|批次|배치"
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
    ids = [one for one in columns if one.is_identifier and one.filled_share > _MOSTLY]
    named = [one for one in ids if is_event_id(one.normal)]
    if len(named) != 1:
        used = {name for one in found.values() for name in one.columns}
        possible = [one for one in ids if one.name not in used and _may_be_id(one.normal)]
        same = _who_when_and_what(found, reading, table)
        named = [one for one in possible if same and not named and _comes_again(one, columns, table, same=same)][:1]
    return _of_column(named[0], columns, table, answers=answers) if named else None


def _may_be_id(name: str) -> bool:
    """Tell whether a name says that a column identifies a row or an order, or nothing but that it identifies something."""
    return is_only_id(name) or is_order(name) or is_word(_ROWS, name)


def _who_when_and_what(found: Mapping[str, Finding], reading: TimeReading | None, table: LogTable) -> tuple[str, ...]:
    """Return SQL of what is the same where an event was delivered again; nothing where it is not known who and when."""
    names = [name for role in ("user_id", "event_type", "amount") if role in found for name in found[role].columns]
    if reading is None or "user_id" not in found:
        return ()
    return (reading.sql, *(table.column(name) for name in dict.fromkeys(names)))


def _comes_again(one: Column, columns: Sequence[Column], table: LogTable, *, same: Sequence[str]) -> bool:
    """Tell whether hardly any of the rows that share an id are of another user, time or type.

    The lines of an order are of one as well, so what is not named as an id alone must not differ in any content.
    """
    if not _NEARLY_UNIQUE * one.filled <= one.distinct < one.filled:
        return False
    differing = _differing(one, {sql: sql for sql in same}, table)
    return not differing and (is_only_id(one.normal) or not _differing(one, _contents(one, columns, table), table))


def _of_column(one: Column, columns: Sequence[Column], table: LogTable, *, answers: Answers) -> Finding | None:
    """Return a column, where rows with the same id are the same but for how and when they came; else ask what they are."""
    name, twice = column_name(one.name, table), one.filled - one.distinct
    is_named = is_event_id(one.normal)
    contents = _contents(one, columns, table)
    differing = _differing(one, contents, table, of=one.distinct if is_named else None) if twice else []
    if differing:
        options = [Option(name, "one event: the others are excluded as copies"), Option(NONE, "events of their own")]
        where = ", ".join(differing[:_SHOWN]) + (", ..." if len(differing) > _SHOWN else "")
        words = f"{twice:,} rows repeat a value of {one.name}, and differ in {where}. Each is ..."
        answers.ask(EVENT_ID, words, options)
        return None
    words = (
        f"{twice:,} rows are copies of another with the same id, and count once" if twice else "no value comes twice"
    )
    return Finding(name, words, (one.name,))


def _contents(one: Column, columns: Sequence[Column], table: LogTable) -> dict[str, str]:
    """Return SQL of the other columns, but for those that say how and when a row came."""
    others = [
        each
        for each in columns
        if each is not one and not (is_arrival(each.normal) or is_word(_DELIVERIES, each.normal))
    ]
    return {each.name: table.column(each.name) for each in others}


def _differing(one: Column, contents: Mapping[str, str], table: LogTable, *, of: int | None = None) -> list[str]:
    """Return in which of some columns rows with the same id differ, for more than a few of the ids that repeat, or of a number."""
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
    return [name for name, n in zip(contents, differing, strict=True) if n > (1 - _MOSTLY) * (of or ids)]


def copies_of(columns: Sequence[Column], table: LogTable) -> int:
    """Return how many rows are the same as another in all columns."""
    names = ", ".join(identifier(one.name) for one in columns)
    ((rows,),) = table.connection.execute(f"select count(*) from (select distinct {names} from {TABLE})").fetchall()
    return table.rows - int(rows)
