"""Which of several horizons to take, by one rule, and what is wrong with the one that is configured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from training.horizon.survival import Share
from training.settings import AdviceSettings

_WEEK = 7


@dataclass(frozen=True)
class Choice:
    """What a horizon would give, with eligibility and gap as configured.

    Attributes
    ----------
    snapshots
        Snapshots that training would learn from.
    cutoffs
        Past cutoffs whose horizon the log covers; the figures are means over them.
    eligible, smaller_class
        Users per cutoff; those in the smaller of the two classes.
    returned
        Share of those labelled churned that was seen again before the log ended: counted, so too low.
    back_soon, back_ever
        Share of those labelled churned that comes back within the next equal span, and as far as the log reaches; None where
        the log does not reach an equal span further.
    against
        Why it is not recommended; empty: nothing speaks against it.
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
class Rule:
    """What speaks against a choice, and which one is left."""

    settings: AdviceSettings
    fewest_users: int
    is_weekly: bool

    @property
    def words(self) -> str:
        """The rule in a sentence."""
        weeks = ", of whole weeks as users come back in a weekly rhythm," if self.is_weekly else ""
        return (
            f"Take the shortest candidate{weeks} that leaves {self.settings.min_snapshots} snapshots or more to learn from and "
            f"{self.fewest_users} users or more in the smaller class, and after which under {self.settings.return_share:.0%} of those "
            "labelled churned come back, as far as the log reaches, which must be an equal span further at least."
        )

    def judged(self, choice: Choice) -> Choice:
        """Add what speaks against it."""
        returning = [f"{choice.back_ever.value:.0%} come back"] if choice.back_ever and self._mislabels(choice) else []
        return replace(choice, against=(*returning, *self._too_little(choice), *self._other_faults(choice)))

    def recommend(self, choices: Sequence[Choice]) -> tuple[int | None, str]:
        """Return the horizon to take, and why."""
        possible = [choice for choice in choices if not self._too_little(choice)]
        if not possible:
            return None, "no candidate leaves enough to learn from"
        for choice in possible:
            if not choice.against:
                return choice.horizon_days, described(choice)
        best = min(possible, key=self._fault)
        return best.horizon_days, f"no candidate meets the rule, and this one mislabels least: {described(best)}"

    def warnings(self, choices: Sequence[Choice], configured: int) -> list[str]:
        """Say what is wrong with the configured horizon."""
        name = f"[churn] horizon_days = {configured}"
        found = [choice for choice in choices if choice.horizon_days == configured]
        if not found:
            return [f"{name} does not fit: no past cutoff with enough history is followed by as many days of log"]
        (choice,) = found
        returning = [f"mislabels: {described(choice)}"] if self._mislabels(choice) else []
        faults = [f"falls short: {fault}" for fault in (*self._too_little(choice), *self._other_faults(choice))]
        return [f"{name} {doubt}" for doubt in (*returning, *faults)]

    def _too_little(self, choice: Choice) -> list[str]:
        found: list[str] = []
        if choice.snapshots < self.settings.min_snapshots:
            found.append(f"{choice.snapshots} snapshots to learn from")
        if choice.smaller_class < self.fewest_users:
            found.append(f"{choice.smaller_class} users in the smaller class")
        return found

    def _other_faults(self, choice: Choice) -> list[str]:
        found = ["not whole weeks"] if self._breaks_weeks(choice) else []
        return found if choice.back_ever else [*found, "the log is too short to see who comes back"]

    def _mislabels(self, choice: Choice) -> bool:
        return choice.back_ever is not None and choice.back_ever.value >= self.settings.return_share

    def _breaks_weeks(self, choice: Choice) -> bool:
        return self.is_weekly and choice.horizon_days % _WEEK > 0

    def _fault(self, choice: Choice) -> tuple[bool, float]:
        """Order what falls short: whole weeks before others, then by who comes back."""
        return self._breaks_weeks(choice), choice.back_ever.value if choice.back_ever else 1.0


def described(choice: Choice) -> str:
    """Say how many of those labelled churned come back."""
    if not (choice.back_ever and choice.back_soon):
        return "the log is too short to see who comes back"
    return (
        f"of those it labels churned, {choice.back_soon.value:.0%} come back within the next {choice.horizon_days} days and "
        f"{choice.back_ever.value:.0%} as far as the log reaches"
    )
