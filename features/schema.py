"""The event contract: the columns that every log is mapped to, their types and units."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column of the contract; ``type`` is the DuckDB type that a mapped expression is cast to."""

    name: str
    type: str
    description: str
    is_required: bool = False


CONTRACT: tuple[Column, ...] = (
    Column("user_id", "VARCHAR", "Who did it; text, never empty.", is_required=True),
    Column("event_time", "TIMESTAMP WITH TIME ZONE", "When it happened.", is_required=True),
    Column("event_type", "VARCHAR", "What happened, as the log names it.", is_required=True),
    Column("count", "BIGINT", "How many equal events the row stands for (1 when absent); multiplies counts only."),
    Column("session_id", "VARCHAR", "Which visit it belongs to; without it a visit ends after a pause."),
    Column("duration_seconds", "DOUBLE", "Seconds of use that the row stands for, cut at the end of its day."),
    Column("device_os", "VARCHAR", "Operating system or platform."),
    Column("device_model", "VARCHAR", "Phone or browser model."),
    Column("app_version", "VARCHAR", "Version of the app."),
    Column("network", "VARCHAR", "Network the device was on."),
    Column("channel", "VARCHAR", "Marketing channel; the first one seen is the acquisition channel."),
    Column("amount", "DOUBLE", "Money of the row: above zero a purchase, below zero a refund."),
    Column("ingested_at", "TIMESTAMP WITH TIME ZONE", "When the row became known."),
    Column("order_id", "VARCHAR", "Order that the row is about."),
    Column("order_status", "VARCHAR", "What the row says of its order, such as placed or paid."),
    Column("item_id", "VARCHAR", "Product that the row is about."),
    Column("item_category", "VARCHAR", "Category of that product."),
)

COLUMNS: dict[str, Column] = {column.name: column for column in CONTRACT}
REQUIRED: tuple[str, ...] = tuple(column.name for column in CONTRACT if column.is_required)
