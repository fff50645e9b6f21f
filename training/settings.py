"""The knobs of this package."""

from __future__ import annotations

from datetime import date

from features.settings import Section, knob


class TrainingSettings(Section):
    """``[training]``: which snapshots are learnt from, and on which the model is tested."""

    test_cutoff: date | None = knob(None, "The cutoff that tests; default: the latest whose horizon the log covers.")
    snapshot_every_days: int | None = knob(
        None, "Days between snapshots; default: 1 for horizons up to 7 days, else 7.", unit="days", ge=1
    )
    max_snapshots: int = knob(52, "Most snapshots to learn from, the latest ones.", ge=1)
    seed: int = knob(7, "Seed of everything that is drawn by chance.", ge=0)
    max_training_rows: int = knob(2_000_000, "More rows are sampled down, by user.", unit="rows", ge=1000)
    min_class_rows: int = knob(100, "Fewest churners, and stayers, in each part.", unit="rows", ge=2)
