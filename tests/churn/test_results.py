"""Results as a kind: each says what it holds, and what a verb returns is one of them."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import Any, get_args

import pytest

import churn.results
from churn.cli.app import app
from churn.results import Result

NAMES = [f"churn.results.{found.name}" for found in pkgutil.iter_modules(churn.results.__path__)]
EVERY = {
    name: kind
    for module in map(importlib.import_module, NAMES)
    for name, kind in inspect.getmembers(module, inspect.isclass)
    if issubclass(kind, Result) and kind is not Result
}
VERBS = [one.callback for one in app.registered_commands if hasattr(one.callback, "__wrapped__")]


@pytest.mark.parametrize("name", EVERY)
def test_a_result_says_what_it_holds(name: str):
    assert "to_json" in vars(EVERY[name]), f"{name} has no to_json, which --json and the summary print"


@pytest.mark.parametrize("name", EVERY)
def test_a_result_is_imported_from_one_place(name: str):
    assert name in churn.results.__all__, f"{name} goes into churn/results/__init__.py, its import and __all__"


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.__name__)
def test_a_verb_returns_a_result_that_says_what_it_holds(verb: Any):
    returned = inspect.signature(verb.__wrapped__, eval_str=True).return_annotation
    for kind in get_args(returned) or (returned,):
        assert inspect.isclass(kind), f"{verb.__name__} returns {kind!r}, expected a class of churn/results/"
        assert issubclass(kind, Result), f"{verb.__name__} returns {kind.__name__}, expected a Result"
        assert kind.to_json is not Result.to_json, f"{kind.__name__} has no to_json"


def test_results_and_verbs_are_found():
    assert len(EVERY) > 20
    assert len(VERBS) > 12
