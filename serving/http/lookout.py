"""Looking again and again, in a thread, for what may have changed on the disk."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from features.errors import InputError

EVERY_SECONDS = 1.0

_log = logging.getLogger("churn.serving")


def keep_looking(look: Callable[[], object], what: str, *, every_seconds: float | None = None) -> None:
    """Call it every second, or so many, until the process ends; a bug in it does not end that."""
    seconds = every_seconds or EVERY_SECONDS
    threading.Thread(target=_keep_looking, args=(look, what, seconds), name=what, daemon=True).start()


def _keep_looking(look: Callable[[], object], what: str, seconds: float, /) -> None:  # noqa: PLR0917  # of a thread
    pause = threading.Event()
    while not pause.wait(seconds):
        try:
            look()
        except InputError as error:
            _log.warning("looking for %s: %s", what, error.message)
        except Exception:  # noqa: BLE001  # whatever it is, the next look may succeed
            _log.exception("looking for %s", what)
