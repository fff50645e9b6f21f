"""A page that is one file: words first, then pictures, then tables. It reads nothing from the network, and runs no script.

It follows the reader's choice of light or dark, prints, and fits a phone. Pictures are drawn for a light page; where it is dark, the
style sheet changes the colours that :mod:`models.charts` draws with.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

_SHADES_OF_HEAT = 9
WORDS = {"contents": "Contents", "definition": "How it is defined", "link": "Link to this sentence"}


@dataclass(frozen=True)
class Picture:
    """A picture on a page.

    Attributes
    ----------
    svg
        As :func:`models.charts.svg` draws it; it goes into the page as it is.
    words
        How it is read.
    """

    title: str
    svg: str
    words: str = ""

    @property
    def drawing(self) -> Markup:
        """The picture, which is markup; all other texts of a page are escaped."""
        return Markup(self.svg)  # noqa: S704


@dataclass(frozen=True)
class Table:
    """A table on a page: rows of texts, by column; the first row names the columns.

    Attributes
    ----------
    heat
        Column to the share of its colour in each row, from 0 to 1; None leaves a cell as it is.
    """

    title: str
    rows: Sequence[Mapping[str, str]]
    words: str = ""
    heat: Mapping[str, Sequence[float | None]] = field(default_factory=dict[str, Sequence["float | None"]])

    @property
    def columns(self) -> list[str]:
        """Their names, in order."""
        return list(self.rows[0]) if self.rows else []

    def shade(self, row: int, column: str) -> str:
        """Return the class of a cell that is coloured by its value."""
        value = self.heat[column][row] if column in self.heat else None
        return "" if value is None else f"h{round(value * _SHADES_OF_HEAT)}"


@dataclass(frozen=True)
class Tile:
    """A single number at the top of a page: what it is, how it has changed, and its course."""

    label: str
    value: str
    change: str = ""
    spark: str = ""

    @property
    def drawing(self) -> Markup:
        """Its course as :func:`models.charts.sparkline` draws it, which is markup."""
        return Markup(self.spark)  # noqa: S704


@dataclass(frozen=True)
class Chapter:
    """A part of a page that answers one question.

    Attributes
    ----------
    key
        Where links lead to.
    mark
        A short name of the question.
    sentences
        The answer; the first one is set in larger type.
    tables, definition, remarks
        Folded below it.
    links
        Sentence to the name of a link that leads to it.
    is_open
        Whether all of it is shown at once, or unfolds under its title and first sentence.
    """

    key: str
    title: str
    question: str
    sentences: Sequence[str]
    mark: str = ""
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()
    definition: str = ""
    remarks: Sequence[str] = ()
    links: Mapping[str, str] = field(default_factory=dict[str, str])
    is_open: bool = True


@dataclass(frozen=True)
class Page:
    """What a page says.

    Attributes
    ----------
    verdicts
        Question to answer, the first thing that a reader sees.
    notes
        What a reader should know before anything else is read, a sentence each.
    tiles
        The numbers at the top.
    chapters
        Questions with all that answers them; there is a list of links to them.
    language, words
        Of its texts, and what it says itself: contents, definition, link.
    """

    title: str
    subtitle: str
    verdicts: Mapping[str, str]
    notes: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()
    tiles: Sequence[Tile] = ()
    chapters: Sequence[Chapter] = ()
    language: str = "en"
    words: Mapping[str, str] = field(default_factory=lambda: dict(WORDS))

    def to_html(self) -> str:
        """Return the file. Its policy allows the style sheet, by digest, and nothing else."""
        sheet = style()
        return template("page.html").render(page=self, style=Markup(sheet), source=Markup(source_of(sheet)))  # noqa: S704


def style() -> str:
    """Return the style sheet that all pages have."""
    return _environment().get_template("page.css").render()


def source_of(text: str) -> str:
    """Return what a policy names a style sheet or a script by, so that it allows this one and no other.

    Examples
    --------
    >>> source_of("")
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
    """
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("models", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def template(name: str) -> Template:
    """Return a template of pages; what it is filled with is escaped."""
    return _environment().get_template(name)


def write_page(folder: Path, *, page: tuple[str, str], numbers: tuple[str, Any]) -> None:
    """Write a page, and the same numbers as JSON; both as name and content."""
    (folder / numbers[0]).write_text(json.dumps(numbers[1], indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / page[0]).write_text(page[1], encoding="utf-8")


def number(value: Any, digits: int = 0) -> str:
    """Return a number as people read it; a dash where it is not known.

    Examples
    --------
    >>> number(1234.5), number(0.1234, 3), number(float("nan")), number(None)
    ('1,234', '0.123', '-', '-')
    """
    return "-" if value is None or value != value else f"{value:,.{digits}f}"  # noqa: PLR0124
