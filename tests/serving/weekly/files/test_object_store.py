"""A list in an object store: a real S3 server on this machine, spoken to by the client that production uses."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from features.errors import InputError
from serving.weekly.files.destinations import Delivery, deliver
from tests.s3_server import s3_server
from tests.serving.weekly.files.conftest import ADDRESS

PLACE = "s3://crm/lists/shop/2026-W47/vip/abc123"


@pytest.fixture
def store() -> Iterator[Any]:
    """A server with the empty bucket ``crm``, as somebody else sees it; the usual variables lead there."""
    with s3_server("s3cr3t"):
        fsspec.get_filesystem_class("s3").clear_instance_cache()
        other = fsspec.filesystem("s3", skip_instance_cache=True, use_listings_cache=False)
        other.mkdir("crm")
        yield other
        fsspec.get_filesystem_class("s3").clear_instance_cache()


def test_a_list_is_taken_there_once_and_completed_and_no_bucket_is_made(store: Any, folder: Path):
    assert deliver(folder, "s3://crm/lists", address=ADDRESS) == Delivery(PLACE, is_new=True)
    assert not deliver(folder, "s3://crm/lists", address=ADDRESS).is_new
    store.rm_file(f"{PLACE}/manifest.json")
    assert deliver(folder, "s3://crm/lists", address=ADDRESS).is_new
    assert all(store.cat_file(f"{PLACE}/{path.name}") == path.read_bytes() for path in folder.iterdir())
    assert len(store.find("crm")) == 4
    with pytest.raises(InputError, match="cannot be taken to s3://crn/lists/") as raised:
        deliver(folder, "s3://crn/lists", address=ADDRESS)
    assert "s3cr3t" not in str(raised.value)
    assert store.ls("") == ["crm"]
