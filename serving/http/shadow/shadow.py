"""A challenger that scores too, off the path of answers: none waits for it, or fails by it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import Literal, NamedTuple

import msgspec

from features.errors import InputError
from serving.batch.difference import BandAndProbability, Pair, difference_of
from serving.http.prometheus import Metrics
from serving.http.raw_events import UserEvents
from serving.http.shadow.profiles import ChallengerProfiles
from serving.release.bundle import ServingBundle
from serving.release.shadow import Shadow
from serving.score import Profile, Score, score
from serving.store.profile_store import ProfileStore

MAX_WAITING = 1000  # users
LINE_SECONDS = 60.0
_AT_ONCE = 4  # users, a millisecond or two
_SHARE = 0.1  # of the time of a core, at most
_LONGEST_PAUSE_SECONDS = _LOOK_SECONDS = 1.0
Outcome = Literal["same_band", "other_band", "scored_by_one", "scored_by_none", "not_comparable", "error", "dropped"]

_log = logging.getLogger("churn.serving")


class _Waiting(NamedTuple):
    """A user whom the champion has scored, or why not."""

    asked: UserEvents | Profile
    scored: BandAndProbability


def shadow_scoring(bundle: ServingBundle, store: ProfileStore, *, metrics: Metrics) -> ShadowScoring | None:
    """Return what compares the shadow of a release, at work; None where there is none, or it is broken, which is a line of the log."""
    why, found = bundle.why_no_shadow, None
    try:
        found = bundle.shadow and ShadowScoring(bundle.shadow, bundle=bundle, store=store, metrics=metrics)
    except Exception as error:  # noqa: BLE001  # whatever a broken one does, the champion answers
        why = f"{type(error).__name__}: {error}"
    if why:
        _log.error("the shadow is broken, and nothing is compared with it: %s", why)
    if found:
        found.start()
    return found


class ShadowScoring:
    """Compares the scores of computed answers with the challenger's, in a thread that works a tenth of the time.

    At most :data:`MAX_WAITING` users wait for it; more are not compared, and counted as dropped.
    """

    def __init__(self, shadow: Shadow, *, bundle: ServingBundle, store: ProfileStore, metrics: Metrics) -> None:
        self._shadow, self._bundle, self._store, self._metrics = shadow, bundle, store, metrics
        served = bundle.model.specification
        self._profiles = ChallengerProfiles(shadow.model.specification, served=served, columns=bundle.columns)
        self._about = {"model": f"{bundle.name}/{bundle.version}", "shadow": f"{bundle.name}/{shadow.version}"}
        self._waiting: Queue[_Waiting] = Queue(MAX_WAITING)
        self._is_closed = threading.Event()
        self._pairs: list[Pair] = []
        self._failed = ""
        self._since = time.monotonic()

    def start(self) -> None:
        """Begin to compare; what was asked before waits already."""
        threading.Thread(target=self._work, name="shadow", daemon=True).start()

    def close(self) -> None:
        """End within a second or two."""
        self._is_closed.set()

    def compare(self, users: Sequence[tuple[UserEvents | Profile, Score]]) -> None:
        """Have users compared later: what was asked of each, and the answer. It never waits."""
        for place, (asked, answer) in enumerate(users):
            try:
                self._waiting.put_nowait(_Waiting(asked, answer.scored))
            except Full:
                self._count("dropped", len(users) - place)
                return

    def _work(self) -> None:
        while not self._is_closed.is_set():
            users = self._next()
            start = time.perf_counter()
            for one in users:
                self._compare(one)
            if time.monotonic() - self._since >= LINE_SECONDS:
                self._write()
            seconds = time.perf_counter() - start
            self._is_closed.wait(min(_LONGEST_PAUSE_SECONDS, seconds * (1 / _SHARE - 1)))
        self._write()

    def _next(self) -> list[_Waiting]:
        """Return the users who wait the longest, of whom there may be none."""
        found: list[_Waiting] = []
        with suppress(Empty):
            found.append(self._waiting.get(timeout=_LOOK_SECONDS))
            while len(found) < _AT_ONCE:
                found.append(self._waiting.get_nowait())
        return found

    def _compare(self, user: _Waiting) -> None:
        try:
            other = self._scored(user.asked)
        except InputError:
            self._count("not_comparable")
        except Exception as error:  # noqa: BLE001  # a bug of the challenger's is no concern of whoever is answered
            self._failed = type(error).__name__  # its text might hold what was sent
            self._count("error")
        else:
            self._pairs.append((user.scored, other))
            self._count(_outcome(user.scored, other))
            if user.scored and other:
                self._metrics.shadow_difference.labels(**self._about).observe(other[1] - user.scored[1])

    def _scored(self, asked: UserEvents | Profile) -> BandAndProbability:
        found = self._profiles.profile(asked, self._store)
        if isinstance(found, Score):
            return None
        (result,) = score(self._shadow.model, [found], bands=self._bundle.scoring, with_reasons=False)
        if result.code == "incomplete_profile":
            raise InputError(result.detail or "", hint="compare them: churn promote")
        return result.scored

    def _count(self, outcome: Outcome, number: int = 1) -> None:
        self._metrics.shadow_users.labels(**self._about, outcome=outcome).inc(number)

    def _write(self) -> None:
        """Write a line on what was compared since the one before."""
        fields = self._about | msgspec.structs.asdict(difference_of(self._pairs))
        failed = {"error": self._failed} if self._failed else {}
        if self._pairs or self._failed:
            _log.info("compared with the shadow", extra={"fields": fields | failed})
        self._pairs, self._failed, self._since = [], "", time.monotonic()


def _outcome(one: BandAndProbability, other: BandAndProbability) -> Outcome:
    if one and other:
        return "same_band" if one[0] == other[0] else "other_band"
    return "scored_by_one" if one or other else "scored_by_none"
