"""``churn keys``, and what it leaves."""

import json
from pathlib import Path

import pytest

from churn.project import Project
from features.errors import SettingsError
from serving.keys import FILE, KeyFolder, Keyring
from tests.churn.conftest import Command


def added(command: Command, *arguments: str) -> dict[str, str]:
    ran = command("keys", "add", *arguments, "--home", "home", "--json")
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def test_a_key_is_shown_once_and_opens_what_it_is_for(command: Command, tmp_path: Path):
    made = added(command, "shop-app", "--scope", "metrics", "--scope", "score", "--days", "30", "--limit", "600/minute")
    assert (made["name"], made["scopes"], made["state"], made["limit"]) == (
        "shop-app",
        ["score", "metrics"],
        "active",
        "600/minute",
    )
    key = Keyring(KeyFolder(tmp_path / "home/keys/churn").read()).find(made["key"])
    assert key is not None
    assert key.id == made["id"]
    for form in ((), ("--json",)):
        listed = command("keys", *form, "--home", "home")
        assert "shop-app" in listed.out
        assert made["key"] not in listed.out


def test_people_see_the_key_and_how_it_is_sent(command: Command):
    ran = command("keys", "add", "app", "--home", "home")
    assert "churn_" in ran.out
    assert "Authorization: Bearer" in ran.out


def test_a_revoked_key_stays_in_the_list(command: Command):
    made = added(command, "app")
    assert command("keys", "revoke", made["id"], "--home", "home").code == 0
    (key,) = json.loads(command("keys", "list", "--home", "home", "--json").out)["keys"]
    assert (key["name"], key["state"], key["last_used_at"]) == ("app", "revoked", None)
    assert command("keys", "revoke", "app", "--home", "home").code == 2


def test_without_keys_it_says_who_can_ask(command: Command):
    ran = command("keys", "--home", "home")
    assert (ran.code, "only this machine" in ran.out) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add",), "expected a name"),
        (("list", "app"), "expected a name"),
        (("revoke", "app"), 'no key named "app"'),
        (("revoke", "app", "--days", "3"), "of a new key"),
        (("add", "app", "--scope", "all"), 'got "all"'),
        (("add", "app", "--limit", "many"), "600/minute"),
    ],
)
def test_what_cannot_be_meant_is_refused(command: Command, tmp_path: Path, arguments: tuple[str, ...], said: str):
    ran = command("keys", *arguments, "--home", "home")
    assert ran.code == 2
    assert said in ran.err
    assert not list(tmp_path.rglob(FILE))


def test_where_the_service_listens_is_read_from_the_settings_and_next_to_them(tmp_path: Path):
    (tmp_path / "churn.toml").write_text(
        '[serving]\nhost = "192.0.2.7"\ntls_certificate = "tls/chain.pem"\ntls_key = "/etc/key.pem"\n'
    )
    access = Project(tmp_path / "churn.toml", home=tmp_path / "home").keys.access()
    assert (access.host, access.certificate, access.private_key) == (
        "192.0.2.7",
        tmp_path / "tls/chain.pem",
        Path("/etc/key.pem"),
    )
    with pytest.raises(SettingsError, match="there is no key"):
        access.environment()
