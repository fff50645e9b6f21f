"""What is saved and served: a folder of LightGBM text and JSON with a format version; no pickle."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import lightgbm as lgb
import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.eligibility import Eligibility
from features.errors import InputError
from features.specification import Specification
from models.calibration import Calibration
from models.classifier import contributions, raw_scores
from models.encoding import Matrix, encode
from models.reasons import Narrator

FORMAT_VERSION = 2
_BOOSTER, _REST = "booster.txt", "churn_model.json"


@dataclass(frozen=True)
class Definition:
    """What the model predicts, and for whom. Frozen: scoring uses these, never today's settings."""

    horizon_days: int
    gap_days: int
    active_within_days: int
    min_tenure_days: int

    @property
    def eligibility(self) -> Eligibility:
        """The rule who is scored."""
        return Eligibility(self.active_within_days, self.min_tenure_days)


@dataclass(frozen=True)
class Reference:
    """The test population of the model: what a percentile is a percentile of, and what is typical.

    Attributes
    ----------
    raw_scores
        Rising quantiles of the raw scores, shape (1001,) or fewer users.
    medians
        Number feature to its median.
    """

    raw_scores: tuple[float, ...]
    medians: dict[str, float]

    @cached_property
    def _rising(self) -> NDArray[np.float64]:
        return np.array(self.raw_scores, dtype=np.float64)

    def percentile(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """Percent of the reference that scores at most as high, 0 to 100."""
        return 100.0 * np.searchsorted(self._rising, raw, side="right") / len(self.raw_scores)


@dataclass(frozen=True)
class Quality:
    """What the model showed on the test cutoff, and from where on it is unseen."""

    test_cutoff: date
    trained_through: date
    metrics: dict[str, float]


@dataclass(frozen=True)
class ChurnModel:
    """A model with everything that scoring needs.

    Attributes
    ----------
    threads
        Of LightGBM when predicting; 0: all cores. Not saved: it belongs to the process, and never changes a score.
    """

    booster: lgb.Booster
    specification: Specification
    calibration: Calibration
    definition: Definition
    reference: Reference
    quality: Quality
    threads: int = 0

    @property
    def frozen_churn(self) -> dict[str, Any]:
        """The ``[churn]`` section that the model was trained under."""
        spec = self.specification
        return asdict(self.definition) | {"timezone": spec.timezone, "qualifying": spec.qualifying, "event": spec.event}

    @property
    def frozen_features(self) -> dict[str, Any]:
        """What the ``[features]`` section said when the model was trained, as far as a profile depends on it."""
        spec = self.specification
        return {
            name: getattr(spec, name) for name in ("windows_days", "observation_days", "session_gap_minutes", "own")
        }

    @cached_property
    def narrator(self) -> Narrator:
        """Puts contributions into words."""
        return Narrator(self.specification, self.reference.medians)

    def raw(self, matrix: Matrix) -> NDArray[np.float64]:
        """Raw scores in log-odds, shape (n,)."""
        return raw_scores(self.booster, matrix, threads=self.threads)

    def predict_probability(self, profiles: pa.Table) -> NDArray[np.float64]:
        """Churn probability in (0, 1) of each profile, shape (n,)."""
        return self.calibration.probability(self.raw(encode(profiles, self.specification)))

    def contributions(self, matrix: Matrix) -> Matrix:
        """Signed contributions to the log-odds of the churn probability, shape (n, features)."""
        return self.calibration.slope * contributions(self.booster, matrix, threads=self.threads)

    def save(self, folder: Path) -> None:
        """Write the model into a folder; equal models give equal bytes."""
        folder.mkdir(parents=True, exist_ok=True)
        parts = (self.specification, self.calibration, self.definition, self.reference, self.quality)
        rest = msgspec.json.encode(_Saved(FORMAT_VERSION, *parts), order="sorted")
        (folder / _REST).write_bytes(msgspec.json.format(rest, indent=1))
        (folder / _BOOSTER).write_text(self.booster.model_to_string(num_iteration=self.booster.best_iteration or -1))


@dataclass(frozen=True)
class _Format:
    format_version: int


@dataclass(frozen=True)
class _Saved(_Format):
    """What stands beside the booster."""

    specification: Specification
    calibration: Calibration
    definition: Definition
    reference: Reference
    quality: Quality


def load(folder: Path, *, threads: int = 0) -> ChurnModel:
    """Read a model folder; ``threads`` is for LightGBM when predicting, 0: all cores.

    Raises
    ------
    InputError
        When it is not one, or of another format version.
    """
    try:
        rest = (folder / _REST).read_bytes()
        version = msgspec.json.decode(rest, type=_Format).format_version
        if version != FORMAT_VERSION:
            raise InputError(
                f"the model is of format {version}, expected {FORMAT_VERSION}", hint="train again with this version"
            )
        saved = msgspec.json.decode(rest, type=_Saved)
        booster = lgb.Booster(model_str=(folder / _BOOSTER).read_text())
    except (OSError, msgspec.DecodeError, lgb.basic.LightGBMError) as error:
        raise InputError(
            f"{folder} holds no readable churn model: {error}", hint="train one with: churn train"
        ) from error
    parts = (saved.specification, saved.calibration, saved.definition, saved.reference, saved.quality)
    return ChurnModel(booster, *parts, threads=threads)
