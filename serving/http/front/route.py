"""``POST /v1/score`` as an ASGI application of its own, in front of the server's middleware (decision 11).

It does nothing per request that the answer does not need; what the server's middleware counts, it counts itself, under the same names.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from features.errors import InputError
from serving.http.front.gate import Gate
from serving.http.front.headers import Names, echoed, named
from serving.http.front.limits import ItemLimits
from serving.http.front.log import RequestLog
from serving.http.front.paths import EXPLAIN_PATH, SCORE_PATH
from serving.http.problems import (
    INTERNAL,
    MEDIA_TYPE,
    METHOD,
    SLOW,
    TOO_LARGE,
    Answer,
    Headers,
    RequestProblem,
    not_ready,
    refusal,
)
from serving.http.prometheus import RequestMetrics
from serving.keys import Key

if TYPE_CHECKING:
    from serving.http.scoring import Scoring

MAX_BODY_BYTES = 8 * 2**20
BODY_SECONDS = 10.0
_LOOK_SECONDS = 1.0
_ENDED = 0.0  # instead of when, for a task that was cancelled
CLIENT_LEFT = 499  # in the metrics alone, as nginx counts it
# With curl's default for a body, and none at all: clients of the first version send them.
_TYPES = ("", "application/json", "text/plain", "application/octet-stream", "application/x-www-form-urlencoded")
_PIN = b"x-churn-model"

_log = logging.getLogger("churn.serving")


class Caller(msgspec.Struct, frozen=True):
    """Who asks: the id of the request, and the key that came with it; None where none is needed."""

    request_id: str
    key: Key | None


class ScoreRoute:
    """Reads a request, has it answered, and sends the answer.

    Parameters
    ----------
    scoring
        Returns what answers; None until the service has started.
    gate
        Says who may ask.
    path
        What is asked: scores, or the explanation of one.
    """

    def __init__(
        self,
        scoring: Callable[[], Scoring | None],
        gate: Gate,
        *,
        path: Literal["/v1/score", "/v1/explain"] = SCORE_PATH,
    ) -> None:
        self._scoring = scoring
        self._gate = gate
        self._path = path
        self._limits = ItemLimits()
        self._log = RequestLog()
        self._metrics: RequestMetrics | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: PLR0917  # the signature of ASGI
        """Answer a request."""
        start, metrics = time.perf_counter(), self._counted
        headers = dict(scope["headers"])
        names, key, answer = named(headers), None, None
        status = CLIENT_LEFT
        metrics.start()
        try:
            try:
                key = self._gate.admit(scope, headers)
                answer = await self._answer(scope, headers, receive=receive, caller=Caller(names["request_id"], key))
            except InputError as error:
                answer = refusal(error, request_id=names["request_id"])
            await _send(answer, send, names=names)
            status = answer.status
        except ClientDisconnect:
            return  # nobody is there to be answered
        finally:
            seconds, name = time.perf_counter() - start, key.name if key else ""
            metrics.end(status, seconds, answer=answer, key=name)
            if answer is None or answer.problem or self._is_logging:
                self._write(status, answer, key=name, seconds=seconds, names=names)

    def _write(self, status: int, answer: Answer | None, *, key: str, seconds: float, names: Names) -> None:
        """Write a line on a request."""
        about = {"status": status, "path": self._path, "key": key, "ms": round(seconds * 1000, 3), **names}
        if answer and not answer.problem:
            self._log.answered(kind=answer.kind, model=answer.model, **about)
        else:
            self._log.refused(problem=answer.problem if answer else "client-left", **about)

    @property
    def _is_logging(self) -> bool:
        scoring = self._scoring()
        return scoring is not None and scoring.admission.limits.log_requests

    @property
    def _counted(self) -> RequestMetrics:
        """Made with the first request: earlier, the workers' counts would not be summed."""
        if self._metrics is None:
            self._metrics = RequestMetrics(self._path, kind="explain" if self._path == EXPLAIN_PATH else None)
        return self._metrics

    async def _answer(
        self, scope: Scope, headers: Mapping[bytes, bytes], *, receive: Receive, caller: Caller
    ) -> Answer:
        scoring = self._scoring()
        _check(scope, headers)
        if scoring is None:
            raise not_ready()
        spend = self._limits.of(caller.key)
        with scoring.admission:
            content = await body_of(receive)
            pin = headers.get(_PIN, b"").decode("latin-1")
            answer = scoring.explain if self._path == EXPLAIN_PATH else scoring.answer
            return await _safely(answer(content, request_id=caller.request_id, pin=pin, spend=spend), caller.request_id)


async def answer_of(scoring: Scoring, content: bytes, *, request_id: str) -> Answer:
    """Answer a body; whatever goes wrong is a problem document, too."""
    return await _safely(scoring.answer(content, request_id=request_id), request_id)


async def _safely(answer: Awaitable[Answer], request_id: str) -> Answer:
    try:
        return await answer
    except InputError as error:
        return refusal(error, request_id=request_id)
    except Exception:  # noqa: BLE001  # a bug: logged with its traceback, and answered as everything else is
        _log.exception("request %s", request_id, extra={"fields": {"request_id": request_id}})
        bug = RequestProblem("an error of the service", kind=INTERNAL, hint="the log has the request id")
        return refusal(bug, request_id=request_id)


def _check(scope: Scope, headers: Mapping[bytes, bytes]) -> None:
    """Refuse another method, and a body that cannot be JSON by its headers."""
    if scope["method"] != "POST":
        path = scope["path"]
        hint = f"POST {path}; GET /docs has the contract"
        raise RequestProblem(
            f"{path}: another method, expected POST", kind=METHOD, hint=hint, headers=(("Allow", "POST"),)
        )
    if not _is_json(headers.get(b"content-type", b"")):
        raise RequestProblem("Content-Type: expected application/json", kind=MEDIA_TYPE, hint="send JSON")
    if headers.get(b"content-encoding", b"identity").lower() not in {b"identity", b""}:
        raise RequestProblem("Content-Encoding: expected none", kind=MEDIA_TYPE, hint="send it uncompressed")
    length = headers.get(b"content-length", b"")
    if length.isdigit() and int(length) > MAX_BODY_BYTES:
        raise _too_large()


@lru_cache(maxsize=256)
def _is_json(content_type: bytes) -> bool:
    """Tell whether a body of this type may be JSON."""
    media_type = content_type.decode("latin-1").partition(";")[0].strip().lower()
    return media_type in _TYPES or media_type.endswith("+json")


async def body_of(receive: Receive) -> bytes:
    """Read the body.

    Raises
    ------
    RequestProblem
        When it is too large, or does not arrive in time.
    ClientDisconnect
        When the client leaves before its end.
    """
    task, parts, length = _PATIENCE.start(), list[bytes](), 0
    try:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            parts.append(message.get("body", b""))
            length += len(parts[-1])
            if length > MAX_BODY_BYTES:
                raise _too_large()
            if not message.get("more_body"):
                return b"".join(parts)
    except asyncio.CancelledError:
        if _PATIENCE.has_ended(task):
            raise _slow() from None
        raise
    finally:
        _PATIENCE.stop(task)


class _Patience:
    """Cancels tasks that wait for more than some seconds, looked for once a second: a timer for each takes longer than a look-up."""

    def __init__(self) -> None:
        self._until: dict[asyncio.Task[Any], float] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> asyncio.Task[Any]:
        """Wait for the current task; return it."""
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        loop = task.get_loop()  # to ask for the running one takes a system call
        self._until[task] = loop.time() + BODY_SECONDS
        if loop is not self._loop:
            self._loop = loop
            loop.call_later(_LOOK_SECONDS, self._look)
        return task

    def has_ended(self, task: asyncio.Task[Any]) -> bool:
        """Tell whether the task was cancelled here."""
        return self._until.get(task) == _ENDED

    def stop(self, task: asyncio.Task[Any]) -> None:
        """Wait no more."""
        if self._until.pop(task, None) == _ENDED:
            task.uncancel()

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        for task, until in self._until.items():
            if _ENDED < until < loop.time() and task.get_loop() is loop:
                self._until[task] = _ENDED
                task.cancel()
        if self._until:
            loop.call_later(_LOOK_SECONDS, self._look)
        else:
            self._loop = None


_PATIENCE = _Patience()


def _slow() -> RequestProblem:
    return RequestProblem(
        f"the body: not complete after {BODY_SECONDS:g} seconds",
        kind=SLOW,
        hint="send it at once",
        headers=(("Connection", "close"),),
    )


def _too_large() -> RequestProblem:
    return RequestProblem(
        f"the body: got more than {MAX_BODY_BYTES} bytes, expected at most that",
        kind=TOO_LARGE,
        hint="send fewer items",
    )


async def _send(answer: Answer, send: Send, *, names: Names) -> None:
    headers = [
        (b"content-length", str(len(answer.content)).encode()),
        *((name.lower().encode(), value.encode()) for name, value in echoed(names)),
        *_encoded(answer.media_type, answer.headers),
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.content})


@lru_cache(maxsize=256)
def _encoded(media_type: str, headers: Headers) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers that many answers share."""
    return tuple((name.lower().encode(), value.encode()) for name, value in (("Content-Type", media_type), *headers))
