"""Every text of the report by its key: the English words are in ``en.toml``, other languages in the catalogues of :mod:`models.text`.

Numbers go into named places, and nothing is put together from pieces.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from models.text.catalogues import plural, translated

SUBJECT = "report"
_NTH_DAY = re.compile(r"day_(\d+)")


@cache
def catalogue() -> dict[str, Any]:
    """Return the English texts, by section and key; one with a number may have two forms, of one and of others."""
    return tomllib.loads(files("insights.presentation").joinpath("en.toml").read_text(encoding="utf-8"))


def text(key: str, **values: object) -> str:
    """Return one text in the language that is spoken just now, with values in its places.

    Parameters
    ----------
    key
        ``section.key``.
    values
        ``n`` decides between the forms of a text that has two.

    Examples
    --------
    >>> text("counts.title")
    'Headline counts'
    """
    section, _, name = key.partition(".")
    words = catalogue()[section][name]
    if isinstance(words, dict):
        forms = (words["one"], words["other"])
        return plural(forms, int(str(values["n"])), subject=SUBJECT, context=key).format(**values)
    return translated(words, subject=SUBJECT, context=key).format(**values)


def column(name: str, *, table: str = "") -> str:
    """Return the heading of a column, of which ``day_7`` is the seventh day; its own name where the catalogue has none.

    Parameters
    ----------
    table
        In which the column may have a heading of its own: ``table.name`` in the catalogue.
    """
    if found := _NTH_DAY.fullmatch(name):
        return text("columns.nth_day", day=found[1])
    key = next((one for one in (f"{table}.{name}", name) if one in catalogue()["columns"]), "")
    return text(f"columns.{key}") if key else name.replace("_", " ")
