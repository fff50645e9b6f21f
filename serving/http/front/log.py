"""Lines of the log: JSON, one object a line, or text on a terminal. A refused request is one line, without what was sent."""

from __future__ import annotations

import json
import logging
import sys
import time
from datetime import UTC, datetime
from typing import Any

from bentoml._internal.log import TraceRecordFilter  # it marks the handlers that the server writes with

LINES_A_SECOND = 20
_SERVERS = ("", "bentoml", "uvicorn.error", "circus")

_log = logging.getLogger("churn.serving")


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, the fields of the line, and the traceback of an error."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def install() -> None:
    """Have the server write so, and each line once: its own set-up hands some to two handlers.

    Its lines on requests are not shown, and without a handler it does not put them together either.
    """
    for name in ("uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).propagate = False
    if sys.stdout.isatty():
        return
    for name in _SERVERS:
        for handler in logging.getLogger(name).handlers:
            if any(isinstance(one, TraceRecordFilter) for one in handler.filters):
                handler.setFormatter(JsonLines())


class RequestLog:
    """Writes a line for a request; of those that are refused, so many a second: an attack must not fill the disk."""

    def __init__(self) -> None:
        self._second = self._lines = self._skipped = 0

    def refused(self, **fields: Any) -> None:
        """Write that a request was refused; those that were skipped before are counted in the next line."""
        second = int(time.monotonic())
        self._second, self._lines = second, self._lines + 1 if second == self._second else 1
        if self._lines > LINES_A_SECOND:
            self._skipped += 1
            return
        skipped = {"lines_skipped": self._skipped} if self._skipped else {}
        self._skipped = 0
        _write("refused", fields | skipped, level=logging.WARNING)

    def answered(self, **fields: Any) -> None:
        """Write that a request was answered."""
        _write("answered", fields, level=logging.INFO)


def _write(message: str, fields: dict[str, Any], *, level: int) -> None:
    known = {name: value for name, value in fields.items() if value != ""}
    _log.log(level, "%s", f"{message} {_words(known)}" if sys.stdout.isatty() else message, extra={"fields": known})


def _words(fields: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in fields.items())
