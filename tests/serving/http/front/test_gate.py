"""Who is let in, asked as the front asks: with the scope and the headers of a request."""

import base64
import errno
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import pytest

from serving.http.front.gate import Gate
from serving.http.front.paths import EXPLAIN_PATH, NEEDED, PAGE_PATHS, PROBES
from serving.http.problems import RequestProblem
from serving.keys import FILE, KeyFolder, NewKey, Scope, new_token

NOW = datetime.now(UTC)
LOCAL, OTHER = ("127.0.0.1", 3000), ("192.0.2.7", 3000)


def ask(
    gate: Gate, path: str = "/v1/score", *, token: str = "", server: tuple[str, int] | None = LOCAL, **headers: str
):
    sent = {name.encode(): value.encode() for name, value in headers.items()}
    if token:
        sent[b"authorization"] = f"Bearer {token}".encode()
    return gate.admit({"type": "http", "path": path, "server": server}, sent)


def status(gate: Gate, path: str = "/v1/score", **asked: object) -> int:
    try:
        ask(gate, path, **asked)  # type: ignore[arg-type]
    except RequestProblem as problem:
        return problem.kind.status
    return 200


@pytest.fixture
def folder(tmp_path: Path) -> KeyFolder:
    return KeyFolder(tmp_path)


def made(folder: KeyFolder, *scopes: Scope, name: str = "app", days: int | None = None) -> str:
    return folder.add(NewKey(name, scopes or ("score",), days), now=NOW)[1]


# --- Without keys ---------------------------------------------------------------------------------------------------


def test_without_keys_this_machine_is_answered_and_nobody_else(folder: KeyFolder):
    for gate in (Gate(), Gate(folder)):
        for path in NEEDED:
            assert status(gate, path) == 200
            assert status(gate, path, server=("::1", 3000)) == 200
            assert status(gate, path, server=None) == 200
            assert status(gate, path, server=OTHER) == 403
            assert status(gate, path, server=("0.0.0.0", 1)) == 403


def test_probes_are_for_everybody(folder: KeyFolder):
    made(folder)
    for path in PROBES:
        assert status(Gate(), path, server=OTHER) == status(Gate(folder), path) == 200
        assert status(Gate(KeyFolder(folder.folder / "gone"), is_required=True), path) == 200


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1:3000", 200),
        ("localhost", 200),
        ("[::1]:3000", 200),
        ("evil.example", 403),
        ("127.0.0.1.nip.io", 403),
        ("", 403),
    ],
)
def test_without_keys_nothing_but_probes_is_answered_under_a_name_that_may_be_of_another_site(host: str, expected: int):
    for path in NEEDED:
        assert status(Gate(), path, host=host) == expected
    for path in PROBES:
        assert status(Gate(), path, host=host) == 200


def test_without_keys_an_address_is_a_name_that_no_other_site_can_have_but_pages_are_for_this_machine():
    for host in ("192.0.2.7:3000", "[2001:db8::7]:3000"):
        found = {path: status(Gate(), path, host=host) for path in NEEDED}
        assert {path for path, code in found.items() if code == 403} == PAGE_PATHS | {EXPLAIN_PATH}


def test_with_keys_a_service_has_any_name(folder: KeyFolder):
    token = made(folder)
    assert status(Gate(folder), token=token, host="scores.shop.example") == 200


# --- With keys ------------------------------------------------------------------------------------------------------


def test_a_key_opens_what_it_is_for_and_nothing_else(folder: KeyFolder):
    tokens: dict[Scope, str] = {one: made(folder, one, name=one) for one in ("score", "page", "metrics")}
    gate = Gate(folder)
    for path, needed in NEEDED.items():
        assert status(gate, path) == 401
        for scope, token in tokens.items():
            assert status(gate, path, token=token) == (200 if scope in needed else 403)


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("", "a key is needed"),
        ("churn_", "mistyped or cut short"),
        ("x" * 78, "mistyped or cut short"),
        (new_token(), "not known here"),
    ],
    ids=["none", "prefix alone", "no checksum", "another"],
)
def test_what_is_wrong_with_a_key_is_said_and_how_to_send_one(folder: KeyFolder, token: str, said: str):
    made(folder)
    with pytest.raises(RequestProblem, match=said) as refused:
        ask(Gate(folder), token=token)
    assert refused.value.kind.status == 401
    assert dict(refused.value.headers)["WWW-Authenticate"].startswith("Bearer")
    assert token not in str(refused.value) or not token


def test_a_browser_is_asked_for_a_password_on_pages_alone(folder: KeyFolder):
    made(folder)
    with pytest.raises(RequestProblem) as refused:
        ask(Gate(folder), "/")
    assert dict(refused.value.headers)["WWW-Authenticate"].startswith("Basic")


def test_a_key_may_come_as_a_password(folder: KeyFolder):
    token = made(folder)
    basic = base64.b64encode(f"anybody:{token}".encode()).decode()
    assert status(Gate(folder), authorization=f"basic {basic}") == 200
    assert status(Gate(folder), authorization=f"Basic {basic[:-4]}") == 401
    for broken in ("Basic", "Basic %%%", "Basic \xff", "Digest x", token, "Bearer"):
        assert status(Gate(folder), authorization=broken) == 401


def test_a_key_is_taken_and_refused_without_a_restart(folder: KeyFolder):
    gate = Gate(folder)
    assert status(gate) == 200  # nobody has a key yet
    token = made(folder)
    gate.look()
    assert (status(gate), status(gate, token=token)) == (401, 200)
    folder.revoke("app", now=NOW)
    gate.look()
    assert status(gate, token=token) == 401


def test_a_key_expires_without_a_look(folder: KeyFolder):
    token = folder.add(NewKey("app", days=1), now=NOW - timedelta(days=1, seconds=1))[1]
    with pytest.raises(RequestProblem, match="the key is expired"):
        ask(Gate(folder), token=token)


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"{")], ids=["gone", "damaged"])
def test_a_file_that_cannot_be_read_lets_nobody_in(folder: KeyFolder, damage: object, caplog: pytest.LogCaptureFixture):
    token = made(folder)
    gate = Gate(folder)
    damage(folder.folder / FILE)  # type: ignore[operator]
    with caplog.at_level(logging.ERROR):
        gate.look()
        gate.look()
    assert (status(gate), status(gate, token=token), status(gate, "/readyz")) == (503, 503, 200)
    assert [record.message.startswith("nobody is let in") for record in caplog.records] == [True]
    assert caplog.records[0].exc_info is None


def test_keys_that_could_not_be_read_for_a_moment_are_read_again(
    folder: KeyFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    token = made(folder)
    gate = Gate(folder)
    folder.add(NewKey("later"), now=NOW)
    with monkeypatch.context() as context, caplog.at_level(logging.ERROR):
        context.setattr(Path, "read_bytes", fails)
        gate.look()
        gate.look()
        assert status(gate, token=token) == 503
    assert len(caplog.records) == 1
    gate.look()
    assert status(gate, token=token) == 200


def test_nobody_is_let_in_while_it_cannot_be_told_whether_there_are_keys(
    folder: KeyFolder, monkeypatch: pytest.MonkeyPatch
):
    token = made(folder)
    with monkeypatch.context() as context:
        context.setattr(Path, "stat", fails)
        context.setattr(Path, "read_bytes", fails)
        gate = Gate(folder)
    assert status(gate) == 503
    gate.look()
    assert (status(gate), status(gate, token=token)) == (401, 200)


def fails(*_: object, **__: object) -> NoReturn:
    raise OSError(errno.EIO, "Input/output error")


def test_where_keys_are_required_nobody_is_let_in_before_there_are_any(folder: KeyFolder):
    gate = Gate(folder, is_required=True)
    assert status(gate) == 503
    token = made(folder)
    gate.look()
    assert status(gate, token=token) == 200


def test_the_use_of_a_key_is_marked_once_a_minute(folder: KeyFolder):
    token = made(folder)
    gate, (key,) = Gate(folder), folder.read()
    gate.look()
    assert folder.last_used(key) is None
    assert ask(gate, token=token) == key
    gate.look()
    first = folder.last_used(key)
    assert first is not None
    ask(gate, token=token)
    gate.look()
    assert folder.last_used(key) == first


def test_a_key_that_is_refused_is_not_marked_as_used(folder: KeyFolder):
    token = made(folder, "metrics")
    gate, (key,) = Gate(folder), folder.read()
    assert status(gate, token=token) == 403
    gate.look()
    assert folder.last_used(key) is None
