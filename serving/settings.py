"""Settings of scores, the weekly list and the endpoint."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from features.settings import Section, setting


class ScoringSettings(Section):
    """``[scoring]``: where the risk bands begin, in percentiles of the model's frozen reference population."""

    high_percentile: float = setting(90.0, "Lowest percentile of the risk band high.", ge=0, le=100)
    medium_percentile: float = setting(70.0, "Lowest percentile of the risk band medium.", ge=0, le=100)
    allow_mapping_change: bool = setting(
        default=False,
        words="Score though a column that the model reads is mapped differently than when it was trained.",
    )
    follow_base_rate: bool = setting(
        default=True,
        words="Shift probabilities by how far off they were at the latest cutoffs whose labels are known; ranking and bands stay.",
    )

    @model_validator(mode="after")
    def _bands_rise(self) -> Self:
        if self.medium_percentile > self.high_percentile:
            raise ValueError(
                f"medium_percentile {self.medium_percentile} is above high_percentile {self.high_percentile}"
            )
        return self


class ExportSettings(Section):
    """``[export]``: who is on the weekly list."""

    at_least: Literal["high", "medium", "low"] = setting("medium", "Lowest risk band that is listed.")


class ServingSettings(Section):
    """``[serving]``: the endpoint."""

    port: int = setting(3000, "Port on 127.0.0.1.", ge=1, le=65535)
    workers: int = setting(1, "Worker processes; each uses one core.", ge=1, le=256)
    max_items: int = setting(1000, "Maximum number of items in a request.", unit="items", ge=1, le=100_000)
    max_events: int = setting(50_000, "Maximum number of events in a request.", unit="events", ge=1, le=10_000_000)
    max_events_per_item: int = setting(
        10_000, "Maximum number of events in an item.", unit="events", ge=1, le=10_000_000
    )
    keep_activity: bool = setting(
        default=False,
        words="Keep each user's days in the profile store, so that events since its cutoff can be added to these days.",
    )
