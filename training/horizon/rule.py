"""The rule that recommends one of several horizons, and warnings about the configured one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from training.horizon.survival import Share
from training.plan.splits import WEEK
from training.settings import AdviceSettings


@dataclass(frozen=True)
class Candidate:
    """The consequences of a horizon, with eligibility and gap as configured.

    Attributes
    ----------
    snapshots
        Training snapshots.
    cutoffs
        Past cutoffs whose horizon the log covers; the other values are means over them.
    eligible, smaller_class
        Users per cutoff; those in the smaller of the two classes, at most as many as the latest cutoff has.
    returned
        Share of those labelled churned that was seen again before the log ended: a plain count, so an underestimate.
    back_soon, back_ever
        Share of those labelled churned that comes back within the next equal span, and as far as the log reaches; None where
        the log does not reach an equal span further.
    against
        Why it is not recommended; empty: no objections.
    """

    horizon_days: int
    snapshots: int
    cutoffs: int
    eligible: int
    smaller_class: int
    churn_rate: Share
    returned: float
    back_soon: Share | None
    back_ever: Share | None
    against: tuple[str, ...] = ()


@dataclass(frozen=True)
class HorizonRule:
    """The objections to candidates, and the recommendation."""

    settings: AdviceSettings
    min_users: int
    is_weekly: bool

    @property
    def description(self) -> str:
        """The rule in a sentence."""
        weeks = ", of whole weeks as users come back in a weekly rhythm," if self.is_weekly else ""
        return (
            f"Take the shortest candidate{weeks} that leaves at least {self.settings.min_snapshots} training snapshots and "
            f"{self.min_users} users in the smaller class, and after which less than {self.settings.return_share:.0%} of those "
            "labelled churned come back, as far as the log reaches, which must be at least an equal span further."
        )

    def with_objections(self, candidate: Candidate) -> Candidate:
        """Add what speaks against it."""
        returning = (
            [f"{candidate.back_ever.value:.0%} come back"] if candidate.back_ever and self._mislabels(candidate) else []
        )
        return replace(candidate, against=(*returning, *self._shortages(candidate), *self._other_objections(candidate)))

    def recommend(self, candidates: Sequence[Candidate]) -> tuple[int | None, str]:
        """Return the recommended horizon, and why."""
        possible = [candidate for candidate in candidates if not self._shortages(candidate)]
        if not possible:
            return None, "; ".join(["no candidate leaves enough to train on", *self._closest(candidates)])
        for candidate in possible:
            if not candidate.against:
                return candidate.horizon_days, describe_returns(candidate)
        best = min(possible, key=self._severity)
        return best.horizon_days, f"no candidate meets the rule, and this one mislabels least: {describe_returns(best)}"

    def warnings(self, candidates: Sequence[Candidate], configured: int) -> list[str]:
        """Return warnings about the configured horizon."""
        name = f"[churn] horizon_days = {configured}"
        found = [candidate for candidate in candidates if candidate.horizon_days == configured]
        if not found:
            return [f"{name} does not fit: no past cutoff with enough history is followed by as many days of log"]
        (candidate,) = found
        returning = filter(None, [self.mislabelling(candidate)])
        shortcomings = [
            f"falls short: {objection}"
            for objection in (*self._shortages(candidate), *self._other_objections(candidate))
        ]
        return [*returning, *(f"{name} {warning}" for warning in shortcomings)]

    def mislabelling(self, candidate: Candidate) -> str:
        """Warn that many of those whom a horizon labels churned come back; empty: they do not, or nobody can know."""
        words = f"[churn] horizon_days = {candidate.horizon_days} mislabels: {describe_returns(candidate)}"
        return words if self._mislabels(candidate) else ""

    def _shortages(self, candidate: Candidate) -> list[str]:
        found: list[str] = []
        if candidate.snapshots < self.settings.min_snapshots:
            found.append(
                f"{_number(candidate.snapshots, 'training snapshot')}, {self.settings.min_snapshots} are needed"
            )
        if candidate.smaller_class < self.min_users:
            found.append(
                f"{_number(candidate.smaller_class, 'user')} in the smaller class, {self.min_users:,} are needed"
            )
        return found

    def _closest(self, candidates: Sequence[Candidate]) -> list[str]:
        """Say what the candidate with the largest smaller class lacks; nothing where there is none."""
        best = max(candidates, key=lambda one: (one.smaller_class, one.snapshots), default=None)
        return [f"{best.horizon_days} days leaves {' and '.join(self._shortages(best))}"] if best else []

    def _other_objections(self, candidate: Candidate) -> list[str]:
        found = ["not whole weeks"] if self._is_not_in_weeks(candidate) else []
        return found if candidate.back_ever else [*found, "the log is too short to see who comes back"]

    def _mislabels(self, candidate: Candidate) -> bool:
        return candidate.back_ever is not None and candidate.back_ever.value >= self.settings.return_share

    def _is_not_in_weeks(self, candidate: Candidate) -> bool:
        return self.is_weekly and candidate.horizon_days % WEEK > 0

    def _severity(self, candidate: Candidate) -> tuple[bool, float]:
        """Sort key of imperfect candidates: whole weeks first, then by the share that comes back."""
        return self._is_not_in_weeks(candidate), candidate.back_ever.value if candidate.back_ever else 1.0


def describe_returns(candidate: Candidate) -> str:
    """Describe how many of those labelled churned come back."""
    if not (candidate.back_ever and candidate.back_soon):
        return "the log is too short to see who comes back"
    return (
        f"of those it labels churned, {candidate.back_soon.value:.0%} come back within the next {candidate.horizon_days} days and "
        f"{candidate.back_ever.value:.0%} as far as the log reaches"
    )


def _number(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"
