"""Whether the weekly reading of the effect keeps what it promises: seasons of 26 weekly looks in which the truth is known.

``python -m benchmarks.weekly.effect`` takes a few minutes; ``SEASONS=100``, ``LISTS="762 5000"`` and ``SEED=7`` measure fewer,
some, or other ones. Results are kept in ``weekly_effect.json``; ``weekly_effect.md`` is written from them.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
from scipy.stats import norm

from benchmarks.measuring import PAGES
from benchmarks.weekly.effect_page import write_page
from benchmarks.weekly.effect_seasons import (
    GROUPS,
    LOOKS,
    NEW_SCORED,
    Entries,
    Plant,
    Readings,
    expected,
    leaked,
    readings,
    ring_evidence,
    season_of,
)
from benchmarks.weekly.effect_small import small_results
from models.arrays import Labels, Values
from serving.weekly.account.arm_checks import (
    MIN_HELD_OUT,
    MISMATCH_ALPHA,
    SHARPEST_LOSS,
    detectable_loss,
    is_contaminated,
)
from serving.weekly.account.confidence_sequence import (
    ALPHA,
    SEASON_WEEKS,
    SMALLEST_SHARE,
    ConfidenceSequence,
    detectable,
    holdout_share,
)
from serving.weekly.account.effect import BAND_ALPHA

EFFECT, LEAK = 0.05, 0.05
PLANNED_FACTORS = (1.0, 0.25, 4.0)
FIXED = float(norm.ppf(0.975))
SCORED = (762, 5_000, 20_000, 50_000)
CLEAN_SEASONS = 10  # times as many clean seasons as lossy ones: rings are rare
SMALL_SEASONS = 4
_AT_ONCE = 20
_LARGEST = 10_000_000


def main() -> None:
    """Simulate, keep the results, and write the page."""
    seasons, seed = int(os.environ.get("SEASONS") or 1_000), int(os.environ.get("SEED") or 1)
    sizes = [int(size) for size in (os.environ.get("LISTS") or "762 5000 15000").split()]
    started = time.perf_counter()
    results: dict[str, Any] = {
        "measured_on": datetime.now(UTC).date().isoformat(),
        "seasons": seasons,
        "seed": seed,
        "lists": [list_results(size, seasons=seasons, seed=seed) for size in sizes],
        "mismatch": mismatch_results(seasons=seasons, seed=seed),
        "small": small_results(seasons=SMALL_SEASONS * seasons, seed=seed),
        "smallest_scored": {str(share): smallest_scored(share) for share in (SMALLEST_SHARE, 0.1, 0.2, 0.5)},
    }
    results["seconds"] = round(time.perf_counter() - started, 1)
    (PAGES / "weekly_effect.json").write_text(json.dumps(results, indent=1) + "\n")
    write_page(results, PAGES)


# --- The effect ------------------------------------------------------------------------------------------------------


def list_results(size: int, *, seasons: int, seed: int, share: float | None = None) -> dict[str, Any]:
    """All bars that concern a list of a size; the share held out is that which would show five points."""
    plan = expected(size)
    held = holdout_share(plan, EFFECT) if share is None else share
    by_week = detectable(plan, held)
    plants = {
        "zero": Plant(0.0, LEAK),
        "five": Plant(EFFECT, LEAK),
        "planned": Plant(float(by_week[-1]), 0.0),
    }
    found = _simulate(size, plants=plants, share=held, random=_streams(seed, size, seasons=seasons))
    reading, leaks = {name: _joined(found, name) for name in plants}, found["leaks"]
    return {
        "size": size,
        "share": held,
        "planned": plan.planned,
        "rows": size * SEASON_WEEKS,
        "effect_planned": plants["planned"].effect,
        "power": float(_shown(reading["planned"], factor=1.0)[:, :, 0].any(1).mean()),
        "looks": [_bars(reading, factor, planned=plan.planned) | {"factor": factor} for factor in PLANNED_FACTORS],
        "ordinary_looks": float(_ordinary(reading["zero"]).any(1).mean()),
        "first_read_week": float(np.median(LOOKS[reading["zero"].has_enough[:, :, 0].argmax(1)])),
        "contamination": [_contamination_results(leaks[leak], leak) for leak in (LEAK, 2 * LEAK)],
    }


def _streams(seed: int, size: int, *, seasons: int) -> Iterator[np.random.Generator]:
    return (np.random.default_rng([seed, size, season]) for season in range(seasons))


def _simulate(
    size: int, *, plants: dict[str, Plant], share: float, random: Iterator[np.random.Generator]
) -> dict[str, Any]:
    """Read every plant off the same seasons, some seasons at a time."""
    found: dict[str, Any] = {name: [] for name in plants}
    leaks: dict[float, list[Any]] = {LEAK: [], 2 * LEAK: []}
    for some in _chunks(season_of(one, size, share=share) for one in random):
        for name, plant in plants.items():
            found[name].append(readings(some, plant))
        for leak, kept in leaks.items():
            kept.append(leaked(some, leak))
    both = {leak: [np.concatenate(part) for part in zip(*kept, strict=True)] for leak, kept in leaks.items()}
    return {**found, "leaks": both}


def _chunks(seasons: Iterator[Entries]) -> Iterator[list[Entries]]:
    some: list[Entries] = []
    for one in seasons:
        some.append(one)
        if len(some) == _AT_ONCE:
            yield some
            some = []
    if some:
        yield some


def _joined(found: dict[str, list[Readings]], name: str) -> Readings:
    parts = [list(vars(one).values()) for one in found[name]]
    return Readings(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _half_width(reading: Readings, factor: float) -> Values:
    """Half of each interval, shape (seasons, looks, groups), where the season was planned for ``factor`` times its users."""
    planned = reading.users[:, -1].mean(0) * factor
    alphas = [ALPHA, *[BAND_ALPHA] * (len(GROUPS) - 1)]
    both = zip(planned, alphas, strict=True)
    multipliers = [
        ConfidenceSequence(users, alpha).multiplier(reading.users[..., group])
        for group, (users, alpha) in enumerate(both)
    ]
    return np.stack(multipliers, axis=-1) * reading.error


def _shown(reading: Readings, factor: float) -> Labels:
    return (reading.estimate + _half_width(reading, factor) < 0) & reading.has_enough


def _harm_shown(reading: Readings, factor: float) -> Labels:
    return (reading.estimate - _half_width(reading, factor) > 0) & reading.has_enough


def _missed(reading: Readings, factor: float, *, truth: Values) -> Labels:
    return (np.abs(reading.estimate - truth) > _half_width(reading, factor)) & reading.has_enough


def _ordinary(reading: Readings) -> Labels:
    found = np.abs(reading.estimate) > FIXED * reading.error
    return found[:, :, 0]


def _bars(reading: dict[str, Readings], factor: float, *, planned: float) -> dict[str, float]:
    zero, five = reading["zero"], reading["five"]
    shown, harm = _shown(zero, factor), _harm_shown(zero, factor)
    last = ConfidenceSequence(planned * factor).multiplier(zero.users[:, -1, 0])
    covered = {
        name: ~_missed(five, factor, truth=truth)
        for name, truth in (("entered", five.entered), ("closed", five.closed))
    }
    constant = ~_missed(five, factor, truth=np.full_like(five.entered, -(1 - LEAK) * EFFECT))
    return {
        "zero_shown": float(shown[:, :, 0].any(1).mean()),
        "zero_shown_anywhere": float(shown.any((1, 2)).mean()),
        "zero_harm_shown": float(harm[:, :, 0].any(1).mean()),
        "covered_entered": float(covered["entered"][:, :, 0].all(1).mean()),
        "covered_closed": float(covered["closed"][:, :, 0].all(1).mean()),
        "covered_constant": float(constant[:, :, 0].all(1).mean()),
        "covered_worst_band": float(covered["entered"][:, :, 1:].all(1).mean(0).min()),
        "five_shown": float(_shown(five, factor)[:, :, 0].any(1).mean()),
        "width": float(last.max() / FIXED),
    }


# --- The checks ------------------------------------------------------------------------------------------------------


def _contamination_results(counts: list[Values], leak: float) -> dict[str, Any]:
    contacted, held_out = counts
    flags = is_contaminated(contacted, held_out)
    thirteen = int(np.flatnonzero(LOOKS == SEASON_WEEKS // 2)[0])
    return {
        "leak": leak,
        "held_out": [float(held_out[:, look].mean()) for look in (thirteen, -1)],
        "too_early": [float((held_out[:, look] < MIN_HELD_OUT).mean()) for look in (thirteen, -1)],
        "flagged": [float(flags[:, look].mean()) for look in (thirteen, -1)],
        "ever": float(flags.any(1).mean()),
    }


def mismatch_results(*, seasons: int, seed: int) -> list[dict[str, float]]:
    """How often the arms' sizes ring, clean and with a tenth of one arm lost."""
    return [
        _mismatch(scored, share, seasons=seasons, seed=seed)
        for share in (SMALLEST_SHARE, 0.1, 0.2, 0.5)
        for scored in SCORED
    ]


def arms_of(scored: float) -> float:
    """Arms of a season with so many scored users: two epochs, and new users in every other week."""
    return scored * (2 + NEW_SCORED * (SEASON_WEEKS - 2))


def _mismatch(scored: int, share: float, *, seasons: int, seed: int) -> dict[str, float]:
    random = np.random.default_rng([seed, scored, round(1000 * share)])

    def rings(keep: tuple[float, float], times: int = 1) -> float:
        evidence = ring_evidence(random, scored=scored, share=share, keep=keep, seasons=seasons * times)
        return float((evidence >= -np.log(MISMATCH_ALPHA)).any(1).mean())

    users = round(arms_of(scored))
    return {
        "scored": scored,
        "share": share,
        "arms": users,
        "clean": rings((1.0, 1.0), CLEAN_SEASONS),
        "held_out_lost": rings((1 - SHARPEST_LOSS, 1.0)),
        "treated_lost": rings((1.0, 1 - SHARPEST_LOSS)),
        "detectable": detectable_loss(users, share=share),
        "detectable_first_week": detectable_loss(scored, share=share),
    }


def smallest_scored(share: float) -> dict[str, int]:
    """How many arms show a loss of 10 % at one look: with this test, and with the best test of any kind at one fixed look."""
    low, high = 100, _LARGEST
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if detectable_loss(middle, share=share) <= SHARPEST_LOSS else (middle, high)
    errors = float(norm.ppf(1 - MISMATCH_ALPHA) + norm.ppf(0.95))
    return {
        "this": high,
        "scored": round(high / arms_of(1)),
        "best": round(errors**2 / (share * (1 - share) * SHARPEST_LOSS**2)),
    }


if __name__ == "__main__":
    main()
