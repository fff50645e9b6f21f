"""Logs that nobody has described, in a table: right, rightly asked, or refused in words; never silently wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from churn.first_look.evidence.table import open_table
from churn.first_look.look import Look, look
from churn.first_look.questions import Answers
from features.errors import InputError
from tests.churn.first_look.awkward_logs import AWKWARD, Awkward
from tests.churn.first_look.awkward_numbers import NUMBERS
from tests.churn.first_look.counted_logs import COUNTED
from tests.churn.first_look.doubtful_logs import DOUBTFUL
from tests.churn.first_look.hostile_logs import HOSTILE
from tests.churn.first_look.paid_logs import PAID


def _looked(path: Path) -> Look:
    return look(open_table(str(path), Path()), path=str(path), answers=Answers())


@pytest.mark.parametrize("case", [*AWKWARD, *COUNTED, *DOUBTFUL, *HOSTILE, *NUMBERS, *PAID], ids=lambda case: case.name)
def test_a_log_is_understood_asked_about_or_refused(case: Awkward, tmp_path: Path) -> None:
    check(case, tmp_path)


def check(case: Awkward, tmp_path: Path) -> None:
    """Look at a log, and compare with what is expected."""
    path = case.write(tmp_path)
    if case.refuses:
        with pytest.raises(InputError, match=case.refuses):
            _looked(path)
        return
    found = _looked(path)
    assert {question.key for question in found.questions} == case.asks
    columns = {name: one.expression for name, one in found.draft.columns.items()}
    settings = {name: line.value for name, line in (found.draft.events | found.draft.format).items()}
    assert {name: columns.get(name) for name in case.columns} == case.columns
    assert {name: settings.get(name) for name in case.settings} == case.settings
    assert not {*columns, *settings} & set(case.without)
    assert case.notes in "; ".join(found.notes)
