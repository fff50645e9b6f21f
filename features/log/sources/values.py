"""Values of any type as text: a whole number is the same text in whatever type it is read, and blanks around a text are none of it."""

from __future__ import annotations

import re

FLOATS = {"DOUBLE": 2**53, "FLOAT": 2**24}  # below which every whole number has a value of its own
BLANKS = r"[\x00-\x20\p{Z}\x{200B}\x{FEFF}]+"  # with the zero-width ones
# the same: control characters, and the category Z of Unicode
_BLANK = "".join(
    map(chr, (*range(33), 0xA0, 0x1680, *range(0x2000, 0x200C), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF))
)


def text_of(raw: str, kind: str) -> str:
    """Return a column of any type as text; null where a whole number is too large for its type to tell it from its neighbours.

    A whole number is the same text in whatever type it is read: a column of integers with a gap is one of floats elsewhere. Blanks
    around a text, as columns of a fixed width have them, are none of it.
    """
    if kind in FLOATS:
        whole = f"when abs({raw}) < {FLOATS[kind]} then cast(cast({raw} as bigint) as varchar)"
        return f"case when {raw} <> trunc({raw}) then cast({raw} as varchar) {whole} end"
    if kind.startswith("DECIMAL"):
        whole = f"when {raw} = trunc({raw}) then cast(cast({raw} as hugeint) as varchar)"
        return f"case {whole} else cast({raw} as varchar) end"
    return _trimmed(raw) if kind == "VARCHAR" else f"try_cast({raw} as varchar)"


def id_of(raw: str, kind: str) -> str:
    """Return an id as text: a whole number is the same id however it is written, as 17850, 17850.0 or "17850"."""
    if kind != "VARCHAR":
        return text_of(raw, kind)
    whole = rf"ends_with({raw}, '0') and regexp_full_match({raw}, '-?\d+\.0+')"
    within_blanks = rf"regexp_replace({_trimmed(raw)}, '^(-?\d+)\.0+$', '\1')"
    return f"case when not {_is_plain(raw)} then {within_blanks} when {whole} then split_part({raw}, '.', 1) else {raw} end"


def plain_id(text: str) -> str:
    """Return the id that :func:`id_of` reads from a text.

    Examples
    --------
    >>> plain_id(" 17850.0 "), plain_id("17850.5")
    ('17850', '17850.5')
    """
    trimmed = text.strip(_BLANK)
    whole = re.fullmatch(r"(-?[0-9]+)\.0+", trimmed)
    return whole[1] if whole else trimmed


def _trimmed(text: str) -> str:
    """Return a text without the blanks around it, null where nothing is left; texts that may have some are told quickly."""
    may_be = f"{may_start_blank(text)} or {may_start_blank(f'{text}[-1]')}"
    without = f"nullif(regexp_replace({text}, '^{BLANKS}|{BLANKS}$', '', 'g'), '')"
    return f"case when {_is_plain(text)} then {text} when {may_be} then {without} else {text} end"


def may_start_blank(text: str) -> str:
    """Return the condition that the first letter of a text may be a blank, which is quickly told."""
    return f"({text} < '!' or {text} between '\u1680' and '\u3001' or starts_with({text}, '\u00a0') or starts_with({text}, '\ufeff'))"


def _is_plain(text: str) -> str:
    """Return the condition that a text starts and ends with a letter, digit or sign of ASCII, as nearly all do."""
    return f"({text} between '!' and '~' and {text}[-1] between '!' and '~')"
