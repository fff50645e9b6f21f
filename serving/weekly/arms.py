"""Arms: who is held out on purpose, so that contacting can be measured. A keyed hash of epoch and user decides, and nothing else.

A user is held out where the first eight bytes (big-endian) of HMAC-SHA256(key, epoch + NUL + user id, in UTF-8), divided by 2^64,
are below the share. Ten lines in any language give the same arms; without the key, nobody can tell them beforehand.

Source: HMAC, RFC 2104; assignment by hash, Kohavi, Tang and Xu 2020, "Trustworthy Online Controlled Experiments", chapter 4.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.errors import InputError
from features.storage.atomic import sync, write_atomic
from features.storage.locks import locked
from features.storage.marks import sealed, unsealed

TREATED, HELD_OUT = "treated", "held_out"
Period = Literal["month", "quarter", "year"]
KEY_FILE, EPOCHS_FILE = "key", "epochs.json"
FORMAT_VERSION = 1
_KEY_BYTES = 32


@dataclass(frozen=True)
class Arms:
    """The arms of one epoch.

    Attributes
    ----------
    key
        Secret; never printed.
    epoch
        Name of the period for which arms hold, as 2026-Q4.
    share
        Of all users that are held out, 0 to 0.5.
    merged
        User to the ids that became this user within the epoch: who was held out under one of them still is.
    kept
        User to the arm that still holds, because the window of the user's entry is open.
    given
        User to the arm that was assigned elsewhere; it wins.
    """

    key: bytes = field(repr=False)
    epoch: str
    share: float
    merged: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    kept: Mapping[str, str] = field(default_factory=dict[str, str])
    given: Mapping[str, str] = field(default_factory=dict[str, str])

    def held_out(self, user_ids: Sequence[str]) -> NDArray[np.bool_]:
        """Tell who is held out, shape (n,)."""
        return np.array([self.of(one) == HELD_OUT for one in user_ids], dtype=np.bool_)

    def of(self, user_id: str) -> str:
        """Return the arm of one user."""
        if arm := self.given.get(user_id):
            return arm
        ids = (user_id, *self.merged.get(user_id, ()))
        return HELD_OUT if any(self._is_held_out(one) for one in ids) else TREATED

    def _is_held_out(self, one_id: str) -> bool:
        if not self.share:  # the experiment is over, for arms of earlier epochs too
            return False
        if arm := self.kept.get(one_id):
            return arm == HELD_OUT
        return self._fraction(one_id) < self.share

    def _fraction(self, user_id: str) -> float:
        """Return where a user lies between 0 and 1."""
        digest = hmac.digest(self.key, self.epoch.encode() + b"\0" + user_id.encode(), "sha256")
        return int.from_bytes(digest[:8], "big") / 2**64


def epoch_of(cutoff: date, period: Period) -> str:
    """Name the period of a cutoff.

    Examples
    --------
    >>> epoch_of(date(2026, 11, 16), "quarter"), epoch_of(date(2026, 11, 16), "month"), epoch_of(date(2026, 11, 16), "year")
    ('2026-Q4', '2026-11', '2026')
    """
    match period:
        case "month":
            return f"{cutoff.year}-{cutoff.month:02d}"
        case "quarter":
            return f"{cutoff.year}-Q{(cutoff.month + 2) // 3}"
        case "year":
            return str(cutoff.year)


def start_of(epoch: str) -> date:
    """Return the first day of a period.

    Examples
    --------
    >>> str(start_of("2026-Q4")), str(start_of("2026-11")), str(start_of("2026"))
    ('2026-10-01', '2026-11-01', '2026-01-01')
    """
    year, _, part = epoch.partition("-")
    month = 3 * int(part[1:]) - 2 if part.startswith("Q") else int(part or 1)
    return date(int(year), month, 1)


class Epoch(msgspec.Struct, frozen=True):
    """What was fixed when an epoch started: the share, and why it is that."""

    share: float
    why: str


class _Format(msgspec.Struct, frozen=True):
    format_version: int = FORMAT_VERSION


class _Epochs(_Format, frozen=True, kw_only=True):
    epochs: dict[str, Epoch]
    key: str = ""  # a digest of it, so that another one is noticed


@dataclass(frozen=True)
class ArmsFolder:
    """Key and epochs of a project, kept apart from everything that is handed out."""

    folder: Path

    def key(self) -> bytes:
        """Return the key; it is made the first time, once, and readable by its owner only.

        Raises
        ------
        InputError
            When the file is gone, though an epoch has started, or is not the key that it started with.
        """
        path, started = self.folder / KEY_FILE, self._read()
        if not path.exists():
            if started.epochs:
                raise _damaged(path)
            self._make(path, secrets.token_bytes(_KEY_BYTES))
        try:
            found = bytes.fromhex(path.read_text().strip())
        except (OSError, ValueError) as error:
            raise _damaged(path) from error
        if len(found) != _KEY_BYTES or started.key not in ("", _digest(found)):
            raise _damaged(path)
        return found

    def known_key(self) -> bytes:
        """Return the key where past lists are read: none is made.

        Raises
        ------
        InputError
            When there is none.
        """
        path = self.folder / KEY_FILE
        if not path.exists():
            words = f"{path} is gone: without it nobody knows who is held out"
            raise InputError(words, hint="put it back from a backup of the home")
        return self.key()

    def install(self, key: bytes) -> None:
        """Take a key that another home has already, as where a project moves; one that is there stays."""
        self._make(self.folder / KEY_FILE, key)

    def key_or_any(self) -> bytes:
        """Return the key, or where there is none yet one for this time only."""
        is_new = not (self.folder / KEY_FILE).exists() and not self.epochs()
        return secrets.token_bytes(_KEY_BYTES) if is_new else self.key()

    def alone(self) -> AbstractContextManager[None]:
        """Let one run at a time fix who is held out."""
        busy = InputError(f"{self.folder}: another run is fixing who is held out", hint="wait for it or end it")
        return locked(self.folder / ".lock", busy, wait_seconds=60)

    def _make(self, path: Path, key: bytes) -> None:
        """Write a key aside, and link it to its name: whoever comes first wins."""
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{KEY_FILE}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(key.hex() + "\n")
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                path.hardlink_to(draft)
            sync(self.folder)
        finally:
            draft.unlink()

    def epochs(self) -> dict[str, Epoch]:
        """Return what was fixed for each epoch.

        Raises
        ------
        InputError
            When the file is damaged, or a newer version of churn wrote it.
        """
        return self._read().epochs

    def _read(self) -> _Epochs:
        path = self.folder / EPOCHS_FILE
        try:
            content = unsealed(path.read_bytes())
            version = msgspec.json.decode(content, type=_Format).format_version
            if version > FORMAT_VERSION:
                hint = "use the version of churn that wrote it"
                raise InputError(f"{path} is of format {version}, expected at most {FORMAT_VERSION}", hint=hint)
            return msgspec.json.decode(content, type=_Epochs)
        except FileNotFoundError:
            return _Epochs(epochs={})
        except (OSError, ValueError) as error:
            raise _damaged(path) from error

    def fix(self, name: str, epoch: Epoch) -> Epoch:
        """Fix an epoch when it starts; one that is fixed already stays. The caller holds the lock of the folder."""
        known, key = self.epochs(), self.key()
        if name in known:
            return known[name]
        content = msgspec.json.encode(_Epochs(epochs=known | {name: epoch}, key=_digest(key)))
        write_atomic(self.folder / EPOCHS_FILE, sealed(content))
        return epoch


def _digest(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()[:16]


def given_arms(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Check arms that were assigned elsewhere.

    Raises
    ------
    InputError
        When one is neither ``treated`` nor ``held_out``.
    """
    found = dict(pairs)
    unknown = sorted({arm for arm in found.values() if arm not in (TREATED, HELD_OUT)})
    if unknown:
        raise InputError(
            f'[contacts] arm: got "{unknown[0]}", expected {TREATED} or {HELD_OUT}',
            hint=f"translate it with SQL, as in arm = \"case variant when 'control' then '{HELD_OUT}' else '{TREATED}' end\"",
        )
    return found


def _damaged(path: Path) -> InputError:
    return InputError(
        f"{path} is damaged: without it nobody knows who is held out", hint="put it back from a backup of the home"
    )
