"""Files in folders and object stores."""

from pathlib import Path

import fsspec
import pytest

from features.errors import InputError, SettingsError
from features.storage.stores import copy_to, has_buckets, store_errors, without_secrets, write_to


@pytest.mark.parametrize("protocol", ["file", "memory"])
def test_a_file_is_copied_and_written_whole(protocol: str, tmp_path: Path):
    store, top = fsspec.filesystem(protocol), str(tmp_path / "there") if protocol == "file" else "/there"
    store.makedirs(top, exist_ok=True)
    (tmp_path / "source").write_bytes(b"content")
    copy_to(tmp_path / "source", store, target=f"{top}/copied")
    write_to(b"small", store, target=f"{top}/written")
    assert (store.cat_file(f"{top}/copied"), store.cat_file(f"{top}/written")) == (b"content", b"small")
    assert len(store.ls(top)) == 2


def test_only_stores_of_buckets_need_no_folders():
    assert not has_buckets(fsspec.filesystem("file"))
    assert not has_buckets(fsspec.filesystem("memory"))
    assert has_buckets(fsspec.get_filesystem_class("s3")())


def test_an_error_of_a_client_is_one_of_ours_without_secrets():
    url = "sftp://anna:secret@host/lists"
    refused = pytest.raises(InputError, match="it cannot be taken there: no route to anna:")
    with refused as raised, store_errors(url, "it cannot be taken there", setting="[export] to", hint="again"):
        raise OSError("no route to anna:secret@host")
    assert "secret" not in str(raised.value)
    refused = pytest.raises(SettingsError, match=r"\[export\] to: s3://lists needs a package")
    with refused, store_errors("s3://lists", "x", setting="[export] to", hint="again"):
        raise ImportError("s3fs")
    assert without_secrets(url) == "sftp://anna:***@host/lists"


def test_an_error_of_ours_stays_what_it_is():
    ours = InputError("ours")
    with pytest.raises(InputError) as raised, store_errors("x", "y", setting="z", hint=""):
        raise ours
    assert raised.value is ours
