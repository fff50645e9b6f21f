from serving.http.front.paths import NEEDED, PROBES
from serving.keys import SCOPES


def test_every_path_but_probes_needs_a_scope_that_there_is():
    assert not PROBES & NEEDED.keys()
    assert all(needed and needed <= set(SCOPES) for needed in NEEDED.values())


def test_profiles_and_metrics_are_not_for_keys_that_score():
    assert "score" not in NEEDED["/metrics"]
