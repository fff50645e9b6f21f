"""Logs that nobody has described, in a table: right, rightly asked, or refused in words; never silently wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from churn.first_look.evidence.table import open_table
from churn.first_look.look import Look, look
from churn.first_look.questions import Answers
from features.errors import InputError
from tests.churn.first_look.awkward import Awkward
from tests.churn.first_look.awkward_files import FILES
from tests.churn.first_look.awkward_logs import AWKWARD
from tests.churn.first_look.awkward_numbers import NUMBERS
from tests.churn.first_look.counted_logs import COUNTED
from tests.churn.first_look.doubtful_logs import DOUBTFUL
from tests.churn.first_look.hostile_logs import HOSTILE
from tests.churn.first_look.paid_logs import PAID

# Cases whose names begin alike show the same in other words, or in another language.
FAMILIES = (
    *("counts of each day: ", "counts of each day and more: ", "counts of each day, and money: "),
    *(
        "pieces, or events: ",
        "a number of one moment: ",
        "orders: ",
        "events of a day: ",
        "events of a day, some alike: ",
    ),
    *("prices of what was viewed, by ", "any number: ", "whole money: ", "a row for each user and part: "),
    *("rows that came again with the same ", "a quarter of ", "epoch in ", "times of "),
)


def each(cases: Sequence[Awkward]) -> list[ParameterSet]:
    """Return each case as a parameter: the first and the last of a family for every run, what is between them for `make test-slow`."""
    families = [next((one for one in FAMILIES if case.name.startswith(one)), case.name) for case in cases]
    last = {family: place for place, family in enumerate(families)}
    is_between = [families.index(family) < place < last[family] for place, family in enumerate(families)]
    return [
        pytest.param(case, id=case.name, marks=pytest.mark.slow if slow else ())
        for case, slow in zip(cases, is_between, strict=True)
    ]


def _looked(path: Path) -> Look:
    return look(open_table(str(path), Path()), path=str(path), answers=Answers())


@pytest.mark.parametrize("case", each([*FILES, *AWKWARD, *COUNTED, *DOUBTFUL, *HOSTILE, *NUMBERS, *PAID]))
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
