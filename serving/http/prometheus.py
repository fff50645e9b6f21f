"""Metrics of the service for Prometheus, in addition to the server's own request counts and durations."""

from __future__ import annotations

from collections import Counter as Counts
from collections import defaultdict
from collections.abc import Sequence
from itertools import chain

import msgspec
import prometheus_client as prometheus
from bentoml import server_context

from serving.http.contract import STATUSES, ModelInfo, Status
from serving.http.problems import Answer, PathKind
from serving.http.tally import Tally, observe
from serving.score import RISK_BANDS

DURATION_SECONDS = [
    0.00025,
    0.0005,
    0.001,
    0.002,
    0.003,
    0.005,
    0.0075,
    0.01,
    0.015,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    5.0,
]
_ABOUT = ("name", "version", "alias")
DIFFERENCES = (-0.5, -0.2, -0.1, -0.05, -0.02, -0.01, -0.001, 0, 0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
# Of each band, the labels of a probability by its tenth. They are shared: until they are counted, scores take no memory of their own.
_SLOTS = {band: [(band, f"0.{min(9, tenth)}") for tenth in range(11)] for band in ("", *RISK_BANDS)}
ITEMS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class Metrics:
    """Counters of one worker, created after it has started: created earlier, the workers' counts would not be summed.

    They are not registered: each worker writes to its own files, and ``/metrics`` reads the files of all.

    Attributes
    ----------
    shadow_users, shadow_difference
        What a challenger found of users whom the champion has scored.
    """

    def __init__(self) -> None:
        self._answered = Tally[Sequence[str]](self._count_outcomes)
        self._scored = Tally[tuple[str, Sequence[tuple[str, str]]]](self._count_scores)
        self._answers = prometheus.Counter(
            "churn_answers", "Users requested, by outcome: scored, or why not.", ["outcome"], registry=None
        )
        self._items = prometheus.Histogram("churn_request_items", "Users per request.", buckets=ITEMS, registry=None)
        self._refused_stores = prometheus.Counter(
            "churn_refused_stores", "The same as churn_refused_releases, under its former name.", registry=None
        )
        self._refused_releases = prometheus.Counter(
            "churn_refused_releases", "Releases that were damaged, or did not fit.", registry=None
        )
        self._degraded = prometheus.Gauge(
            "churn_degraded",
            "1 while a newer release was refused and an older one goes on.",
            registry=None,
            multiprocess_mode="livemax",
        )
        self._models = prometheus.Gauge(
            "churn_model_info", "The model in service.", [*_ABOUT], registry=None, multiprocess_mode="livemax"
        )
        self._shown: prometheus.Gauge | None = None
        self._scores = prometheus.Counter(
            "churn_scores",
            "Users scored, by model, risk band and tenth of the probability, of which the lower end is shown.",
            ["model", "band", "probability"],
            registry=None,
        )
        self._quality = prometheus.Gauge(
            "churn_quality",
            "1 for how far answers can be relied on: ok, degraded or stale.",
            ["status"],
            registry=None,
            multiprocess_mode="livemax",
        )
        self.shadow_users = prometheus.Counter(
            "churn_shadow_users",
            "Users of computed answers, by how the score of the shadow differs, or why it was not compared.",
            ["model", "shadow", "outcome"],
            registry=None,
        )
        self.shadow_difference = prometheus.Histogram(
            "churn_shadow_difference",
            "Churn probability by the shadow minus that by the model in service.",
            ["model", "shadow"],
            buckets=DIFFERENCES,
            registry=None,
        )
        self._cutoff, self._written = (
            prometheus.Gauge(name, about, registry=None, multiprocess_mode="livemin")
            for name, about in (
                ("churn_profiles_cutoff_timestamp_seconds", "Instant that the stored profiles are of."),
                ("churn_store_written_timestamp_seconds", "When the store was written."),
            )
        )

    def show_quality(self, found: Status) -> None:
        """Show how far answers can be relied on."""
        for status in STATUSES:
            self._quality.labels(status).set(status == found)

    def show_age(self, cutoff: float, *, written: float) -> None:
        """Show when the profiles and their store are from, in seconds since 1970."""
        self._cutoff.set(cutoff)
        self._written.set(written)

    def show(self, model: ModelInfo, *, is_degraded: bool) -> None:
        """Show the model in service, and none but it."""
        if self._shown:
            self._shown.set(0)
        self._shown = self._models.labels(**{name: getattr(model, name) for name in _ABOUT})
        self._shown.set(1)
        self._degraded.set(is_degraded)

    def refuse(self, *, is_degraded: bool) -> None:
        """Count a release that was refused."""
        self._refused_stores.inc()
        self._refused_releases.inc()
        self._degraded.set(is_degraded)

    def count(self, outcomes: Sequence[str]) -> None:
        """Count the results of one request."""
        self._answered.add(outcomes)

    def count_scores(self, scored: Sequence[tuple[str, float] | None], *, model: str) -> None:
        """Count the scores of one request: their distribution is what drifts first."""
        self._scored.add((model, [_SLOTS[one[0]][int(one[1] * 10)] for one in scored if one]))

    def _count_outcomes(self, requests: Sequence[Sequence[str]]) -> None:
        observe(self._items, [len(outcomes) for outcomes in requests])
        for outcome, times in Counts(one for outcomes in requests for one in outcomes).items():
            self._answers.labels(outcome).inc(times)

    def _count_scores(self, requests: Sequence[tuple[str, Sequence[tuple[str, str]]]]) -> None:
        of_model = defaultdict[str, list[Sequence[tuple[str, str]]]](list)
        for model, slots in requests:
            of_model[model].append(slots)
        for model, found in of_model.items():
            for slot, times in Counts(chain.from_iterable(found)).items():
                self._scores.labels(model, *slot).inc(times)


class _RequestEnd(msgspec.Struct, frozen=True):
    """A request that was answered."""

    status: int
    kind: str
    model: str
    key: str
    seconds: float


class RequestMetrics:
    """What the server's middleware counts of a path, counted for one that does not go through it; under the same names and labels.

    Parameters
    ----------
    kind
        Of all its requests; default: as their answers say.
    """

    def __init__(self, path: str, *, kind: PathKind | None = None) -> None:
        self._kind = kind
        about = {
            "endpoint": path,
            "service_name": server_context.bento_name,
            "service_version": server_context.bento_version,
            "runner_name": server_context.service_name,
        }
        names, per_status = list(about), [*about, "http_response_code"]
        self._about = about
        self._total = prometheus.Counter(
            "bentoml_service_request_total", "Total number of runner RPC", per_status, registry=None
        )
        self._duration = prometheus.Histogram(
            "bentoml_service_request_duration_seconds",
            "runner RPC duration in seconds",
            per_status,
            buckets=DURATION_SECONDS,
            registry=None,
        )
        self._gauge = prometheus.Gauge(
            "bentoml_service_request_in_progress",
            "Total number of runner RPC in progress now",
            names,
            registry=None,
            multiprocess_mode="livesum",
        )
        self._under_way = 0
        self._requests = prometheus.Counter(
            "churn_requests",
            "Requests for scores, by status, how they were answered, the model that did, and the name of the key.",
            ["status", "kind", "model", "key"],
            registry=None,
        )
        self._seconds = prometheus.Histogram(
            "churn_request_duration_seconds",
            "How long they took, by status and how they were answered.",
            ["status", "kind"],
            buckets=DURATION_SECONDS,
            registry=None,
        )
        self._ended = Tally[_RequestEnd](self._count)

    def start(self) -> None:
        """Count a request that is under way."""
        self._under_way += 1

    def end(self, status: int, seconds: float, *, answer: Answer | None = None, key: str = "") -> None:
        """Count a request that was answered, with its status and duration; ``key`` is the name of the key that came with it."""
        self._under_way -= 1
        kind = self._kind or (answer.kind if answer else "refused")
        self._ended.add(_RequestEnd(status, kind, answer.model if answer else "", key, seconds))

    def _count(self, requests: Sequence[_RequestEnd]) -> None:
        self._gauge.labels(**self._about).set(self._under_way)
        about = Counts((one.status, one.kind, one.model, one.key) for one in requests)
        for (status, *rest), times in about.items():
            self._requests.labels(str(status), *rest).inc(times)
        of_status, of_kind = defaultdict[int, list[float]](list), defaultdict[tuple[int, str], list[float]](list)
        for one in requests:
            of_status[one.status].append(one.seconds)
            of_kind[one.status, one.kind].append(one.seconds)
        for (status, kind), seconds in of_kind.items():
            observe(self._seconds.labels(str(status), kind), seconds)
        for status, seconds in of_status.items():
            labels = self._about | {"http_response_code": str(status)}
            self._total.labels(**labels).inc(len(seconds))
            observe(self._duration.labels(**labels), seconds)
