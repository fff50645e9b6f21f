"""Lines of the log."""

import json
import logging
import sys
from typing import Any

import pytest

from serving.http.front import log as log_module
from serving.http.front.log import LINES_A_SECOND, JsonLines, RequestLog


def line_of(message: str, **options: object) -> dict[str, object]:
    record = logging.LogRecord("churn.serving", logging.ERROR, "", 1, message, ("x",), None)
    for name, value in options.items():
        setattr(record, name, value)
    return json.loads(JsonLines().format(record))


def test_a_line_is_one_json_object_whatever_is_in_it():
    found = line_of("two\nlines of %s", fields={"status": 400, "key": "app"})
    assert list(found) == ["time", "level", "logger", "message", "status", "key"]
    assert (found["message"], found["level"]) == ("two\nlines of x", "error")


def test_a_traceback_is_a_field_of_its_line():
    found: dict[str, Any] = {}
    try:
        json.loads("{")
    except ValueError:
        found = line_of("request %s", exc_info=sys.exc_info())
    assert "JSONDecodeError" in str(found["traceback"]).splitlines()[-1]


def test_fields_without_a_value_are_not_written(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO):
        RequestLog().answered(status=200, key="", kind="stored")
    assert caplog.records[0].fields == {"status": 200, "kind": "stored"}  # type: ignore[attr-defined]


def test_an_attack_does_not_fill_the_log_and_is_counted(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    now = 100.0
    monkeypatch.setattr(log_module.time, "monotonic", lambda: now)
    log = RequestLog()
    for _ in range(LINES_A_SECOND + 30):
        log.refused(status=401)
    assert len(caplog.records) == LINES_A_SECOND
    now = 101.0
    log.refused(status=401)
    log.refused(status=401)
    skipped = [getattr(record, "fields", {}).get("lines_skipped") for record in caplog.records[LINES_A_SECOND:]]
    assert skipped == [30, None]


def test_the_servers_own_lines_on_requests_are_not_put_together(monkeypatch: pytest.MonkeyPatch):
    servers = [logging.getLogger(name) for name in ("uvicorn.access", "uvicorn.error")]
    for one in servers:
        monkeypatch.setattr(one, "propagate", True)
    log_module.install()
    assert [one.hasHandlers() for one in servers] == [False, False]
