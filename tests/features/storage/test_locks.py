"""One run at a time: another is refused at once, or waits for its turn."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import FileLock

from features.errors import InputError
from features.storage.locks import locked

BUSY = InputError("another run is busy", hint="wait for it")


def test_a_second_run_is_refused_at_once(tmp_path: Path):
    began = time.perf_counter()
    with (
        FileLock(tmp_path / "lock"),
        pytest.raises(InputError, match="another run is busy"),
        locked(tmp_path / "lock", BUSY),
    ):
        pass
    assert time.perf_counter() - began < 1


def test_a_run_that_ended_badly_lets_the_next_one_in(tmp_path: Path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "new folder/lock", BUSY):
        raise ZeroDivisionError
    with locked(tmp_path / "new folder/lock", BUSY):
        pass


def test_a_run_that_waits_says_so_once_and_comes_next(tmp_path: Path):
    said = threading.Event()
    order: list[str] = []

    def second() -> None:
        with locked(tmp_path / "lock", BUSY, wait_seconds=60, waiting=said.set):
            order.append("second")

    with ThreadPoolExecutor() as pool:
        with locked(tmp_path / "lock", BUSY):
            waiting = pool.submit(second)
            assert said.wait(60)
            order.append("first")
        waiting.result()
    assert order == ["first", "second"]


def test_nobody_waits_for_longer_than_was_said(tmp_path: Path):
    with (
        FileLock(tmp_path / "lock"),
        pytest.raises(InputError, match="busy"),
        locked(tmp_path / "lock", BUSY, wait_seconds=0.1),
    ):
        pass


def test_a_run_that_need_not_wait_says_nothing(tmp_path: Path):
    said: list[str] = []
    with locked(tmp_path / "lock", BUSY, wait_seconds=60, waiting=lambda: said.append("waiting")):
        assert said == []
