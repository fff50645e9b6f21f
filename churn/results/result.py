"""What every result can do."""

from __future__ import annotations

from html import escape
from typing import Any


class Result:
    """A result: :meth:`to_json` for machines, ``repr`` and a table in a notebook for people."""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values: what the command prints under ``--json``."""
        raise TypeError(f"{type(self).__name__} must say what it holds")

    def check(self) -> None:
        """Raise where a check refused; most results have none."""

    @property
    def title(self) -> str:
        """What this is, in a line."""
        return type(self).__name__

    @property
    def summary(self) -> dict[str, Any]:
        """The few values that people look at first."""
        return {name: value for name, value in self.to_json().items() if not isinstance(value, dict | list)}

    def __repr__(self) -> str:
        """Title and summary, a line each."""
        summary = self.summary
        width = max(map(len, summary), default=0)
        return "\n".join([self.title, *(f"  {name:<{width}}  {shown(value)}" for name, value in summary.items())])

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><th>{escape(k)}</th><td>{escape(shown(v))}</td></tr>" for k, v in self.summary.items())
        return f"<table><caption>{escape(self.title)}</caption>{rows}</table>"


def shown(value: Any) -> str:
    """Return a value as people read it.

    Examples
    --------
    >>> shown(0.83456), shown(None), shown(12)
    ('0.835', '', '12')
    """
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
