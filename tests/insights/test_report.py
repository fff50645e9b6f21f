"""The whole report, from the kept activity alone."""

from features.settings import ChurnSettings
from insights.report import sections
from insights.settings import ReportSettings
from tests.insights.conftest import Random


def test_every_question_has_a_sentence_a_definition_and_a_number(random_log: Random):
    told: list[str] = []
    found = sections(random_log.log, ReportSettings(), churn=ChurnSettings(), say=told.append)
    assert len(told) == len(found)
    for one in found:
        assert one.sentences[0].endswith(".")
        assert one.definition
        assert one.facts or one.needs
