"""How the scores of two models differ: a challenger's from the champion's, user by user."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

BandAndProbability = tuple[str, float] | None  # risk band and churn probability; None where there is no score
Pair = tuple[BandAndProbability, BandAndProbability]  # of the champion and of the challenger


class Difference(msgspec.Struct, frozen=True):
    """The differences of churn probabilities, challenger minus champion, and of risk bands."""

    users: Annotated[int, Meta(description="Users whom both models score.")] = 0
    scored_by_one: Annotated[int, Meta(description="Users whom one of them scores, and the other does not.")] = 0
    other_band: Annotated[int, Meta(description="Users whom both score, in different risk bands.")] = 0
    mean: Annotated[float, Meta(description="Mean of challenger minus champion, -1 to 1.")] = 0.0
    mean_absolute: Annotated[float, Meta(description="Mean distance, 0 to 1.")] = 0.0


def difference_of(pairs: Iterable[Pair]) -> Difference:
    """Sum up how the two scores of each user differ."""
    found = list(pairs)
    both = [(one, other) for one, other in found if one and other]
    by = [other[1] - one[1] for one, other in both]
    number = max(1, len(both))
    return Difference(
        len(both),
        sum((one is None) != (other is None) for one, other in found),
        sum(one[0] != other[0] for one, other in both),
        round(sum(by) / number, 6),
        round(sum(map(abs, by)) / number, 6),
    )
