"""Arms: a program of ten lines gives the same, whatever merges or was given from outside wins in order, and the key stays secret."""

import hashlib
import stat
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import InputError
from serving.weekly.arms import Arms, ArmsFolder, Epoch, Period, epoch_of, given_arms, start_of
from tests.races import race

KEY = bytes(range(32))
ARMS = Arms(KEY, "2026-Q4", 0.3)
USERS = [f"u{number}" for number in range(2000)]


def by_ten_lines(key_in_hex: str, epoch: str, user: str, share: float) -> str:
    """HMAC as RFC 2104 writes it, out of nothing but SHA-256."""
    key = bytes.fromhex(key_in_hex).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + epoch.encode("utf-8") + b"\x00" + user.encode("utf-8"))
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner.digest())
    fraction = int(outer.hexdigest()[:16], 16) / 18446744073709551616
    return "held_out" if fraction < share else "treated"


@given(
    user=st.text(st.characters(exclude_categories=["Cs"])),
    share=st.floats(0, 0.5),
    epoch=st.sampled_from(["2026-Q4", "2027-01"]),
)
def test_a_program_of_ten_lines_gives_the_same_arms(user: str, share: float, epoch: str):
    assert Arms(KEY, epoch, share).of(user) == by_ten_lines(KEY.hex(), epoch, user, share)


def test_who_lies_at_the_share_is_treated_and_just_below_it_held_out_as_openssl_says():
    # printf '2026-Q4\0u0' | openssl dgst -sha256 -mac HMAC -macopt hexkey:000102...1f
    fraction = 0x41D8C337B87E2CB3 / 2**64
    assert replace(ARMS, share=fraction).of("u0") == "treated"  # below the share, not at it
    assert replace(ARMS, share=float(np.nextafter(fraction, 1))).of("u0") == "held_out"


def test_the_share_of_users_is_held_out_and_others_in_another_epoch_or_with_another_key():
    held = ARMS.held_out(USERS)
    assert held.mean() == pytest.approx(0.3, abs=0.03)
    assert held.tolist() == [ARMS.of(user) == "held_out" for user in USERS]
    for other in (replace(ARMS, epoch="2027-Q1"), replace(ARMS, key=bytes(32))):
        # independent: both hold out 9 %
        assert (held & other.held_out(USERS)).mean() == pytest.approx(0.09, abs=0.02)


def test_nobody_is_held_out_where_the_share_is_0_and_there_may_be_no_users():
    assert not replace(ARMS, share=0.0).held_out(USERS).any()
    assert ARMS.held_out([]).tolist() == []


@given(share=st.floats(0, 0.5), more=st.floats(0, 0.5))
def test_a_larger_share_holds_out_the_same_users_and_more(share: float, more: float):
    few, many = sorted((share, more))
    assert not (replace(ARMS, share=few).held_out(USERS[:50]) & ~replace(ARMS, share=many).held_out(USERS[:50])).any()


HELD, TREATED = (next(user for user in USERS if ARMS.of(user) == arm) for arm in ("held_out", "treated"))


@pytest.mark.parametrize(
    ("changes", "user", "arm"),
    [
        ({"merged": {TREATED: ["nobody else", HELD]}}, TREATED, "held_out"),
        ({"merged": {HELD: [TREATED]}}, HELD, "held_out"),
        ({"kept": {TREATED: "held_out"}}, TREATED, "held_out"),
        ({"kept": {HELD: "treated"}}, HELD, "treated"),
        # of an id that was held out in the last epoch, and became a treated user's since
        ({"merged": {TREATED: ["old id"]}, "kept": {"old id": "held_out"}}, TREATED, "held_out"),
        ({"merged": {TREATED: [HELD]}, "kept": {TREATED: "treated"}}, TREATED, "held_out"),
        ({"merged": {TREATED: [HELD]}, "kept": {HELD: "treated"}}, TREATED, "treated"),
        ({"given": {HELD: "treated"}}, HELD, "treated"),
        ({"given": {TREATED: "held_out"}, "kept": {TREATED: "treated"}}, TREATED, "held_out"),
        ({"given": {TREATED: "treated"}, "merged": {TREATED: [HELD]}}, TREATED, "treated"),
    ],
)
def test_given_wins_then_held_out_under_any_id_and_a_kept_arm_replaces_the_hash(
    changes: dict[str, Any], user: str, arm: str
):
    assert replace(ARMS, **changes).of(user) == arm


@given(ids=st.lists(st.sampled_from(USERS), min_size=1, max_size=6, unique=True))
def test_a_merged_user_is_held_out_exactly_where_one_of_the_ids_is(ids: list[str]):
    merged = replace(ARMS, merged={ids[0]: ids[1:]})
    assert (merged.of(ids[0]) == "held_out") == any(ARMS.of(one) == "held_out" for one in ids)


# --- Epochs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "period", "name", "start"),
    [
        (date(2026, 1, 1), "quarter", "2026-Q1", date(2026, 1, 1)),
        (date(2026, 3, 31), "quarter", "2026-Q1", date(2026, 1, 1)),
        (date(2026, 4, 1), "quarter", "2026-Q2", date(2026, 4, 1)),
        (date(2026, 12, 31), "quarter", "2026-Q4", date(2026, 10, 1)),
        (date(2026, 12, 31), "month", "2026-12", date(2026, 12, 1)),
        (date(2026, 2, 28), "year", "2026", date(2026, 1, 1)),
    ],
)
def test_an_epoch_has_the_name_and_the_first_day_of_its_period(day: date, period: Period, name: str, start: date):
    assert (epoch_of(day, period), start_of(name)) == (name, start)


@given(day=st.dates(date(2000, 1, 2), date(2100, 1, 1)), period=st.sampled_from(["month", "quarter", "year"]))
def test_an_epoch_begins_where_the_one_before_ends(day: date, period: Period):
    start = start_of(epoch_of(day, period))
    assert epoch_of(start, period) == epoch_of(day, period)
    assert epoch_of(start - timedelta(days=1), period) != epoch_of(day, period)


def test_an_epoch_stays_as_it_was_fixed_when_it_started(tmp_path: Path):
    folder = ArmsFolder(tmp_path / "arms")
    assert folder.epochs() == {}
    first, other = Epoch(0.1, "the default"), Epoch(0.25, "5 points need it")
    with folder.alone():
        assert folder.fix("2026-Q4", first) == first
        assert folder.fix("2026-Q4", other) == first
        assert folder.fix("2027-Q1", other) == other
    assert ArmsFolder(tmp_path / "arms").epochs() == {"2026-Q4": first, "2027-Q1": other}


def test_two_runs_that_fix_an_epoch_at_once_agree(tmp_path: Path):
    def fix(place: Path, share: float) -> None:
        folder = ArmsFolder(place)
        with folder.alone():
            fixed = folder.fix("2026-Q4", Epoch(share, ""))
        assert folder.epochs()["2026-Q4"] == fixed

    for turn in range(5):
        place = tmp_path / str(turn)
        assert race(*[partial(fix, place, share) for share in (0.1, 0.2, 0.3)]) == [0, 0, 0]
        assert ArmsFolder(place).epochs()["2026-Q4"].share in (0.1, 0.2, 0.3)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"epochs": {"2026-Q4": 0.1}, "format_version": 1}', "\udcff"])
def test_damaged_epochs_are_named_with_the_way_out(tmp_path: Path, content: str):
    (tmp_path / "epochs.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=r"epochs\.json is damaged: without it nobody knows who is held out") as caught:
        ArmsFolder(tmp_path).epochs()
    assert "backup" in caught.value.hint


def test_epochs_of_a_newer_format_are_refused_whatever_their_shape(tmp_path: Path):
    (tmp_path / "epochs.json").write_text('{"format_version": 2, "epochs": ["of another shape"]}')
    with pytest.raises(InputError, match="is of format 2, expected at most 1") as caught:
        ArmsFolder(tmp_path).epochs()
    assert caught.value.hint == "use the version of churn that wrote it"


# --- The key ---------------------------------------------------------------------------------------------------------


def test_a_key_is_made_once_for_its_owner_only(tmp_path: Path):
    folder = ArmsFolder(tmp_path / "arms/shop")
    key = folder.key()
    assert len(key) == 32
    assert ArmsFolder(tmp_path / "arms/shop").key() == folder.key_or_any() == key
    assert ArmsFolder(tmp_path / "arms/other").key() != key
    (path,) = folder.folder.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == key.hex() + "\n"


def test_a_look_makes_no_key(tmp_path: Path):
    folder = ArmsFolder(tmp_path / "arms")
    assert len({folder.key_or_any() for _ in range(3)}) == 3
    assert not folder.folder.exists()


def test_the_key_is_in_no_text_that_arms_are_shown_as(tmp_path: Path):
    folder = ArmsFolder(tmp_path)
    arms = Arms(folder.key(), "2026-Q4", 0.1)
    shown = " ".join([repr(arms), str(arms), f"{arms}", repr([arms]), repr(folder), repr(folder.epochs())])
    for text in (arms.key.hex(), repr(arms.key)[2:-1], str(list(arms.key))):
        assert text not in shown
    assert "2026-Q4" in shown


def test_processes_that_make_the_key_at_once_get_the_same(tmp_path: Path):
    def make(place: Path, name: str) -> None:
        (place.parent / f"{place.name}-{name}").write_text(ArmsFolder(place / "arms").key().hex())

    for turn in range(6):
        place = tmp_path / str(turn)
        assert race(*[partial(make, place, name) for name in "abcd"]) == [0, 0, 0, 0]
        keys = {(tmp_path / f"{turn}-{name}").read_text() for name in "abcd"}
        assert keys == {ArmsFolder(place / "arms").key().hex()}
        assert [path.name for path in (place / "arms").iterdir()] == ["key"]


@pytest.mark.parametrize("content", [b"", b"no key\n", b"00" * 31, b"00" * 33, b"\xff\xfe"])
def test_a_damaged_key_is_never_made_anew(tmp_path: Path, content: bytes):
    (tmp_path / "key").write_bytes(content)
    for ask in (ArmsFolder(tmp_path).key, ArmsFolder(tmp_path).key_or_any):
        with pytest.raises(InputError, match="key is damaged") as caught:
            ask()
        assert "backup" in caught.value.hint
    assert (tmp_path / "key").read_bytes() == content


# --- Given from outside ----------------------------------------------------------------------------------------------


def test_arms_from_outside_are_treated_or_held_out():
    assert given_arms([("anna", "treated"), ("bob", "held_out")]) == {"anna": "treated", "bob": "held_out"}
    assert given_arms([]) == {}
    with pytest.raises(InputError, match=r'\[contacts\] arm: got "control", expected treated or held_out') as caught:
        given_arms([("anna", "treated"), ("secret user", "control")])
    assert "case variant when 'control' then 'held_out'" in caught.value.hint
    assert "secret user" not in str(caught.value)


def test_a_key_that_is_gone_or_another_one_is_refused_once_an_epoch_has_started(tmp_path: Path):
    folder = ArmsFolder(tmp_path)
    folder.fix("2026-Q4", Epoch(0.1, "the default"))
    path = tmp_path / "key"
    key = path.read_text()
    path.write_text(("0" if key[0] != "0" else "1") + key[1:])
    for _ in range(2):
        with pytest.raises(InputError, match="key is damaged") as refused:
            folder.key()
        assert "backup" in refused.value.hint
        path.unlink(missing_ok=True)


def test_epochs_that_were_altered_are_noticed(tmp_path: Path):
    folder = ArmsFolder(tmp_path)
    folder.fix("2026-Q4", Epoch(0.1, "the default"))
    path = tmp_path / "epochs.json"
    assert path.read_text().count("0.1") == 1
    path.write_text(path.read_text().replace("0.1", "0.3"))
    with pytest.raises(InputError, match="damaged"):
        folder.epochs()


def test_a_share_of_zero_ends_kept_arms_too_and_not_those_that_are_given():
    ended = replace(ARMS, share=0.0, kept={USERS[0]: "held_out"}, given={USERS[1]: "held_out"})
    assert [ended.of(one) for one in USERS[:2]] == ["treated", "held_out"]
