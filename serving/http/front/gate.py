"""The gate: who may ask what, by the key that comes with a request. Probes are for everybody.

Without keys the service answers on loopback only, however it was started, and only under a name of this machine or an address, so that no
other site can read answers by a name that it lets point here (DNS rebinding). Pages and profiles are then not passed on by a proxy.
Once there were keys, a file of theirs that is missing or cannot be read lets nobody in.
"""

from __future__ import annotations

import base64
import binascii
import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from starlette.types import Scope

from features.errors import InputError
from serving.http.front.paths import EXPLAIN_PATH, NEEDED, PAGE_PATHS
from serving.http.problems import FORBIDDEN, NOT_READY, UNAUTHORIZED, Headers, RequestProblem
from serving.keys import FILE, SCOPES, Key, KeyFolder, Keyring, is_well_formed

KEYS_VARIABLE = "CHURN_KEYS"  # folder of the keys
REQUIRED_VARIABLE = "CHURN_KEYS_REQUIRED"  # set: a missing file of keys lets nobody in
_FORWARDED = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via"})  # by a proxy
_LOCAL_PATHS = PAGE_PATHS | {EXPLAIN_PATH}  # without keys for this machine alone
_MARK_EVERY_SECONDS = 60
_BEARER: Headers = (("WWW-Authenticate", 'Bearer realm="churn"'),)
# a browser asks for a name and a password then
_BASIC: Headers = (("WWW-Authenticate", 'Basic realm="churn: any name, and a key as the password", charset="UTF-8"'),)
_ADD = "churn keys add NAME makes one"

_log = logging.getLogger("churn.serving")


class Gate:
    """Lets requests in, or says why not.

    Parameters
    ----------
    folder
        Of the keys; None: there are none, and only loopback is answered.
    is_required
        Whether nobody is let in without keys, even while there is no file of them.
    """

    def __init__(self, folder: KeyFolder | None = None, *, is_required: bool = False) -> None:
        self._folder = folder
        self._is_on = is_required
        self._ring: Keyring | None = None
        self._seen: tuple[int, int] | bool = False  # False: not read yet, or it could not be; True: there was no file
        self._why = ""
        self._used: dict[str, float] = {}
        self._marked: dict[str, float] = {}
        self.look()

    @classmethod
    def from_environment(cls) -> Gate:
        """Return the gate of a service, as its environment says."""
        named = os.environ.get(KEYS_VARIABLE)
        folder = KeyFolder(Path(named)) if named else None
        return cls(folder, is_required=REQUIRED_VARIABLE in os.environ)

    @property
    def is_on(self) -> bool:
        """Whether nobody is let in without a key."""
        return self._is_on

    def look(self) -> None:
        """Read the keys again, if their file is another one, and record which were used."""
        if self._folder is None:
            return
        mark = _mark(self._folder.folder / FILE)
        if not mark or mark != self._seen:
            self._seen = mark if self._read(self._folder, is_there=mark is not True) else False
        for key_id, at in tuple(self._used.items()):
            if at - self._marked.get(key_id, 0.0) >= _MARK_EVERY_SECONDS:
                self._marked[key_id] = at
                self._folder.mark_used(key_id)

    def _read(self, folder: KeyFolder, *, is_there: bool) -> bool:
        """Read the keys; return False where the disk failed, which may pass, and not the content."""
        may_pass = False
        self._is_on = self._is_on or is_there
        try:
            self._ring = Keyring(folder.read()) if is_there else None
            why = "" if is_there else f"{folder.folder / FILE} is not there"
        except InputError as error:
            self._ring, why = None, error.message
            may_pass = isinstance(error.__cause__, OSError)
        if self._is_on and why and why != self._why:
            _log.error("nobody is let in: %s", why)
        self._why = why
        return not may_pass

    def admit(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Key | None:
        """Return the key of who asks; None where none is needed.

        Raises
        ------
        RequestProblem
            When nobody may ask this, or not without a key, or not with this one.
        """
        path: str = scope["path"]
        needed = NEEDED.get(path)
        if needed is None:
            return None
        if not self._is_on:
            _check_is_local(scope, headers, path=path)
            return None
        if self._ring is None:
            raise RequestProblem("the keys cannot be read", kind=NOT_READY, hint="the log says why")
        key = self._known(headers.get(b"authorization", b""), _BASIC if path in PAGE_PATHS else _BEARER)
        if not needed.intersection(key.scopes):
            what = f"this key is for {' and '.join(key.scopes)}, expected one for {_either(needed)}"
            raise RequestProblem(what, kind=FORBIDDEN, hint="churn keys add NAME --scope SCOPE makes another")
        self._used[key.id] = datetime.now(UTC).timestamp()
        return key

    def _known(self, authorization: bytes, asked: Headers) -> Key:
        """Return the key that is presented, if it is good now."""
        token = _token(authorization)
        if not token:
            raise _unauthorized("a key is needed", "Authorization: Bearer churn_...", headers=asked)
        if not is_well_formed(token):
            raise _unauthorized("the key is mistyped or cut short", _ADD, headers=asked)
        key = self._ring.find(token) if self._ring else None
        if key is None:
            raise _unauthorized("the key is not known here", _ADD, headers=asked)
        state = key.state(datetime.now(UTC))
        if state != "active":
            raise _unauthorized(f"the key is {state}", _ADD, headers=asked)
        return key


def _unauthorized(what: str, hint: str, *, headers: Headers) -> RequestProblem:
    return RequestProblem(what, kind=UNAUTHORIZED, hint=hint, headers=headers)


def _either(scopes: frozenset[str]) -> str:
    return " or ".join(scope for scope in SCOPES if scope in scopes)


def _token(authorization: bytes) -> str:
    """Return what comes as ``Bearer <key>``, or as ``Basic`` with the key as the password, as browsers send it."""
    scheme, _, sent = authorization.decode("latin-1").partition(" ")
    match scheme.lower():
        case "bearer":
            return sent.strip()
        case "basic":
            try:
                return base64.b64decode(sent, validate=True).decode("latin-1").partition(":")[2]
            except (binascii.Error, ValueError):
                return ""
        case _:
            return ""


def _check_is_local(scope: Scope, headers: Mapping[bytes, bytes], *, path: str) -> None:
    """Refuse what did not come in through loopback, or under a foreign name; pages and profiles also through a proxy.

    Prometheus is no exception: without keys it can only scrape from this machine, where it asks for ``localhost``.
    """
    server = scope.get("server")  # its own address; None: a socket of this machine
    if server and not is_loopback(server[0]):
        hint = f"{_ADD}; {KEYS_VARIABLE} names their folder"
        raise RequestProblem("without keys only loopback is answered", kind=FORBIDDEN, hint=hint)
    hint = f"ask for http://127.0.0.1, or make a key: {_ADD}"
    host = _name(headers.get(b"host", b"localhost"))
    if path not in _LOCAL_PATHS:
        if not (_address(host) or is_loopback(host)):
            raise RequestProblem("without keys another name than localhost is not answered", kind=FORBIDDEN, hint=hint)
        return
    is_passed_on = not headers.keys().isdisjoint(_FORWARDED)
    if is_passed_on or not is_loopback(host):
        raise RequestProblem(
            "without keys pages and profiles are shown to this machine only", kind=FORBIDDEN, hint=hint
        )


@lru_cache(maxsize=256)
def _name(host: bytes) -> str:
    """Return the name in a ``Host`` header, without the port."""
    text = host.decode("latin-1")
    return text.partition("]")[0].lstrip("[") if text.startswith("[") else text.partition(":")[0]


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Tell whether an address is this machine's own, where nobody else can listen or ask.

    Examples
    --------
    >>> [is_loopback(host) for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "192.0.2.7", "example.org")]
    [True, True, True, False, False, False]
    """
    found = _address(host)
    return found.is_loopback if found else host.lower() == "localhost"


@lru_cache(maxsize=256)
def _address(host: str) -> IPv4Address | IPv6Address | None:
    """Return a host that is an address, which no other site can let point here; None: it is a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def _mark(path: Path) -> tuple[int, int] | bool:
    """Return what changes when a file is replaced; True where there is none, False where that cannot be told."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return found.st_ino, found.st_mtime_ns
