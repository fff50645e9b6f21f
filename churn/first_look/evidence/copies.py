"""What a row says, but for how and when it came: rows that are the same in it may be one that was delivered again."""

from __future__ import annotations

from collections.abc import Sequence

from churn.first_look.evidence.columns import Column
from churn.first_look.evidence.names import is_arrival, is_word
from churn.first_look.evidence.table import LogTable

_DELIVERIES = (  # of how and when a row came, beyond the names of arrivals
    "batch|batch_id|offset|partition|kafka_offset|kafka_partition|sequence_number|retry|retries|attempt|attempts|delivery|delivery_count|redelivered|file"
    "|file_name|filename|source_file|lieferung|charge|lot|lote|paket|partie|partia|партия|バッチ|批次|배치"
)


def contents_of(columns: Sequence[Column], table: LogTable, *, but: Column) -> dict[str, str]:
    """Return SQL of the other columns, but for those that say how and when a row came."""
    others = [one for one in columns if one is not but and not is_arrival(one.normal)]
    return {one.name: table.column(one.name) for one in others if not is_word(_DELIVERIES, one.normal)}
