import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from features.errors import InputError, SettingsError
from serving.http.front.gate import KEYS_VARIABLE, REQUIRED_VARIABLE
from serving.http.server import Access, serve
from serving.keys import KeyFolder, NewKey
from serving.release.bundle import ServingBundle
from tests.serving.certificate import certificate

NOW = datetime.now(UTC)


def test_a_port_in_use_is_an_error_with_a_hint(bundle: ServingBundle, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(InputError, match=f"cannot listen on 127.0.0.1:{port}") as caught:
            serve(tmp_path / "served", port=port, workers=1)
    assert "--port" in caught.value.hint


def test_a_folder_without_a_bundle_is_an_error_before_the_server_starts(tmp_path: Path):
    with pytest.raises(InputError, match="nothing to serve"):
        serve(tmp_path / "nowhere", port=0, workers=1)


def test_an_address_that_others_reach_needs_a_key(bundle: ServingBundle, tmp_path: Path):
    keys = KeyFolder(tmp_path / "keys")
    for folder in (None, keys.folder):
        with pytest.raises(SettingsError, match=r"\[serving\] host: got 0.0.0.0, which others reach") as refused:
            serve(tmp_path / "served", port=1, workers=1, access=Access("0.0.0.0", folder))
        assert "churn keys add" in refused.value.hint
    keys.add(NewKey("app"), now=NOW)
    assert Access("0.0.0.0", keys.folder).environment().keys() == {KEYS_VARIABLE, REQUIRED_VARIABLE}
    keys.revoke("app", now=NOW)
    with pytest.raises(SettingsError, match="there is no key"):
        Access("0.0.0.0", keys.folder).environment()


def test_on_loopback_keys_are_required_once_there_was_one(tmp_path: Path):
    keys = KeyFolder(tmp_path)
    assert Access(keys=keys.folder).environment().keys() == {KEYS_VARIABLE}
    keys.add(NewKey("app"), now=NOW)
    keys.revoke("app", now=NOW)
    assert REQUIRED_VARIABLE in Access(keys=keys.folder).environment()


def test_a_certificate_that_cannot_be_used_is_refused_by_its_name(tmp_path: Path):
    certificate_file, key = certificate(tmp_path)
    assert "--ssl-certfile" in Access(certificate=certificate_file, private_key=key).options()
    for one, other in ((certificate_file, tmp_path / "nothing.pem"), (key, certificate_file)):
        with pytest.raises(SettingsError, match=r"tls_certificate and tls_key: .*pem cannot be used"):
            Access(certificate=one, private_key=other).options()
