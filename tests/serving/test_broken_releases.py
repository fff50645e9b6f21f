"""Whatever is wrong with a release: it is refused and the one before goes on, or its answers are those of its own model."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.serving.broken_releases import FILES, Row, page, rows

SHOWN = Path(__file__).parents[2] / "docs/broken-releases.md"
TAKEN = {
    ("store/profiles.sqlite", "of another model"),  # its profiles fit, and its answers are not used
    ("release.json", "of an older format"),
    ("model/churn_model.json", "of an older format"),
    ("store/profiles.sqlite", "of an older format"),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    return list(rows(tmp_path_factory.mktemp("broken")))


def test_the_release_before_goes_on_or_the_answers_are_those_of_the_model_that_they_name(found: list[Row]):
    expected = ["taken" if (one.file, one.fault) in TAKEN else "refused" for one in found]
    assert [(one.file, one.fault, one.outcome) for one in found] == [
        (one.file, one.fault, outcome) for one, outcome in zip(found, expected, strict=True)
    ]
    assert len(found) == 4 * len(FILES) + 6


def test_what_is_refused_is_said_and_what_is_taken_needs_no_words(found: list[Row]):
    assert [one for one in found if bool(one.words) != (one.outcome == "refused")] == []
    assert [one for one in found if "RELEASE" not in one.words and one.outcome == "refused"] == [
        one for one in found if one.fault == "of another model" and one.file == "release.json"
    ]


def test_the_page_shows_it(found: list[Row]):
    assert SHOWN.read_text() == page(found), "stale: python -m tests.serving.broken_releases > docs/broken-releases.md"
