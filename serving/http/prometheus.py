"""Metrics of the service for Prometheus, in addition to the server's own request counts and durations."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Sequence

import prometheus_client as prometheus

from serving.http.contract import ModelInfo
from serving.score import Score

DURATION_SECONDS = [0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0]
ITEMS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class Metrics:
    """Counters of one worker, created after it has started: created earlier, the workers' counts would not be summed.

    They are not registered: each worker writes to its own files, and ``/metrics`` reads the files of all.
    """

    def __init__(self, model: ModelInfo) -> None:
        self._answers = prometheus.Counter(
            "churn_answers", "Users requested, by outcome: scored, or why not.", ["outcome"], registry=None
        )
        self._items = prometheus.Histogram("churn_request_items", "Users per request.", buckets=ITEMS, registry=None)
        self._refused_stores = prometheus.Counter(
            "churn_refused_stores", "Profile stores that did not fit the model.", registry=None
        )
        about = {"name": model.name, "version": model.version, "alias": model.alias}
        prometheus.Gauge(
            "churn_model_info", "The model in service.", list(about), registry=None, multiprocess_mode="livemax"
        ).labels(**about).set(1)

    def count(self, results: Sequence[Score]) -> None:
        """Count the results of one request."""
        self._items.observe(len(results))
        for outcome, times in Counts(one.code or one.status for one in results).items():
            self._answers.labels(outcome).inc(times)

    def count_refused_store(self) -> None:
        """Count a profile store that did not fit."""
        self._refused_stores.inc()
