# pyright: reportPrivateUsage=false

from concurrent.futures import ThreadPoolExecutor
from datetime import date

import prometheus_client
import pytest

from serving.http.contract import ModelInfo
from serving.http.problems import Answer
from serving.http.prometheus import DURATION_SECONDS, Metrics, RequestMetrics
from serving.http.tally import Tally, observe, write_tallies


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def samples(collector: prometheus_client.metrics.MetricWrapperBase) -> dict[str, float]:
    """Samples of a metric by name and labels, with all that was counted."""
    write_tallies()
    registry = prometheus_client.CollectorRegistry()
    registry.register(collector)
    lines = prometheus_client.generate_latest(registry).decode().splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


def test_each_user_is_counted_under_the_outcome(metrics: Metrics):
    metrics.count(["scored", "unknown_user", "unknown_user"])
    metrics.count(["scored"])
    found = samples(metrics._answers)
    assert found['churn_answers_total{outcome="scored"}'] == 2
    assert found['churn_answers_total{outcome="unknown_user"}'] == 2


def test_a_request_is_one_observation_of_its_number_of_users(metrics: Metrics):
    metrics.count(["scored", "unknown_user", "unknown_user"])
    metrics.count(["scored"])
    found = samples(metrics._items)
    assert (found["churn_request_items_count"], found["churn_request_items_sum"]) == (2, 4)
    assert found['churn_request_items_bucket{le="1.0"}'] == 1
    assert found['churn_request_items_bucket{le="5.0"}'] == 2


def test_scores_are_counted_by_model_band_and_tenth_of_the_probability(metrics: Metrics):
    metrics.count_scores([("high", 0.91), None, ("high", 0.99), ("low", 1.0), ("low", 0.0)], model="shop/7")
    found = {name: value for name, value in samples(metrics._scores).items() if name.startswith("churn_scores_total")}
    labels = 'churn_scores_total{{band="{}",model="shop/7",probability="{}"}}'
    assert found == {labels.format("high", "0.9"): 2, labels.format("low", "0.9"): 1, labels.format("low", "0.0"): 1}


def test_one_quality_is_shown_at_a_time(metrics: Metrics):
    for status in ("ok", "stale"):
        metrics.show_quality(status)
    assert samples(metrics._quality) == {
        'churn_quality{status="ok"}': 0,
        'churn_quality{status="degraded"}': 0,
        'churn_quality{status="stale"}': 1,
    }


def test_a_request_is_counted_by_status_kind_model_and_key():
    requests = RequestMetrics("/v1/score")
    requests.start()
    requests.end(200, 0.0002, answer=Answer(200, b"", kind="stored", model="shop/7"), key="app")
    requests.start()
    requests.end(499, 0.3)
    found = samples(requests._requests)
    assert found['churn_requests_total{key="app",kind="stored",model="shop/7",status="200"}'] == 1
    assert found['churn_requests_total{key="",kind="refused",model="",status="499"}'] == 1
    seconds = samples(requests._seconds)
    assert seconds['churn_request_duration_seconds_bucket{kind="stored",le="0.00025",status="200"}'] == 1
    assert seconds['churn_request_duration_seconds_bucket{kind="refused",le="0.25",status="499"}'] == 0


def test_refused_releases_are_counted_under_both_names_and_degrade_who_has_another(metrics: Metrics):
    metrics.refuse(is_degraded=False)
    assert samples(metrics._degraded)["churn_degraded"] == 0
    metrics.refuse(is_degraded=True)
    assert samples(metrics._degraded)["churn_degraded"] == 1
    assert samples(metrics._refused_stores)["churn_refused_stores_total"] == 2
    assert samples(metrics._refused_releases)["churn_refused_releases_total"] == 2


def test_the_model_in_service_is_shown_and_the_one_before_is_not(metrics: Metrics):
    for version in ("7", "8"):
        metrics.show(ModelInfo("shop", version, "champion", date(2026, 5, 4)), is_degraded=False)
    found = samples(metrics._models)
    assert found['churn_model_info{alias="champion",name="shop",version="7"}'] == 0
    assert found['churn_model_info{alias="champion",name="shop",version="8"}'] == 1


def test_nothing_is_registered_globally_so_a_second_service_may_start(metrics: Metrics):
    again = Metrics()
    metrics.count(["scored"])
    assert "churn_answers" not in prometheus_client.generate_latest().decode()
    assert samples(again._items)["churn_request_items_count"] == 0


def test_a_request_is_counted_under_the_names_of_the_servers_middleware():
    metrics = RequestMetrics("/v1/score")
    metrics.start()
    assert set(samples(metrics._gauge).values()) == {1.0}
    metrics.end(200, 0.004)
    metrics.start()
    metrics.end(503, 0.0001)
    assert set(samples(metrics._gauge).values()) == {0.0}
    total = samples(metrics._total)
    assert "bentoml_service_request_total" in {name.partition("{")[0] for name in total}
    assert [name for name in total if 'http_response_code="503"' in name and 'endpoint="/v1/score"' in name]
    durations = samples(metrics._duration)
    assert sum(value for name, value in durations.items() if 'le="0.005"' in name) == 2


def test_several_values_are_observed_as_one_by_one():
    histograms = [prometheus_client.Histogram("t", "t", buckets=DURATION_SECONDS, registry=None) for _ in range(2)]
    values = [*DURATION_SECONDS, 0.0, 0.0003, 7.5, 0.0003]
    observe(histograms[0], values)
    for value in values:
        histograms[1].observe(value)
    one, other = ({n: v for n, v in samples(one).items() if "_created" not in n} for one in histograms)
    assert one == pytest.approx(other)
    assert one["t_count"] == len(values)


def test_what_is_added_while_it_is_written_is_counted_once():
    counted: list[int] = []
    tally = Tally[int](counted.extend)
    with ThreadPoolExecutor(4) as threads:
        for number in range(20_000):
            tally.add(number)
            if number % 500 == 0:
                threads.submit(tally.write)
    tally.write()
    assert counted == list(range(20_000))
