"""Keys as they are made and kept."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from features.errors import InputError
from serving.keys import FILE, KeyFolder, Keyring, NewKey, is_well_formed, limit_of, new_token
from tests.races import race

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def test_a_key_has_a_prefix_256_random_bits_and_a_checksum():
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(re.fullmatch("churn_[0-9a-f]{72}", token) and is_well_formed(token) for token in tokens)


def test_one_character_that_is_mistyped_is_noticed_wherever_it_is():
    token = new_token()
    for place, character in enumerate(token):
        other = "1" if character == "0" else "0"
        assert not is_well_formed(token[:place] + other + token[place + 1 :])


def test_what_is_kept_holds_no_key(tmp_path: Path):
    key, token = KeyFolder(tmp_path).add(NewKey("shop-app", ("metrics", "score"), 30, "600/minute"), now=NOW)
    content = (tmp_path / FILE).read_text()
    assert token not in content
    assert token[6:70] not in content
    assert json.loads(content)["keys"] == [
        {
            "name": "shop-app",
            "digest": key.digest,
            "scopes": ["score", "metrics"],
            "created_at": "2026-11-26T12:00:00Z",
            "expires_at": "2026-12-26T12:00:00Z",
            "revoked_at": None,
            "limit": "600/minute",
        }
    ]
    assert KeyFolder(tmp_path).read() == (key,)


def test_a_key_is_found_by_what_is_presented_and_nothing_else_is(tmp_path: Path):
    folder = KeyFolder(tmp_path)
    added = [folder.add(NewKey(name), now=NOW) for name in ("one", "two", "three")]
    made = {token: key for key, token in added}
    ring = Keyring(folder.read())
    assert {token: ring.find(token) for token in made} == made
    assert ring.find(new_token()) is None
    assert ring.find("") is None


def test_a_key_expires_and_is_revoked_for_good(tmp_path: Path):
    folder = KeyFolder(tmp_path)
    key, _ = folder.add(NewKey("app", days=1), now=NOW)
    day = timedelta(days=1)
    assert [key.state(at) for at in (NOW, NOW + day - timedelta(seconds=1), NOW + day)] == [
        "active",
        "active",
        "expired",
    ]
    assert folder.revoke("app", now=NOW + day / 2).state(NOW + day) == "revoked"
    with pytest.raises(InputError, match='no key named "app" that is not revoked'):
        folder.revoke("app", now=NOW)
    again, _ = folder.add(NewKey("app"), now=NOW)
    assert [one.id for one in folder.read()] == [key.id, again.id]
    assert folder.revoke(again.id, now=NOW).id == again.id


def test_a_name_is_one_keys_alone(tmp_path: Path):
    folder = KeyFolder(tmp_path)
    folder.add(NewKey("app"), now=NOW)
    with pytest.raises(InputError, match='a key named "app" already') as refused:
        folder.add(NewKey("app"), now=NOW)
    assert "churn keys revoke app" in refused.value.hint


@pytest.mark.parametrize(
    ("new", "said"),
    [
        (NewKey(""), "the name of a key"),
        (NewKey("../app"), "the name of a key"),
        (NewKey("a" * 65), "the name of a key"),
        (NewKey("app", ("scores",)), 'a scope of a key: got "scores"'),  # type: ignore[arg-type]
        (NewKey("app", days=0), "days: got 0"),
        (NewKey("app", limit="many"), "the limit of a key: got 'many'"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_is_written(tmp_path: Path, new: NewKey, said: str):
    with pytest.raises(InputError, match=re.escape(said)):
        KeyFolder(tmp_path).add(new, now=NOW)
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize(
    "damaged",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content.replace(b"2026-11-26", b"2026-12-26"),  # another date
        lambda content: content.replace(b'"score"', b'"page"'),
        lambda content: b"",
    ],
)
def test_a_damaged_file_is_refused_and_left_as_it_is(tmp_path: Path, damaged: Callable[[bytes], bytes]):
    KeyFolder(tmp_path).add(NewKey("app"), now=NOW)
    content = damaged((tmp_path / FILE).read_bytes())
    (tmp_path / FILE).write_bytes(content)
    for change in (KeyFolder(tmp_path).read, lambda: KeyFolder(tmp_path).add(NewKey("app"), now=NOW)):
        with pytest.raises(InputError, match=r"keys\.json cannot be read"):
            change()
    assert (tmp_path / FILE).read_bytes() == content


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path):
    (tmp_path / FILE).write_text('{"format_version": 2, "keys": [], "sha256": ""}')
    with pytest.raises(InputError, match="format 2, expected at most 1"):
        KeyFolder(tmp_path).read()


def test_the_last_use_is_known_to_whoever_lists_the_keys(tmp_path: Path):
    folder = KeyFolder(tmp_path)
    key, _ = folder.add(NewKey("app"), now=NOW)
    assert folder.last_used(key) is None
    before = datetime.now(UTC) - timedelta(seconds=1)
    folder.mark_used(key.id)
    used = folder.last_used(key)
    assert used is not None
    assert used >= before


def test_of_two_who_add_a_key_at_once_neither_is_lost(tmp_path: Path):
    folder = KeyFolder(tmp_path)

    def add(name: str) -> object:
        return folder.add(NewKey(name), now=NOW)

    for turn in range(5):
        assert race(lambda turn=turn: add(f"a{turn}"), lambda turn=turn: add(f"b{turn}"), read=folder.read) == [0, 0]
    assert len(folder.read()) == 10


def test_a_limit_is_a_number_of_items_in_a_time():
    assert [(limit_of(text).amount, limit_of(text).get_expiry()) for text in ("10/second", "5 per hour")] == [
        (10, 1),
        (5, 3600),
    ]
