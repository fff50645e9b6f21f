"""Looking again and again, in a thread, for what may have changed on the disk."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

EVERY_SECONDS = 1.0

_log = logging.getLogger("churn.serving")


def keep_looking(look: Callable[[], object], what: str) -> None:
    """Call it every second until the process ends; a bug in it does not end that."""
    threading.Thread(target=_keep_looking, args=(look, what), name=what, daemon=True).start()


def _keep_looking(look: Callable[[], object], what: str) -> None:
    pause = threading.Event()
    while not pause.wait(EVERY_SECONDS):
        try:
            look()
        except Exception:  # noqa: BLE001  # whatever it is, the next look may succeed
            _log.exception("looking for %s", what)
