"""An answer: sentences, pictures, the tables of numbers behind them, a definition, and what the log cannot say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa

from insights.presentation.formats import FORMATS, Kind
from insights.presentation.texts import column, text
from models.page import Picture
from models.text.catalogues import in_language, language

Row = Mapping[str, Any]
_TYPES: Mapping[Kind, pa.DataType] = {
    "count": pa.int64(),
    "share": pa.float64(),
    "change": pa.float64(),
    "number": pa.float64(),
    "date": pa.date32(),
    "name": pa.string(),
}


def columns(kind: Kind, *names: str) -> dict[str, Kind]:
    """Return columns of one kind."""
    return dict.fromkeys(names, kind)


def with_interval(name: str, found: Interval) -> dict[str, float]:
    """Return the cells of a number with its interval: ``name``, ``name_low``, ``name_high``."""
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


class Interval(Protocol):
    """A number with its interval."""

    @property
    def value(self) -> float:
        """The number itself."""
        ...

    @property
    def low(self) -> float:
        """The lower end."""
        ...

    @property
    def high(self) -> float:
        """The upper end."""
        ...


@dataclass(frozen=True)
class Figures:
    """A table of numbers, as files hold it and as a page shows it.

    Attributes
    ----------
    name
        Of its files, unique in the report.
    kinds
        Column to what its values are, in the order of the columns.
    shown
        The columns that the page shows; default: all of them.
    heat
        The columns whose cells are coloured by their value.
    language
        Of its texts.
    """

    name: str
    rows: Sequence[Row]
    kinds: Mapping[str, Kind]
    shown: Sequence[str] = ()
    heat: Sequence[str] = ()
    language: str = field(default_factory=language)

    @property
    def title(self) -> str:
        """What it holds."""
        with in_language(self.language):
            return text(f"tables.{self.name}")

    @property
    def is_by_date(self) -> bool:
        """Whether its rows are days, weeks or months in their order, and not a ranking."""
        return next(iter(self.kinds.values())) == "date"

    @property
    def headings(self) -> dict[str, str]:
        """Column that the page shows to its heading."""
        with in_language(self.language):
            return {name: column(name, table=self.name) for name in self.shown or self.kinds}

    def to_arrow(self) -> pa.Table:
        """Return the numbers; every column has its type, whatever the values, and null where a number is not known."""
        values = {name: [_known(row.get(name)) for row in self.rows] for name in self.kinds}
        return pa.table({name: pa.array(found, _TYPES[self.kinds[name]]) for name, found in values.items()})

    def texts(self) -> list[dict[str, str]]:
        """Return the rows as people read them, by heading."""
        return [
            {words: FORMATS[self.kinds[name]](row.get(name)) for name, words in self.headings.items()}
            for row in self.rows
        ]


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


@dataclass(frozen=True)
class Section:
    """The answer to one question.

    Attributes
    ----------
    name
        Its key in the texts: title, question and definition.
    sentences
        The answer in words; the first one is the headline.
    facts
        Single numbers, by name.
    needs
        What the log cannot answer, to the column or setting that it would need.
    links
        Sentence to the name of a link of its own.
    language
        Of its texts.
    """

    name: str
    sentences: Sequence[str]
    tables: Sequence[Figures] = ()
    pictures: Sequence[Picture] = ()
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    needs: Mapping[str, str] = field(default_factory=dict[str, str])
    links: Mapping[str, str] = field(default_factory=dict[str, str])
    language: str = field(default_factory=language)

    @property
    def title(self) -> str:
        """What it is about."""
        return self._text("title")

    @property
    def question(self) -> str:
        """What a product team asks."""
        return self._text("question")

    @property
    def definition(self) -> str:
        """Formula, population, window and source."""
        return self._text("definition")

    def _text(self, key: str) -> str:
        with in_language(self.language):
            return text(f"{self.name}.{key}")

    def to_json(self) -> dict[str, Any]:
        """Return everything but the pictures."""
        return {
            "title": self.title,
            "question": self.question,
            "sentences": list(self.sentences),
            "definition": self.definition,
            "facts": dict(self.facts),
            "tables": {one.name: [dict(row) for row in one.rows] for one in self.tables},
            "needs": dict(self.needs),
        }
