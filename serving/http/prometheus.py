"""Metrics of the service for Prometheus, in addition to the server's own request counts and durations."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Sequence

import prometheus_client as prometheus
from bentoml import server_context

from serving.http.contract import STATUSES, ModelInfo, Status
from serving.http.problems import Answer, PathKind

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
ITEMS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class Metrics:
    """Counters of one worker, created after it has started: created earlier, the workers' counts would not be summed.

    They are not registered: each worker writes to its own files, and ``/metrics`` reads the files of all.
    """

    def __init__(self) -> None:
        self._answers = prometheus.Counter(
            "churn_answers", "Users requested, by outcome: scored, or why not.", ["outcome"], registry=None
        )
        self._by_outcome: dict[str, prometheus.Counter] = {}
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
        self._by_score: dict[tuple[str, str, int], prometheus.Counter] = {}
        self._quality = prometheus.Gauge(
            "churn_quality",
            "1 for how far answers can be relied on: ok, degraded or stale.",
            ["status"],
            registry=None,
            multiprocess_mode="livemax",
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
        self._items.observe(len(outcomes))
        if len(outcomes) == 1:
            self._answers_with(outcomes[0]).inc()
            return
        for outcome, times in Counts(outcomes).items():
            self._answers_with(outcome).inc(times)

    def count_scores(self, scored: Sequence[tuple[str, float] | None], *, model: str) -> None:
        """Count the scores of one request: their distribution is what drifts first."""
        found = [(model, one[0], min(9, int(one[1] * 10))) for one in scored if one]
        if len(found) == 1:
            self._scores_with(found[0]).inc()
            return
        for labels, times in Counts(found).items():
            self._scores_with(labels).inc(times)

    def _scores_with(self, labels: tuple[str, str, int]) -> prometheus.Counter:
        """Return the counter of scores of a model, a band and a tenth."""
        if labels not in self._by_score:
            self._by_score[labels] = self._scores.labels(labels[0], labels[1], f"0.{labels[2]}")
        return self._by_score[labels]

    def _answers_with(self, outcome: str) -> prometheus.Counter:
        """Return the counter of an outcome, which the library looks up slowly."""
        if outcome not in self._by_outcome:
            self._by_outcome[outcome] = self._answers.labels(outcome)
        return self._by_outcome[outcome]


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
        self._in_progress = self._gauge.labels(**about)
        self._of_status: dict[int, tuple[prometheus.Counter, prometheus.Histogram]] = {}
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
        self._of_kind: dict[tuple[int, str, str, str], tuple[prometheus.Counter, prometheus.Histogram]] = {}

    def start(self) -> None:
        """Count a request that is under way."""
        self._in_progress.inc()

    def end(self, status: int, seconds: float, *, answer: Answer | None = None, key: str = "") -> None:
        """Count a request that was answered, with its status and duration; ``key`` is the name of the key that came with it."""
        self._in_progress.dec()
        kind = self._kind or (answer.kind if answer else "refused")
        about = (status, kind, answer.model if answer else "", key)
        if about not in self._of_kind:
            kinds = (str(status), about[1])
            self._of_kind[about] = self._requests.labels(*kinds, *about[2:]), self._seconds.labels(*kinds)
        requests, duration = self._of_kind[about]
        requests.inc()
        duration.observe(seconds)
        if status not in self._of_status:
            labels = self._about | {"http_response_code": str(status)}
            self._of_status[status] = self._total.labels(**labels), self._duration.labels(**labels)
        total, duration = self._of_status[status]
        total.inc()
        duration.observe(seconds)
