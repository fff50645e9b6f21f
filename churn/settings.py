"""All settings put together, once: churn.toml, then the environment, then flags."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableVariableError

from features.catalogue.catalogue import check_custom_names
from features.errors import SettingsError, closest
from features.settings import (
    MIN_ROWS_AT_ONCE,
    ChurnSettings,
    ComputeSettings,
    EventsSettings,
    FeatureSettings,
    IdentitiesSettings,
    ProjectSettings,
    Section,
    UsersSettings,
    former_names,
)
from insights.settings import AnnotationsSettings, CostsSettings, ReportSettings
from models.settings import ModelSettings
from serving.settings import (
    ContactsSettings,
    ExportSettings,
    HoldoutSettings,
    ListSettings,
    ScoringSettings,
    ServingSettings,
)
from training.settings import (
    AdviceSettings,
    AuditSettings,
    BotsSettings,
    DriftSettings,
    OutagesSettings,
    PromotionSettings,
    TrainingSettings,
)

_PREFIX, _NESTED = "CHURN_", "__"
_SECRETS = {"connection"}


class Settings(BaseSettings):
    """Every section, under the name it has in churn.toml."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_nested_delimiter=_NESTED, extra="forbid", frozen=True)

    project: ProjectSettings = Field(default_factory=ProjectSettings)
    events: EventsSettings = Field(default_factory=EventsSettings)
    users: UsersSettings = Field(default_factory=UsersSettings)
    identities: IdentitiesSettings = Field(default_factory=IdentitiesSettings)
    compute: ComputeSettings = Field(default_factory=ComputeSettings)
    churn: ChurnSettings = Field(default_factory=ChurnSettings)
    features: FeatureSettings = Field(default_factory=FeatureSettings)
    model: ModelSettings = Field(default_factory=ModelSettings)
    training: TrainingSettings = Field(default_factory=TrainingSettings)
    audit: AuditSettings = Field(default_factory=AuditSettings)
    advice: AdviceSettings = Field(default_factory=AdviceSettings)
    outages: OutagesSettings = Field(default_factory=OutagesSettings)
    bots: BotsSettings = Field(default_factory=BotsSettings)
    drift: DriftSettings = Field(default_factory=DriftSettings)
    promotion: PromotionSettings = Field(default_factory=PromotionSettings)
    scoring: ScoringSettings = Field(default_factory=ScoringSettings)
    export: ExportSettings = Field(default_factory=ExportSettings)
    lists: tuple[ListSettings, ...] = ()
    holdout: HoldoutSettings = Field(default_factory=HoldoutSettings)
    contacts: ContactsSettings = Field(default_factory=ContactsSettings)
    serving: ServingSettings = Field(default_factory=ServingSettings)
    report: ReportSettings = Field(default_factory=ReportSettings)
    costs: CostsSettings = Field(default_factory=CostsSettings)
    annotations: AnnotationsSettings = Field(default_factory=AnnotationsSettings)

    @field_validator("features")
    @classmethod
    def _custom_features_have_free_names(cls, features: FeatureSettings) -> FeatureSettings:
        """Compare them with the catalogue, which the sections themselves know nothing of."""
        check_custom_names(features.custom, features.windows_days)
        return features

    @field_validator("lists")
    @classmethod
    def _lists_have_names_of_their_own(cls, lists: tuple[ListSettings, ...]) -> tuple[ListSettings, ...]:
        names = [one.name for one in lists]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f'two lists are called "{twice[0]}"')
        return lists

    @property
    def weekly_lists(self) -> tuple[ListSettings, ...]:
        """The lists, in their order; one of everyone at risk where there are none."""
        return self.lists or (ListSettings(at_least=self.export.at_least),)

    @classmethod
    def settings_customise_sources(cls, *_: Any, **sources: Any) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read nothing by itself: :func:`load_settings` merges the sources, and keeps which value came from where."""
        return (sources["init_settings"],)


TABLES: dict[str, type[Section]] = {"lists": ListSettings}  # lists of tables, as in [[lists]]


@dataclass(frozen=True)
class Loaded:
    """The settings, for each that was set ``section.key`` to where it was set, and hints on former names that were used."""

    settings: Settings
    origins: Mapping[str, str]
    hints: tuple[str, ...] = ()


def load_settings(config: Path | None, *, flags: Mapping[str, Any]) -> Loaded:
    """Merge churn.toml, the environment (``CHURN_CHURN__HORIZON_DAYS``) and flags; the later wins.

    Parameters
    ----------
    config
        The file; None: no file, all defaults.
    flags
        ``section.key`` to value, from ``--set`` and the like.

    Raises
    ------
    SettingsError
        For an unreadable file, an unknown key or a value of the wrong kind.
    """
    sources = {
        config.name if config else "churn.toml": _read(config) if config else {},
        "environment": _environment(),
        "flag": _nested(flags),
    }
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    hints: list[str] = []
    for origin, given in sources.items():
        values = _under_todays_names(given, origin, hints=hints)
        _check_sections(values, origin)
        merged = _merge(merged, values)
        origins |= dict.fromkeys(_leaves(values), origin)
    try:
        return _with_enough_rows(Loaded(Settings(**merged), origins, tuple(hints)))
    except ValidationError as error:
        message, hint = _explain(error, origins)
        raise SettingsError(message, hint=hint) from error


def _with_enough_rows(loaded: Loaded) -> Loaded:
    """Raise ``rows_at_once`` to a sensible minimum, with a hint."""
    settings, name = loaded.settings, "compute.rows_at_once"
    asked = settings.compute.rows_at_once
    if asked >= MIN_ROWS_AT_ONCE:
        return loaded
    compute = settings.compute.model_copy(update={"rows_at_once": MIN_ROWS_AT_ONCE})
    hint = (
        f"{loaded.origins.get(name, 'default')}: {name} is {asked:,} and is raised to {MIN_ROWS_AT_ONCE:,}: "
        "fewer rows at once take several times as long, and hardly less memory"
    )
    return replace(loaded, settings=settings.model_copy(update={"compute": compute}), hints=(*loaded.hints, hint))


@cache
def _former_names() -> dict[str, str]:
    """Return every former name of a setting, with that of today, as ``section.key``."""
    sections: dict[str, Any] = {name: f.annotation for name, f in Settings.model_fields.items() if name not in TABLES}
    return {old: new for name, kind in sections.items() for old, new in former_names(name, kind).items()}


def _under_todays_names(given: Mapping[str, Any], origin: str, *, hints: list[str]) -> dict[str, Any]:
    """Move settings that were given under a former name, and add a hint on each.

    Raises
    ------
    SettingsError
        When one is given under both names.
    """
    values = {name: dict(keys) if isinstance(keys, Mapping) else keys for name, keys in given.items()}
    for old, new in _former_names().items():
        (section, key), (to_section, to_key) = old.split("."), new.split(".")
        former = values.get(section)
        if not isinstance(former, dict) or key not in former:
            continue
        target = values.setdefault(to_section, {})
        if to_key in target:
            raise SettingsError(f"{origin} sets both {old} and {new}, which are one setting", hint=f"keep {new}")
        target[to_key] = former.pop(key)
        if not former:
            del values[section]
        hints.append(f"{origin}: {old} is now called {new}; the former name works in this version only")
    return values


def _check_sections(values: Mapping[str, Any], origin: str) -> None:
    for section, keys in values.items():
        if section in Settings.model_fields and section not in TABLES and not isinstance(keys, Mapping):
            raise SettingsError(f"{section} ({origin}): got a value, expected a section", hint=f"as in [{section}]")
        if section in TABLES and not (isinstance(keys, list) and all(isinstance(one, Mapping) for one in keys)):
            raise SettingsError(f"{section} ({origin}): expected a list of tables", hint=f"as in [[{section}]]")


def _environment() -> dict[str, Any]:
    """Read ``CHURN_SECTION__KEY``; a variable with a section that does not exist is an error, as in the file."""
    prefix, nested = _PREFIX, _NESTED
    asked = {
        name.removeprefix(prefix).lower().split(nested)[0]
        for name in os.environ
        if name.startswith(prefix) and nested in name
    }
    former = _nested(
        {old: _value(os.environ[name]) for old in _former_names() if (name := _variable(old)) in os.environ}
    )
    try:
        return dict.fromkeys(asked - set(Settings.model_fields)) | _merge(EnvSettingsSource(Settings)(), former)
    except UnreadableVariableError as error:
        raise SettingsError(
            f"environment: {error}", hint="lists are JSON, as in CHURN_FEATURES__WINDOWS_DAYS=[7,28]"
        ) from error


def _merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    both = {
        key: _merge(under[key], over[key])
        for key in under.keys() & over.keys()
        if isinstance(under[key], Mapping) and isinstance(over[key], Mapping)
    }
    return {**under, **over, **both}


def _variable(name: str) -> str:
    return _PREFIX + name.replace(".", _NESTED).upper()


def parse_flags(pairs: Sequence[str]) -> dict[str, Any]:
    """Read ``--set section.key=value``; the value is TOML, and plain text where it is not.

    Raises
    ------
    SettingsError
        When a pair has no ``=`` or names no section.

    Examples
    --------
    >>> parse_flags(["churn.horizon_days=30", "events.path=a.csv"])
    {'churn.horizon_days': 30, 'events.path': 'a.csv'}
    """
    flags: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not ("." in key or key.strip() in TABLES):
            raise SettingsError(f'--set: got "{pair}", expected section.key=value', hint="as in churn.horizon_days=30")
        flags[key.strip()] = _value(value.strip())
    return flags


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _read(config: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(config.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(f"--config: there is no file {config}", hint="write one, or omit --config") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{config} cannot be read: {error}", hint="it must be TOML, as in examples/") from error


def _nested(flags: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for name, value in flags.items():
        *parents, last = name.split(".")
        place = nested
        for number, parent in enumerate(parents, 1):
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                raise _contradiction(name, ".".join(parents[:number]))
        if isinstance(place.get(last), dict):
            raise _contradiction(f"{name}.{next(iter(place[last]))}", name)
        place[last] = value
    return nested


def _contradiction(name: str, other: str) -> SettingsError:
    return SettingsError(f"--set: {name} and {other} contradict each other", hint="set one of them")


def _leaves(values: Mapping[str, Any]) -> Iterator[str]:
    for section, keys in values.items():
        yield section
        yield from (f"{section}.{key}" for key in (keys if isinstance(keys, Mapping) else ()))


def _explain(error: ValidationError, origins: Mapping[str, str]) -> tuple[str, str]:
    """Return message and hint; only the first fault has room for a hint."""
    lines = [_fault(fault, origins) for fault in error.errors()]
    return "; ".join(line for line, _ in lines), lines[0][1]


def _fault(fault: Any, origins: Mapping[str, str]) -> tuple[str, str]:
    place = [str(part) for part in fault["loc"]]
    name = ".".join(place)
    origin = origins.get(".".join(place[:2])) or origins.get(place[0], "default")
    if fault["type"] == "extra_forbidden":
        return f'unknown setting "{name}" ({origin})', closest(place[-1], _known(place[:-1]))
    message = str(fault["msg"]).removeprefix("Value error, ")
    return f"setting {name} ({origin}): {message}{_got(place, fault['input'])}", "churn settings lists every setting"


def _got(place: Sequence[str], value: Any) -> str:
    """Show what was got, unless it is a secret or a section, which may hold one."""
    is_shown = not isinstance(value, Mapping) and place[-1] not in _SECRETS
    return f"; got {value!r}" if is_shown else ""


def _known(parents: Sequence[str]) -> list[str]:
    if parents and parents[0] in TABLES:
        return list(TABLES[parents[0]].model_fields)
    model: Any = Settings
    for parent in parents:
        model = model.model_fields[parent].annotation
    return list(model.model_fields)


def in_place_of_the_log(events: str) -> dict[str, Any]:
    """Return the settings that put another log in the place of the configured one."""
    from features.log.files import is_remote

    place = events if is_remote(events) else str(Path(events).absolute())
    return {"events.path": place, "events.connection": None, "events.query": "", "events.watermark": ""}
