import socket
from pathlib import Path

import pytest

from features.errors import InputError
from serving.http.server import serve
from serving.release.bundle import ServingBundle


def test_a_port_that_is_taken_is_an_error_with_the_way_out(served: ServingBundle, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(InputError, match=f"cannot listen on 127.0.0.1:{port}") as caught:
            serve(tmp_path / "served", port=port, workers=1)
    assert "--port" in caught.value.hint


def test_nothing_to_serve_is_an_error_before_anything_starts(tmp_path: Path):
    with pytest.raises(InputError, match="nothing to serve"):
        serve(tmp_path / "nowhere", port=0, workers=1)
