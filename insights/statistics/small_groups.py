"""Which groups are shown: the largest, none so small that it tells of single people, and none to be had by subtraction."""

from __future__ import annotations

from collections.abc import Mapping

MIN_USERS, MOST = 20, 12


def shown_groups(sizes: Mapping[str, int], *, most: int = MOST, minimum: int = MIN_USERS) -> list[str]:
    """Return the groups to be shown, by size; what remains is one group, of no fewer than two and of so many users, or nothing.

    Examples
    --------
    A group of five is not shown, and with it the smallest of the others: their sum says of neither how large it is.

    >>> shown_groups({"ios": 500, "android": 400, "web": 30, "tv": 5})
    ['ios', 'android']
    """
    ordered = sorted(sizes, key=lambda name: (-sizes[name], name))
    shown = [name for name in ordered[:most] if sizes[name] >= minimum]
    rest = [name for name in ordered if name not in shown]
    while rest and shown and (len(rest) < 2 or sum(sizes[name] for name in rest) < minimum):  # noqa: PLR2004
        rest.append(shown.pop())
    return shown
