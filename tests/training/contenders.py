"""Candidates for promotion, made worse on purpose, and the decision on them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from models.scorers.calibration import Platt
from training.plan.plan import Recipe
from training.promotion.decide import Contender, Decision
from training.promotion.gates import Gate

LATEST = date(2026, 4, 21)  # the latest finished cutoff of the world
END = date(2026, 5, 5)


def parameters(recipe: Recipe, **changed: Any) -> dict[str, str]:
    """What a run writes down of a recipe."""
    found = {
        f"{section}.{key}": str(value)
        for section in ("churn", "features", "model", "training")
        for key, value in getattr(recipe, section).model_dump(mode="json").items()
    }
    return found | {name.replace("__", "."): str(value) for name, value in changed.items()}


def with_model(contender: Contender, **changed: Any) -> Contender:
    return replace(contender, model=replace(contender.model, **changed))


def shifted(contender: Contender, by: float) -> Contender:
    """The same ranking, with probabilities that are off."""
    found = contender.model.calibration
    assert isinstance(found, Platt)
    return with_model(contender, calibration=Platt(found.slope, found.intercept + by))


def reversed_(contender: Contender) -> Contender:
    """The riskiest last."""
    found = contender.model.calibration
    assert isinstance(found, Platt)
    return with_model(contender, calibration=Platt(-found.slope, found.intercept))


def seen_through(contender: Contender, day: date) -> Contender:
    return with_model(contender, quality=replace(contender.model.quality, trained_through=day))


def refusing(found: Decision) -> list[str]:
    return [gate.name for gate in found.gates if not gate.passed]


def gate_of(found: Decision, name: str) -> Gate:
    return next(gate for gate in found.gates if gate.name == name)
