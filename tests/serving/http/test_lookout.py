"""A thread that looks again and again."""

import logging
import threading

import pytest

from serving.http import lookout
from serving.http.lookout import keep_looking


def test_a_bug_in_a_look_does_not_end_the_others(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    monkeypatch.setattr(lookout, "EVERY_SECONDS", 0.01)
    looks, third = list[int](), threading.Event()

    def look() -> None:
        looks.append(1)
        if len(looks) == 3:
            third.set()
            threading.Event().wait()  # for ever, so that this test ends the looks
        raise ValueError

    with caplog.at_level(logging.ERROR):
        keep_looking(look, "keys")
        assert third.wait(5)
    assert [record.message for record in caplog.records] == ["looking for keys"] * 2
