"""Keys of the service of a project: made, listed and revoked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from churn.results import KeyMade, Keys
from churn.results.keys import KeyState
from churn.workspace import Workspace
from serving.http.server import Access
from serving.keys import Key, KeyFolder, NewKey, Scope


class ServiceKeys:
    """The keys of a project.

    Examples
    --------
    ::

        token = churn.Project().keys.add("shop-app", days=365).token
    """

    def __init__(self, project: Workspace) -> None:
        self._settings, self._base = project.settings.serving, project.base
        self._folder = KeyFolder(project.home.keys(project.name))

    def list(self) -> Keys:
        """List the keys: whose they are, what for, until when, and when they were last used."""
        now = _now()
        return Keys(tuple(self._state(key, now) for key in self._folder.read()))

    def add(
        self, name: str, *, scopes: Sequence[Scope] = ("score",), days: int | None = None, limit: str = ""
    ) -> KeyMade:
        """Make a key; the result is the only place where it is to be seen.

        Parameters
        ----------
        name
            Of the app that will have it.
        scopes
            What for: ``score``, ``page`` (which shows profiles) or ``metrics``.
        days
            After which it expires; None: never.
        limit
            Items that it may ask for in a time, as ``600/minute``, in each worker; empty: no limit.
        """
        now = _now()
        key, token = self._folder.add(NewKey(name, tuple(scopes), days, limit), now=now)
        return KeyMade(self._state(key, now), token)

    def revoke(self, name: str) -> Keys:
        """Revoke a key by its name or id; a running service refuses it within two seconds. Return all keys."""
        self._folder.revoke(name, now=_now())
        return self.list()

    def access(self) -> Access:
        """Return where the service listens, and who may ask."""
        files = (self._settings.tls_certificate, self._settings.tls_key)
        certificate, private_key = (Path(self._base, one).resolve() if one else None for one in files)
        return Access(self._settings.host, self._folder.folder, certificate, private_key)

    def _state(self, key: Key, now: datetime) -> KeyState:
        times = (key.created_at, key.expires_at, self._folder.last_used(key))
        return KeyState(key.name, key.id, key.scopes, key.state(now), *times, key.limit)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
