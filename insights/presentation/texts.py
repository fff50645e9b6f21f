"""Every text of the report, from one catalogue per language (``en.toml``): numbers go into named places, and nothing is concatenated."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def catalogue() -> dict[str, Any]:
    """Return the texts, by section and key."""
    return tomllib.loads(files("insights.presentation").joinpath("en.toml").read_text(encoding="utf-8"))


def text(key: str, **values: object) -> str:
    """Return one text, with values in its places.

    Parameters
    ----------
    key
        ``section.key``.

    Examples
    --------
    >>> text("counts.title")
    'Headline counts'
    """
    section, _, name = key.partition(".")
    return str(catalogue()[section][name]).format(**values)


def column(name: str) -> str:
    """Return the heading of a column; its own name where the catalogue has none."""
    return str(catalogue()["columns"].get(name, name.replace("_", " ")))
