"""Values of any type as text: the same whole number is the same text in whatever type it is read."""

from __future__ import annotations

FLOATS = {"DOUBLE": 2**53, "FLOAT": 2**24}  # below which every whole number has a value of its own


def text_of(raw: str, kind: str) -> str:
    """Return a column of any type as text; null where a whole number is too large for its type to tell it from its neighbours.

    A whole number is the same text in whatever type it is read: a column of integers with a gap is one of floats elsewhere.
    """
    if kind in FLOATS:
        whole = f"when abs({raw}) < {FLOATS[kind]} then cast(cast({raw} as bigint) as varchar)"
        return f"case when {raw} <> trunc({raw}) then cast({raw} as varchar) {whole} end"
    if kind.startswith("DECIMAL"):
        whole = f"when {raw} = trunc({raw}) then cast(cast({raw} as hugeint) as varchar)"
        return f"case {whole} else cast({raw} as varchar) end"
    return raw if kind == "VARCHAR" else f"try_cast({raw} as varchar)"
