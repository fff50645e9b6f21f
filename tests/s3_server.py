"""A real S3 server on this machine, to which the usual variables lead."""

import os
from collections.abc import Generator
from contextlib import contextmanager

import pytest
from moto.server import ThreadedMotoServer


@contextmanager
def s3_server(secret: str = "secret") -> Generator[str]:  # noqa: S107 -- of no account
    """Start it; return its URL."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    given = {
        "ENDPOINT_URL": f"http://{host}:{port}",
        "ACCESS_KEY_ID": "key",
        "SECRET_ACCESS_KEY": secret,
        "DEFAULT_REGION": "us-east-1",
        "CONFIG_FILE": os.devnull,
        "SHARED_CREDENTIALS_FILE": os.devnull,
        "EC2_METADATA_DISABLED": "true",
    }
    with pytest.MonkeyPatch.context() as environment:
        for name, value in given.items():
            environment.setenv(f"AWS_{name}", value)
        yield given["ENDPOINT_URL"]
    server.stop()
