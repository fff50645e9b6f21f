"""The whole report, from the kept activity alone."""

from tests.insights.conftest import Report


def test_every_question_has_a_sentence_a_definition_and_a_number(report: Report):
    assert len(report.said) == len(report.sections)
    for one in report.sections:
        assert one.sentences[0].endswith(".")
        assert one.definition
        assert one.facts or one.needs
