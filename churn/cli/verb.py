"""What all verbs share: the options that open a project, the progress bar, the result as JSON, and the next command."""

from __future__ import annotations

import functools
import inspect
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from churn.cli import console
from churn.cli.damage import damage_named
from churn.cli.options import Config, Events, Home, Json, Set
from churn.home import ACTIVITY
from churn.project import Project
from churn.results import Result
from churn.workspace import DEFAULT_CONFIG, DEFAULT_HOME
from models.registry import CHAMPION


def verb(
    *,
    steps: int = 0,
    events: bool = True,
    then: Callable[[Project, Any], tuple[str, ...]] = lambda *_: (),
    as_settings: Mapping[str, tuple[str, Any]] | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., None]]:
    """Make a verb of a function of a project, what reports progress, and options of its own; it returns a result.

    The verb opens the project of ``--config --home --events --set``, and prints the result: as JSON under ``--json``, else by the
    function :func:`shown_by` registered for its type.

    Parameters
    ----------
    steps
        Of the progress bar.
    events
        Whether there is ``--events``.
    then
        Verb and options that usually come next, of a project and the result; the last line that people see.
    as_settings
        Further options that are short for a setting: parameter to the setting and the option's annotation.
    """

    def made(function: Callable[..., Any]) -> Callable[..., None]:
        signature = inspect.signature(function, eval_str=True)
        _, _, *own = signature.parameters.values()
        short = dict(as_settings or {})
        shared = _options({name: kind for name, (_, kind) in short.items()}, events=events)

        @functools.wraps(function)
        def run(**given: Any) -> None:
            as_json = given.pop("as_json")
            named = {setting: value for name, (setting, _) in short.items() if (value := given.pop(name)) is not None}
            again = {name: given.get(name) for name in ("events", "set_", "model", "allow_mapping_change")}
            places = {"home": given.pop("home"), "events": given.pop("events", None)}
            project = opened(given.pop("config"), given.pop("set_"), named, **places)
            with console.steps(function.__name__, steps) as say, damage_named(project.root / ACTIVITY):
                result = function(project, say, **given)
            following = then(project, result)
            after = next_command(project, *following, again=again) if following else ""
            console.print_json(_as_json(result, after)) if as_json else _show(result)
            result.check()
            if after and not as_json:
                console.out.print(f"next: {after}", markup=False)

        run.__signature__ = signature.replace(parameters=[*own, *shared], return_annotation=None)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in (*own, *shared)} | {"return": None}
        return run

    return made


def _as_json(result: Any, after: str) -> Any:
    """Return a result; the next command, where it names one, is as it is typed."""
    found = result.to_json()
    return found | {"next": after} if "next" in found else found


def opened(
    config: Path | None, pairs: Sequence[str] | None, named: Mapping[str, Any] | None = None, **places: Any
) -> Project:
    """Open a project with the options of a verb; hints on former names go to standard error."""
    from churn.settings import parse_flags

    project = Project(config, settings=parse_flags(pairs or ()) | dict(named or {}), **places)
    for hint in project.loaded.hints:
        console.err.print(f"churn: {hint}", markup=False)
    return project


def _options(short: Mapping[str, Any], *, events: bool) -> list[inspect.Parameter]:
    kinds: dict[str, Any] = {
        **short,
        "config": Config,
        "home": Home,
        **({"events": Events} if events else {}),
        "set_": Set,
    }
    keyword = inspect.Parameter.KEYWORD_ONLY
    found = [inspect.Parameter(name, keyword, default=None, annotation=kind) for name, kind in kinds.items()]
    return [*found, inspect.Parameter("as_json", keyword, default=False, annotation=Json)]


Show = Callable[[Any], None]
_SHOWN: dict[type, Show] = {}
_POPULATION = "training.population"
_OF_A_POPULATION = ("train", "promote")  # who is new has a model of its own, and no scores and lists
_OF_A_MODEL, _WITHOUT_EVENTS = ("score", "export", "serve"), ("serve", "rollback", "publish")


def shown_by(kind: type) -> Callable[[Show], Show]:
    """Register how people see a result of a type; without one, it is title and summary."""

    def registered(function: Show) -> Show:
        _SHOWN[kind] = function
        return function

    return registered


def _show(result: Result) -> None:
    found = _SHOWN.get(type(result))
    found(result) if found else console.print_report(result.title, result.summary)


def next_command(project: Project, *words: str, again: Mapping[str, Any] | None = None) -> str:
    """Return a command on the same project, as it is typed; with the options of the one before that it takes too."""
    options = ["--config", str(project.config)] if project.config not in (None, DEFAULT_CONFIG) else []
    options += ["--home", str(project.root)] if project.root != DEFAULT_HOME else []
    return shlex.join(["churn", *words, *options, *_taken_again(words, again or {})])


def _taken_again(words: Sequence[str], given: Mapping[str, Any]) -> list[str]:
    """Return the options that change what the next verb reads, scores or decides."""
    name, *own = words
    if name == "init":
        return []
    found = ["--events", given["events"]] if given.get("events") and name not in _WITHOUT_EVENTS else []
    if name in _OF_A_MODEL:
        found += ["--model", given["model"]] if given.get("model") not in (None, CHAMPION) else []
        found += ["--allow-mapping-change"] if given.get("allow_mapping_change") and name != "serve" else []
    named = {one.partition("=")[0] for one in own} | ({_POPULATION} if name not in _OF_A_POPULATION else set())
    pairs = [pair for pair in given.get("set_") or () if pair.partition("=")[0].strip() not in named]
    return found + [word for pair in pairs for word in ("--set", pair)]
