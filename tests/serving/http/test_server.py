import socket
from pathlib import Path

import pytest

from features.errors import InputError
from serving.http.server import serve
from serving.release.bundle import ServingBundle


def test_a_port_in_use_is_an_error_with_a_hint(bundle: ServingBundle, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(InputError, match=f"cannot listen on 127.0.0.1:{port}") as caught:
            serve(tmp_path / "served", port=port, workers=1)
    assert "--port" in caught.value.hint


def test_a_folder_without_a_bundle_is_an_error_before_the_server_starts(tmp_path: Path):
    with pytest.raises(InputError, match="nothing to serve"):
        serve(tmp_path / "nowhere", port=0, workers=1)
