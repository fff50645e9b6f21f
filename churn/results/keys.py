"""Keys of the service, without the keys themselves; and a key that was just made."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from churn.results.result import Result


@dataclass(frozen=True)
class KeyState:
    """A key, as far as it is kept.

    Attributes
    ----------
    state
        ``active``, ``expired`` or ``revoked``.
    expires_at
        None: never.
    last_used_at
        To a minute; None: never, as far as it is known.
    limit
        Items in a time, in each worker; empty: no limit.
    """

    name: str
    id: str
    scopes: tuple[str, ...]
    state: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    limit: str

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        texts = {name: at.isoformat() if at else None for name, at in self._times.items()}
        return asdict(self) | {"scopes": list(self.scopes)} | texts

    @property
    def row(self) -> dict[str, str]:
        """For a table."""
        times = {name: f"{at:%Y-%m-%d %H:%M}" if at else "never" for name, at in self._times.items()}
        return {"name": self.name, "id": self.id, "scopes": " ".join(self.scopes), "state": self.state} | {
            "created": times["created_at"],
            "expires": times["expires_at"],
            "last used": times["last_used_at"],
            "limit": self.limit or "none",
        }

    @property
    def _times(self) -> dict[str, datetime | None]:
        return {"created_at": self.created_at, "expires_at": self.expires_at, "last_used_at": self.last_used_at}


@dataclass(frozen=True, repr=False)
class Keys(Result):
    """All keys of the service of a project, the oldest first."""

    keys: tuple[KeyState, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"keys": [key.to_json() for key in self.keys]}

    @property
    def title(self) -> str:
        """How many there are."""
        active = sum(key.state == "active" for key in self.keys)
        return f"{len(self.keys)} keys, {active} active"

    @property
    def summary(self) -> dict[str, Any]:
        """Name to state."""
        return {f"{key.name} {key.id}": key.state for key in self.keys}


@dataclass(frozen=True, repr=False)
class KeyMade(Result):
    """A new key.

    Attributes
    ----------
    token
        What its owner has to send; it is kept nowhere.
    """

    key: KeyState
    token: str

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return self.key.to_json() | {"key": self.token}

    @property
    def title(self) -> str:
        """Whose it is."""
        return f"Key of {self.key.name}, shown this once"

    @property
    def summary(self) -> dict[str, Any]:
        """The key, and how it is sent."""
        until = f"{self.key.expires_at:%Y-%m-%d %H:%M} UTC" if self.key.expires_at else "it is revoked"
        sent = {"send it as": "Authorization: Bearer ..., or as the password of Basic"}
        return {"key": self.token, "for": " ".join(self.key.scopes), "until": until} | sent
