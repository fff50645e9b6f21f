"""The churn.toml that a first look proposes, with the evidence as comments."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from churn.results.first_look import Finding
from features.schema import COLUMNS

_WIDTH = 110


@dataclass(frozen=True)
class Line:
    """A value of a setting and why it has it."""

    value: Any
    why: str = ""


@dataclass(frozen=True)
class Draft:
    """Settings for a log, each with its evidence.

    Attributes
    ----------
    title
        Sentences above everything.
    columns
        Contract column to what it is in the log.
    possible
        Setting of ``[events]`` to lines that somebody may choose.
    others
        Further sections: name to settings.
    schema
        Where editors find the schema of churn.toml; empty: no such line.
    """

    title: tuple[str, ...]
    project: str
    events: dict[str, Line]
    columns: dict[str, Finding]
    format: dict[str, Line] = field(default_factory=dict[str, Line])
    possible: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    churn: dict[str, Line] = field(default_factory=dict[str, Line])
    others: dict[str, dict[str, Line]] = field(default_factory=dict[str, dict[str, Line]])
    schema: str = ""

    def with_churn(self, churn: Mapping[str, Line], others: Mapping[str, dict[str, Line]]) -> Draft:
        """Return it with what leaving means, and further sections."""
        return replace(self, churn=self.churn | dict(churn), others=self.others | dict(others))

    def to_toml(self) -> str:
        """Write it as the text of churn.toml."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        if self.schema:
            yield f"#:schema {self.schema}"
        for sentence in self.title:
            yield from comment(sentence)
        yield from _section("project", {"name": Line(self.project)})
        yield from _section("events", self.events)
        for line in [line for name, lines in self.possible.items() if name not in COLUMNS for line in lines]:
            yield f"# {line}"
        yield from _section(
            "events.columns", {name: Line(one.expression, one.evidence) for name, one in self._ordered()}
        )
        for line in [line for name, lines in self.possible.items() if name in COLUMNS for line in lines]:
            yield f"# {line}"
        for name, settings in {"events.format": self.format, "churn": self.churn, **self.others}.items():
            if settings:
                yield from _section(name, settings)

    def _ordered(self) -> list[tuple[str, Finding]]:
        return [(name, self.columns[name]) for name in COLUMNS if name in self.columns]


def _section(name: str, settings: Mapping[str, Line]) -> Iterator[str]:
    yield ""
    yield f"[{name}]"
    for key, line in settings.items():
        yield from comment(line.why)
        yield f"{key} = {toml_value(line.value)}"


def comment(sentence: str) -> list[str]:
    """Write a sentence as comment lines; what cannot stand in one becomes a blank."""
    clean = "".join(one if one.isprintable() else " " for one in sentence)
    return [f"# {line}" for line in textwrap.wrap(clean, _WIDTH, break_long_words=False, break_on_hyphens=False)]


def toml_value(value: Any) -> str:
    """Write a value as TOML.

    Examples
    --------
    >>> print(toml_value("a"), toml_value('"User ID"'), toml_value([1, 2]), toml_value(True))
    "a" '"User ID"' [1, 2] true
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, date | int | float):
        return str(value)
    if isinstance(value, list | tuple):
        return _list(value)
    text = str(value)
    if '"' in text and "'" not in text and text.isprintable():
        return f"'{text}'"
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _list(values: list[Any] | tuple[Any, ...]) -> str:
    flat = ", ".join(map(toml_value, values))
    if len(flat) < _WIDTH:
        return f"[{flat}]"
    lines = textwrap.wrap(flat, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return "\n".join(["[", *(f"    {line}" for line in lines), "]"])


def project_name_of(path: str) -> str:
    """Derive the name of a project from the place of its log.

    Examples
    --------
    >>> project_name_of("data/Shop Export 2024.csv"), project_name_of("events/**/*.parquet"), project_name_of("日志.csv")
    ('shop_export', 'events', 'churn')
    """
    parts = [part for part in re.split(r"[/\\]", path) if part and not re.search(r"[*?\[]|:$", part)]
    stem = parts[-1].split(".")[0] if parts else ""
    words = re.findall(r"[a-z][a-z0-9]*", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", stem).lower())
    return "_".join(words)[:60] or "churn"
