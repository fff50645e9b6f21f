"""Catalogues: the language that is spoken, and what each of them translates."""

from __future__ import annotations

import re
from datetime import date

import pytest

from features.catalogue.catalogue import catalogue as features
from features.catalogue.fitted import FittedConstants
from features.errors import SettingsError
from insights.presentation.texts import catalogue as english
from models.reasons import reason_words
from models.text.catalogues import (
    LANGUAGES,
    day,
    in_language,
    language,
    messages_of,
    negotiated,
    plural,
    read_catalogue,
    translated,
)

OTHERS = sorted(LANGUAGES.keys() - {"en"})
PLACES = re.compile(r"\{(\w+)")


@pytest.mark.parametrize("name", OTHERS)
def test_the_report_is_translated_text_by_text_with_the_same_places(name: str):
    known = {
        (one.context, one.id if isinstance(one.id, str) else one.id[1]): one
        for one in read_catalogue(name, "report")
        if one.id
    }
    wanted: set[tuple[str, str]] = set()
    for section, texts in english().items():
        for key, words in texts.items():
            forms = [words] if isinstance(words, str) else list(words.values())
            if forms[-1]:
                wanted.add((f"{section}.{key}", forms[-1]))
    changed = f"an English text that changes needs another translation: models/text/{name}/report.po"
    assert known.keys() == wanted, f"{changed}: {sorted(known.keys() ^ wanted)}"
    for (context, words), one in known.items():
        assert one.string, context
        found = one.string if isinstance(one.string, str) else one.string[-1]
        assert found.strip(), context
        assert set(PLACES.findall(found)) == set(PLACES.findall(words)), context


@pytest.mark.parametrize("name", OTHERS)
def test_every_reason_of_the_catalogue_is_translated(name: str):
    reasons = {one.reason for one in features((1, 7, 28), FittedConstants(("buy", "it's")))}
    with in_language(name):
        missing = [one for one in sorted(reasons) if reason_words(one) == one]
        assert not missing, f"models/text/{name}/reasons.po has no translation of: {missing}"
        assert reason_words("{value} it's events in the last 7 days") == "最近 7 天有 {value} 次 it's 事件"
        assert reason_words("plan is {value}") == "plan 为 {value}"
        assert reason_words("a reason of a custom feature") == "a reason of a custom feature"
        for message, words in messages_of("reasons").items():
            assert set(PLACES.findall(words)) == set(PLACES.findall(message)), message


def test_english_is_spoken_unless_another_language_is_asked_for():
    assert language() == "en"
    assert messages_of("reasons") == {}
    with in_language("zh"):
        assert language() == "zh"
        assert translated("nobody wrote this", subject="report") == "nobody wrote this"
    assert language() == "en"
    with pytest.raises(SettingsError, match='got "zz"'), in_language("zz"):
        pass


def test_numbers_have_forms_and_dates_are_written_as_people_do():
    forms = ("One change that chance does not explain.", "{n} changes that chance does not explain.")
    said = {n: plural(forms, n, subject="report", context="findings.headline") for n in (0, 1, 2)}
    assert said == {0: forms[1], 1: forms[0], 2: forms[1]}
    assert day(date(2026, 11, 5)) == "Nov 5, 2026"
    with in_language("zh"):
        assert plural(forms, 1, subject="report", context="findings.headline") == "有 {n} 项变化无法用偶然解释。"
        assert day(date(2026, 11, 5)) == "2026年11月5日"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("zh_TW", "zh"),
        ("en-US,zh;q=0.5", "en"),
        ("fr;q=1, zh-Hans;q=0.4", "zh"),
        ("zh;q=0, en", "en"),
        ("*", "en"),
        ("zh;q=much,;;,", "en"),
    ],
)
def test_the_language_of_a_request_is_the_one_that_suits_best(header: str, expected: str):
    assert negotiated(header) == expected
