"""Abbreviations of zones at the end of times: most are used in several parts of the world, so they are asked about."""

from __future__ import annotations

from collections.abc import Mapping

from churn.first_look.evidence.columns import Column
from churn.first_look.evidence.table import TABLE, LogTable
from churn.first_look.evidence.times import Candidate, measured, sql_name
from churn.first_look.questions import Option
from features.log.sources.times import instant_of_text
from features.sql import identifier

_REGIONS: Mapping[str, Mapping[str, str]] = {  # where an abbreviation is used, and the offset that it means there
    "the United Kingdom": {"BST": "+01:00"},
    "Bangladesh": {"BST": "+06:00"},
    "Western Europe": {"WEST": "+01:00"},
    "Central Europe": {"CEST": "+02:00"},
    "Eastern Europe": {"EEST": "+03:00"},
    "Ireland": {"IST": "+01:00"},
    "Israel": {"IST": "+02:00", "IDT": "+03:00"},
    "India": {"IST": "+05:30"},
    "Pakistan": {"PKT": "+05:00"},
    "the United States and Canada": {
        "AST": "-04:00",
        "ADT": "-03:00",
        "EDT": "-04:00",
        "CST": "-06:00",
        "CDT": "-05:00",
        "MDT": "-06:00",
        "PST": "-08:00",
        "PDT": "-07:00",
        "AKST": "-09:00",
        "AKDT": "-08:00",
    },
    "Cuba": {"CST": "-05:00", "CDT": "-04:00"},
    "Brazil": {"BRT": "-03:00"},
    "Arabia": {"AST": "+03:00"},
    "Russia": {"MSK": "+03:00"},
    "South Africa": {"SAST": "+02:00"},
    "China": {"CST": "+08:00"},
    "Hong Kong": {"HKT": "+08:00"},
    "Singapore": {"SGT": "+08:00"},
    "Indonesia": {"WIB": "+07:00"},
    "Japan": {"JST": "+09:00"},
    "Korea": {"KST": "+09:00"},
    "Australia": {"AEST": "+10:00", "AEDT": "+11:00", "ACST": "+09:30", "ACDT": "+10:30", "AWST": "+08:00"},
    "New Zealand": {"NZST": "+12:00", "NZDT": "+13:00"},
}
_ABBREVIATION = r"\d ?([A-Z]{2,5})$"
_HALVES = ("AM", "PM")


def zone_options(column: Column, table: LogTable) -> list[Option]:
    """Return the parts of the world in which all abbreviations of a column are used, each as an expression that reads them there."""
    found = _abbreviations(column, table) if column.is_text else []
    fitting = {region: offsets for region, offsets in _REGIONS.items() if found and offsets.keys() >= set(found)}
    options = [
        _option(region, {name: offsets[name] for name in found}, column, table=table)
        for region, offsets in fitting.items()
    ]
    return [one for one in options if one]


def _abbreviations(column: Column, table: LogTable) -> list[str]:
    """Return the abbreviations behind times that cannot be read without knowing what they mean."""
    text = identifier(column.name)
    rows = table.connection.execute(
        f"""select distinct regexp_extract({text}, '{_ABBREVIATION}', 1) from {TABLE}
            where regexp_matches({text}, '{_ABBREVIATION}') and {instant_of_text(text, zone="UTC")} is null order by 1"""
    ).fetchall()
    return [str(zone) for (zone,) in rows if zone not in _HALVES]


def _option(region: str, offsets: Mapping[str, str], column: Column, *, table: LogTable) -> Option | None:
    def with_offsets(text: str) -> str:
        for name, offset in offsets.items():
            text = f"regexp_replace({text}, ' ?{name}$', '{offset}')"
        return text

    sql = instant_of_text(with_offsets(identifier(column.name)), zone="UTC")
    reading = measured(Candidate("", "", sql, is_zoned=True), column, table=table)
    if reading is None:
        return None
    words = " and ".join(f"{name} is {offset}" for name, offset in offsets.items())
    return Option(with_offsets(sql_name(column.name, table)), f"{words}, as in {region}")
