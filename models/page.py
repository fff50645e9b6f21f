"""A page that is one file: words first, then pictures, then tables. It reads nothing from the network, and runs no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

_TEMPLATE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ page.title }}</title>
<style>
body { font: 16px/1.5 Helvetica, Arial, sans-serif; color: #2b2b2b; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .4rem; }
p { margin: .3rem 0; } .subtitle, .note, figcaption { color: #5c5c5c; } .note, figcaption { font-size: .9rem; }
.verdict { border-left: 4px solid #0072b2; padding: .4rem 1rem; margin: 1rem 0; background: #f3f7fa; }
.verdict b { display: block; } figure { margin: 1rem 0; } svg { max-width: 100%; height: auto; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .9rem; }
th, td { padding: .2rem .8rem .2rem 0; text-align: right; }
th { border-bottom: 1px solid #bbb; font-weight: normal; color: #5c5c5c; } td { border-bottom: 1px solid #eee; }
th:first-child, td:first-child { text-align: left; }
</style>
</head>
<body>
<h1>{{ page.title }}</h1>
<p class="subtitle">{{ page.subtitle }}</p>
{% for question, answer in page.verdicts.items() %}<p class="verdict"><b>{{ question }}</b> {{ answer }}</p>
{% endfor %}{% for note in page.notes %}<p class="note">{{ note }}</p>
{% endfor %}{% for one in page.pictures %}<h2>{{ one.title }}</h2>
<figure role="img" aria-label="{{ one.title }}">
{{ one.drawing }}
<figcaption>{{ one.words }}</figcaption>
</figure>
{% endfor %}{% for one in page.tables %}<h2>{{ one.title }}</h2>
{% if one.words %}<p class="note">{{ one.words }}</p>
{% endif %}<div class="wide"><table>
<tr>{% for name in one.columns %}<th scope="col">{{ name }}</th>{% endfor %}</tr>
{% for row in one.rows %}<tr>{% for name in one.columns %}<td>{{ row[name] }}</td>{% endfor %}</tr>
{% endfor %}</table></div>
{% endfor %}</body>
</html>
"""


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
    """A table on a page: rows of texts, by column; the first row names the columns."""

    title: str
    rows: Sequence[Mapping[str, str]]
    words: str = ""

    @property
    def columns(self) -> list[str]:
        """Their names, in order."""
        return list(self.rows[0]) if self.rows else []


@dataclass(frozen=True)
class Page:
    """What a page says.

    Attributes
    ----------
    verdicts
        Question to answer, the first thing that a reader sees.
    notes
        What a reader should know before anything else is read, a sentence each.
    """

    title: str
    subtitle: str
    verdicts: Mapping[str, str]
    notes: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()

    def to_html(self) -> str:
        """Return the file."""
        return _template().render(page=self)


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)
    return environment.from_string(_TEMPLATE)


def number(value: Any, digits: int = 0) -> str:
    """Return a number as people read it; a dash where it is not known.

    Examples
    --------
    >>> number(1234.5), number(0.1234, 3), number(float("nan")), number(None)
    ('1,234', '0.123', '-', '-')
    """
    return "-" if value is None or value != value else f"{value:,.{digits}f}"  # noqa: PLR0124
