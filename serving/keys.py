"""Keys of the service: who may ask, and for what.

A key is shown once, when it is made: ``churn_``, 256 random bits in hexadecimal, and a CRC-32 of both, by which a key that is
mistyped or cut short is told from one that is not known, and by which scanners find keys that were published. What is kept is its
SHA-256; a slow hash, as passwords need it, would add nothing to 256 random bits.

::

    <home>/keys/<project>/keys.json     who has a key, for what, until when
    <home>/keys/<project>/used/<id>     touched when the key is used, at most once a minute by each worker
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Literal
from zlib import crc32

import msgspec
from limits import RateLimitItem, parse
from msgspec import structs

from features.errors import InputError, closest
from features.storage.atomic import write_atomic
from features.storage.locks import locked

FILE, USED = "keys.json", "used"
FORMAT_VERSION = 1
PREFIX = "churn_"
Scope = Literal["score", "page", "metrics"]
SCOPES: tuple[Scope, ...] = ("score", "page", "metrics")
_BYTES, _CHECKSUM_CHARACTERS, _ID_CHARACTERS = 32, 8, 8
_CHARACTERS = len(PREFIX) + 2 * _BYTES + _CHECKSUM_CHARACTERS
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MAX_DAYS = 3650
_WAIT_SECONDS = 10
_DAMAGED = "put it back from a backup, or remove it and make new keys: churn keys add NAME"


class Key(msgspec.Struct, frozen=True):
    """A key, as it is kept.

    Attributes
    ----------
    name
        Of the app or the person that has it; in logs and metrics it names who asked.
    digest
        SHA-256 of the key, in hexadecimal.
    expires_at, revoked_at
        From then on it is refused; None: never.
    limit
        Items that it may ask for in a time, as ``600/minute``; empty: as many as there is room for.
    """

    name: str
    digest: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    limit: str = ""

    @property
    def id(self) -> str:
        """The first digits of its digest, which tell keys apart and give nothing away."""
        return self.digest[:_ID_CHARACTERS]

    def state(self, now: datetime) -> Literal["active", "expired", "revoked"]:
        """Tell whether it is good at an instant."""
        if self.revoked_at and self.revoked_at <= now:
            return "revoked"
        return "expired" if self.expires_at and self.expires_at <= now else "active"


class _File(msgspec.Struct, frozen=True):
    """The file, with the SHA-256 of its keys: a bit that turned in a date could bring a revoked key back."""

    format_version: int
    keys: tuple[Key, ...]
    sha256: str


class Keyring:
    """The keys of a project, by what is presented."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._by_id = {key.id: key for key in keys}

    def find(self, token: str) -> Key | None:
        """Return the key that was presented, whatever its state; None where it is not one of these."""
        digest = _digest(token)
        key = self._by_id.get(digest[:_ID_CHARACTERS])
        return key if key and hmac.compare_digest(key.digest, digest) else None


def new_token() -> str:
    """Return a new key."""
    start = PREFIX + secrets.token_hex(_BYTES)
    return start + _checksum(start)


def is_well_formed(token: str) -> bool:
    """Tell whether it can be a key: neither mistyped nor cut short.

    Examples
    --------
    >>> token = new_token()
    >>> is_well_formed(token), is_well_formed(token[:-1]), is_well_formed("churn_")
    (True, False, False)
    """
    start, checksum = token[:-_CHECKSUM_CHARACTERS], token[-_CHECKSUM_CHARACTERS:]
    return len(token) == _CHARACTERS and token.startswith(PREFIX) and checksum == _checksum(start)


@cache
def limit_of(text: str) -> RateLimitItem:
    """Read a limit.

    Raises
    ------
    InputError
        When it is none.

    Examples
    --------
    >>> limit = limit_of("600/minute")
    >>> limit.amount, limit.get_expiry()
    (600, 60)
    """
    try:
        return parse(text)
    except ValueError as error:
        hint = "items and a time, as 600/minute, 10/second or 100000/day"
        raise InputError(f"the limit of a key: got {text!r}", hint=hint) from error


def _checksum(start: str) -> str:
    return f"{crc32(start.encode()):08x}"


def _sum(keys: Sequence[Key]) -> str:
    return hashlib.sha256(msgspec.json.encode(keys)).hexdigest()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@dataclass(frozen=True)
class NewKey:
    """What a new key is for, before it is made.

    Attributes
    ----------
    days
        After which it expires; None: never.
    """

    name: str
    scopes: Collection[Scope] = ("score",)
    days: int | None = None
    limit: str = ""

    def kept(self, token: str, now: datetime) -> Key:
        """Return the key, as it is kept.

        Raises
        ------
        InputError
            When name, scopes, days or limit cannot be meant.
        """
        if not _NAME.fullmatch(self.name):
            what = f"the name of a key: got {self.name!r}, expected at most 64 letters, digits, dots, dashes and underscores"
            raise InputError(what, hint="name the app that will have it, as in: churn keys add shop-app")
        if unknown := sorted(set(self.scopes) - set(SCOPES)):
            raise InputError(f'a scope of a key: got "{unknown[0]}"', hint=closest(unknown[0], SCOPES))
        if self.days is not None and not 1 <= self.days <= _MAX_DAYS:
            raise InputError(f"days: got {self.days}, expected 1 to {_MAX_DAYS}", hint="without days it never expires")
        if self.limit:
            limit_of(self.limit)
        scopes: tuple[Scope, ...] = tuple(one for one in SCOPES if one in self.scopes)
        expires_at = None if self.days is None else now + timedelta(days=self.days)
        return Key(self.name, _digest(token), scopes, now, expires_at, limit=self.limit)


@dataclass(frozen=True)
class KeyFolder:
    """The keys of one project, in a folder of the home."""

    folder: Path

    def read(self) -> tuple[Key, ...]:
        """Return all keys, also those that expired or were revoked; none where there is no file.

        Raises
        ------
        InputError
            When the file cannot be read, is damaged, or of a newer version.
        """
        path = self.folder / FILE
        try:
            found = msgspec.json.decode(path.read_bytes(), type=_File)
        except FileNotFoundError:
            return ()
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path} cannot be read: {type(error).__name__}", hint=_DAMAGED) from error
        if found.format_version > FORMAT_VERSION:
            what = f"{path} is of format {found.format_version}, expected at most {FORMAT_VERSION}"
            raise InputError(what, hint="use the version of churn that wrote it")
        if found.sha256 != _sum(found.keys):
            raise InputError(f"{path} cannot be read: it is not what was written", hint=_DAMAGED)
        return found.keys

    def add(self, new: NewKey, *, now: datetime) -> tuple[Key, str]:
        """Make a key; return it, and what its owner has to send, which is kept nowhere.

        Raises
        ------
        InputError
            When there is one of this name that was not revoked.
        """
        with self._alone():
            keys, token = self.read(), new_token()
            if any(key.name == new.name and not key.revoked_at for key in keys):
                hint = f"choose another name, or revoke that one first: churn keys revoke {new.name}"
                raise InputError(f'there is a key named "{new.name}" already', hint=hint)
            key = new.kept(token, now)
            self._write([*keys, key])
        return key, token

    def revoke(self, name: str, *, now: datetime) -> Key:
        """Revoke the key of a name or an id.

        Raises
        ------
        InputError
            When there is none that is not revoked yet.
        """
        with self._alone():
            keys = self.read()
            valid = [key for key in keys if not key.revoked_at]
            found = next((key for key in valid if name in {key.name, key.id}), None)
            if found is None:
                hint = closest(name, [key.name for key in valid]) if valid else "churn keys list shows them all"
                raise InputError(f'there is no key named "{name}" that is not revoked yet', hint=hint)
            revoked = structs.replace(found, revoked_at=now)
            self._write([revoked if key is found else key for key in keys])
        return revoked

    def last_used(self, key: Key) -> datetime | None:
        """Return when a service last let somebody in with a key, to a minute; None: never, as far as it is known."""
        try:
            seconds = (self.folder / USED / key.id).stat().st_mtime
        except OSError:
            return None
        return datetime.fromtimestamp(seconds, UTC)

    def mark_used(self, key_id: str) -> None:
        """Record that a key was used now; nothing is recorded where nothing can be written."""
        with suppress(OSError):
            (self.folder / USED).mkdir(exist_ok=True)
            (self.folder / USED / key_id).touch()

    def _alone(self) -> AbstractContextManager[None]:
        busy = InputError(f"{self.folder}: another run is changing the keys", hint="try again")
        return locked(self.folder / ".lock", busy, wait_seconds=_WAIT_SECONDS)

    def _write(self, keys: Sequence[Key]) -> None:
        content = msgspec.json.encode(_File(FORMAT_VERSION, tuple(keys), _sum(keys)))
        write_atomic(self.folder / FILE, msgspec.json.format(content, indent=1))
