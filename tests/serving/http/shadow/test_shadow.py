"""The shadow in one process: what is counted, what is dropped, and what a broken one may do."""

import json
import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from msgspec import structs

from features.eligibility import RECENT
from serving.batch.difference import Difference
from serving.http.prometheus import Metrics
from serving.http.shadow import shadow as module
from serving.http.shadow.shadow import MAX_WAITING, ShadowScoring, shadow_scoring
from serving.release.bundle import ServingBundle, read_bundle, write_bundle
from serving.release.shadow import Shadow
from serving.score import score
from serving.store.profile_store import ProfileStore, write_store
from tests.models.model_builder import fit_model, rows_of
from tests.serving.http.test_prometheus import samples
from tests.serving.running import wait_for

CHALLENGER = fit_model(seed=9)
SHADOW = Shadow(CHALLENGER, "8", "challenger", Difference(100, 0, 3, 0.01, 0.02))


@pytest.fixture
def shadowed(bundle: ServingBundle, profiles: pa.Table) -> ServingBundle:
    write_store(bundle.store, profiles, specification=bundle.model.specification)
    return replace(bundle, shadow=SHADOW)


def scoring_of(bundle: ServingBundle, metrics: Metrics) -> ShadowScoring:
    assert bundle.shadow
    return ShadowScoring(bundle.shadow, bundle=bundle, store=ProfileStore(bundle.store), metrics=metrics)


def answered(bundle: ServingBundle, profiles: pa.Table) -> list[tuple[Any, Any]]:
    rows = rows_of(profiles)
    return list(zip(rows, score(bundle.model, rows, bands=bundle.scoring), strict=True))


def counts(metrics: Metrics) -> dict[str, float]:
    """Outcome to number of users."""
    found = samples(metrics.shadow_users)
    return {
        name.partition('outcome="')[2].partition('"')[0]: value for name, value in found.items() if "_total" in name
    }


def test_the_release_keeps_the_shadow_and_what_was_found(shadowed: ServingBundle, tmp_path: Path):
    write_bundle(tmp_path / "with", shadowed)
    found = read_bundle(tmp_path / "with").shadow
    assert found
    assert (found.version, found.alias, found.difference) == ("8", "challenger", SHADOW.difference)
    write_bundle(tmp_path / "without", replace(shadowed, shadow=None))
    assert read_bundle(tmp_path / "without").shadow is None
    assert not (tmp_path / "without/shadow").exists()


def test_what_waits_is_bounded_and_what_is_more_is_dropped_at_once(shadowed: ServingBundle, profiles: pa.Table):
    metrics = Metrics()
    shadow = scoring_of(shadowed, metrics)  # not at work
    users = answered(shadowed, profiles)
    started = time.perf_counter()
    for _ in range(10):
        shadow.compare(users)
    assert time.perf_counter() - started < 1
    assert counts(metrics) == {"dropped": 10 * len(users) - MAX_WAITING}


def test_a_line_sums_up_what_was_compared_since_the_one_before(
    shadowed: ServingBundle, profiles: pa.Table, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    caplog.set_level(logging.INFO, "churn.serving")
    monkeypatch.setattr(module, "_SHARE", 1.0)
    metrics = Metrics()
    shadow = scoring_of(shadowed, metrics)
    shadow.compare(answered(shadowed, profiles))
    shadow.start()
    wait_for(lambda: sum(counts(metrics).values()) == profiles.num_rows)
    shadow.close()
    wait_for(lambda: bool(caplog.records))
    (line,) = [one for one in caplog.records if one.message == "compared with the shadow"]
    fields: Any = line.__dict__["fields"]
    found = counts(metrics)
    assert (fields["model"], fields["shadow"]) == ("shop/7", "shop/8")
    assert (fields["users"], fields["other_band"]) == (found["same_band"] + found["other_band"], found["other_band"])
    assert fields["mean_absolute"] > 0
    assert not any(f'"u{place}"' in json.dumps(fields) for place in range(profiles.num_rows))


def test_a_challenger_that_fails_is_counted_and_others_are_compared(
    shadowed: ServingBundle, profiles: pa.Table, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, "churn.serving")
    specification = structs.replace(
        CHALLENGER.specification, feature_names=CHALLENGER.specification.feature_names[:-1]
    )  # its trees read one more
    broken = replace(shadowed, shadow=replace(SHADOW, model=replace(CHALLENGER, specification=specification)))
    metrics = Metrics()
    shadow = scoring_of(broken, metrics)
    users = [one for one in answered(shadowed, profiles) if one[1].code is None][:2]
    incomplete = {name: value for name, value in users[0][0].items() if name != RECENT}
    shadow.compare([*users, (incomplete, users[0][1])])
    shadow.start()
    wait_for(lambda: sum(counts(metrics).values()) == 3)
    assert counts(metrics) == {"error": 2, "not_comparable": 1}
    shadow.close()
    wait_for(lambda: bool(caplog.records))
    assert caplog.records[-1].__dict__["fields"]["error"] == "ValueError"


def test_a_shadow_that_cannot_be_read_is_a_line_of_the_log(
    shadowed: ServingBundle, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    write_bundle(tmp_path / "served", shadowed)
    (tmp_path / "served/shadow/booster.txt").write_text("not a tree")
    found = read_bundle(tmp_path / "served")
    assert found.shadow is None
    assert shadow_scoring(found, ProfileStore(found.store), metrics=Metrics()) is None
    assert "the shadow is broken, and nothing is compared with it" in caplog.text


def test_a_shadow_of_features_that_nobody_knows_is_a_line_of_the_log(
    shadowed: ServingBundle, caplog: pytest.LogCaptureFixture
):
    strange = structs.replace(CHALLENGER.specification, feature_names=("not_a_feature",))
    broken = replace(shadowed, shadow=replace(SHADOW, model=replace(CHALLENGER, specification=strange)))
    assert shadow_scoring(broken, ProfileStore(broken.store), metrics=Metrics()) is None
    assert "the shadow is broken" in caplog.text
