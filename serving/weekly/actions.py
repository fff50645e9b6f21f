"""What to do about a reason: a small table that a project edits, reason and band to action."""

from __future__ import annotations

from collections.abc import Mapping

DEFAULT_ACTIONS = {
    "recency": "remind them of what they came for",
    "usage": "show what they have not tried yet",
    "rhythm": "write at the time of their usual visit",
    "trend": "ask what has changed",
    "purchases": "offer something like their last purchase",
    "device": "check that the app works for them on this device",
    "channel": "greet them anew as for their channel",
    "event_mix": "show what they have not tried yet",
    "attributes": "choose by the attribute that is named",
}
DEFAULT_ACTION = "get in touch"


def action_of(code: str | None, band: str | None, *, actions: Mapping[str, str]) -> str:
    """Return the action for the first reason of a user.

    Parameters
    ----------
    actions
        ``code`` or ``code.band`` to action, as in ``[export.actions]``; what it does not name is taken from :data:`DEFAULT_ACTIONS`.

    Examples
    --------
    >>> action_of("recency", "high", actions={"recency.high": "call", "trend": "ask"})
    'call'
    >>> action_of("recency", "medium", actions={"recency.high": "call"})
    'remind them of what they came for'
    """
    known = DEFAULT_ACTIONS | dict(actions)
    return known.get(f"{code}.{band}") or known.get(str(code)) or DEFAULT_ACTION
