"""The model that is saved and served: a folder of LightGBM text and JSON with a format version; no pickle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import lightgbm as lgb
import msgspec
import numpy as np
import pyarrow as pa
from msgspec import UNSET, UnsetType, structs
from numpy.typing import NDArray

from features.eligibility import Eligibility
from features.errors import InputError
from features.profiles.specification import Specification
from models.arrays import Matrix, Values
from models.definition import ChurnDefinition
from models.digests import MANIFEST, checked_digests, checked_text, with_digests
from models.encoding import by_rows
from models.reasons import Narrator
from models.scorers.base_rate import KnownCutoff, shifted
from models.scorers.calibration import Calibration, Platt
from models.scorers.ensemble import BgNbdPart, Explanation, LogisticPart, Scorer, Trees
from models.scorers.hazard import Curves, Hazard
from models.scorers.logistic import Linear

FORMAT_VERSION = 4
_READ = (3, 4)  # 3 had no shift
_QUANTILES = 1001
_BOOSTER, _HAZARD = "booster.txt", "hazard.txt"


@dataclass(frozen=True)
class Reference:
    """The test population of the model: the population of the percentiles, and typical values.

    Attributes
    ----------
    raw_scores
        Ascending quantiles of the raw scores, shape (1001,) or fewer users.
    medians
        Number feature to its median.
    """

    raw_scores: tuple[float, ...]
    medians: dict[str, float]

    @classmethod
    def of(cls, raw: NDArray[np.float64], profiles: pa.Table, *, specification: Specification) -> Reference:
        """Describe a population by its raw scores, shape (n,), and typical values by (other) profiles."""
        numbers = [feature.name for feature in specification.features if not feature.is_text]
        known = {name: profiles.column(name).drop_null().to_numpy() for name in numbers}
        return cls(cls.quantiles(raw), {name: float(np.median(found)) for name, found in known.items() if len(found)})

    @staticmethod
    def quantiles(raw: NDArray[np.float64]) -> tuple[float, ...]:
        """Ascending quantiles of raw scores: 1001, or all of them where there are fewer."""
        ordered = np.sort(raw)
        few = len(ordered) <= _QUANTILES
        return tuple((ordered if few else np.quantile(ordered, np.linspace(0, 1, _QUANTILES))).tolist())

    @cached_property
    def _rising(self) -> NDArray[np.float64]:
        return np.array(self.raw_scores, dtype=np.float64)

    def percentile(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """Percent of the reference that scores at most as high, 0 to 100."""
        return 100.0 * np.searchsorted(self._rising, raw, side="right") / len(self.raw_scores)


@dataclass(frozen=True)
class Quality:
    """The metrics on the test cutoff, and the first day that the model was not trained on."""

    test_cutoff: date
    trained_through: date
    metrics: dict[str, float]


@dataclass(frozen=True)
class ChurnModel:
    """A model with everything that scoring needs.

    Attributes
    ----------
    shift
        Added to the log-odds of every calibrated probability: how the base rate has changed since the calibration.
    mapping
        Columns of the log that the profiles read, each with its SQL expression, when the model was trained; empty: unknown.
    known_cutoffs
        How far off the calibrated probabilities were, without the shift, at cutoffs whose labels are known.
    hazard
        The shape of each user's curve; None: the model was trained without ``[training] curve``.
    threads
        Of LightGBM when predicting; 0: all cores. Not saved: it belongs to the process, and never changes a score.
    """

    scorer: Scorer
    specification: Specification
    calibration: Calibration
    definition: ChurnDefinition
    reference: Reference
    quality: Quality
    shift: float = 0.0
    known_cutoffs: tuple[KnownCutoff, ...] = ()
    mapping: dict[str, str] = field(default_factory=dict[str, str])
    hazard: Hazard | None = None
    threads: int = 0

    @property
    def eligibility(self) -> Eligibility:
        """The rule who is scored."""
        return self.definition.eligibility

    @property
    def frozen_churn(self) -> dict[str, Any]:
        """The ``[churn]`` section that the model was trained under."""
        return self.definition.settings()

    @property
    def frozen_features(self) -> dict[str, Any]:
        """The ``[features]`` section that the model was trained under, as far as a profile depends on it."""
        spec = self.specification
        return {
            name: getattr(spec, name) for name in ("windows_days", "observation_days", "session_gap_minutes", "custom")
        }

    @cached_property
    def narrator(self) -> Narrator:
        """Puts contributions into words."""
        return Narrator(self.specification, self.reference.medians)

    def raw(self, matrix: Matrix) -> NDArray[np.float64]:
        """Raw scores in log-odds, shape (n,)."""
        return self.scorer.raw(matrix, threads=self.threads)

    def probability(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """Churn probability in (0, 1) of each raw score, shape (n,): calibrated, and shifted to the base rate."""
        return shifted(self.calibration.probability(raw), self.shift)

    def predict_probability(self, profiles: pa.Table) -> NDArray[np.float64]:
        """Churn probability in (0, 1) of each profile, shape (n,)."""
        return self.probability(by_rows(profiles, self.specification, score=self.raw))

    def curves(self, matrix: Matrix, probability: Values) -> Curves:
        """Return how each churn probability, shape (n,), depends on the horizon: the curves through it at the model's own horizon.

        Raises
        ------
        InputError
            When the model was trained without curves.
        """
        hazard = self._hazard_or_refused
        cumulative = hazard.cumulative(matrix, is_event=self.definition.is_event, threads=self.threads)
        return self._anchored(cumulative, probability)

    def curve(self, profiles: pa.Table) -> Curves:
        """Return the curve of each profile, as :meth:`curves` does.

        Raises
        ------
        InputError
            When the model was trained without curves.
        """
        hazard, is_event = self._hazard_or_refused, self.definition.is_event
        flat = by_rows(
            profiles,
            self.specification,
            score=lambda matrix: hazard.cumulative(matrix, is_event=is_event, threads=self.threads).ravel(),
        )
        return self._anchored(flat.reshape(-1, len(hazard.days)), self.predict_probability(profiles))

    def _anchored(self, cumulative: Matrix, probability: Values) -> Curves:
        d = self.definition
        return Curves(self._hazard_or_refused.days, cumulative, d.is_event).anchored(probability, at=d.horizon_days)

    @property
    def _hazard_or_refused(self) -> Hazard:
        if self.hazard is None:
            hint = "train one with curves: churn train --set training.curve=true"
            raise InputError("the model has no curves: it knows its own horizon only", hint=hint)
        return self.hazard

    def contributions(self, matrix: Matrix) -> Matrix:
        """Signed contributions to the log-odds, shape (n, features): of the churn probability under Platt's calibration.

        The other calibrations bend the log-odds of the raw score; there contributions are to the raw score's.
        """
        return self._slope * self.scorer.contributions(matrix, threads=self.threads)

    def explain(self, matrix: Matrix) -> Explanation:
        """Both :meth:`raw` and :meth:`contributions`, from one pass where a part allows it."""
        raw, contributions = self.scorer.explain(matrix, threads=self.threads)
        return Explanation(raw, self._slope * contributions)

    @property
    def _slope(self) -> float:
        return self.calibration.slope if isinstance(self.calibration, Platt) else 1.0

    def save(self, folder: Path) -> None:
        """Write the model into a folder; equal models give equal bytes."""
        folder.mkdir(parents=True, exist_ok=True)
        definition = _SavedDefinition(
            **{name: getattr(self.definition, name) for name in _SavedDefinition.__struct_fields__}
        )
        rest = (self.specification, self.calibration, definition, self.reference, self.quality)
        scorer, changed = _write_parts(self.scorer, folder), (self.shift, self.known_cutoffs, self.mapping)
        saved = _SavedModel(FORMAT_VERSION, *rest, scorer, *changed, _write_hazard(self.hazard, folder))
        files = [part.booster for part in saved.scorer if part.booster]
        files += [saved.hazard.booster] if saved.hazard else []
        (folder / MANIFEST).write_bytes(with_digests(msgspec.json.encode(saved), folder, files=files))


@dataclass(frozen=True)
class _Format:
    format_version: int


class _SavedPart(msgspec.Struct, frozen=True, omit_defaults=True, rename={"logistic": "line", "bg_nbd": "buying"}):
    """One part of the scorer: the name of the file with its trees, or its numbers; saved under the keys of the first format."""

    weight: float
    booster: str = ""
    logistic: Linear | None = None
    bg_nbd: BgNbdPart | None = None


class _SavedHazard(msgspec.Struct, frozen=True):
    """The shape of the curves: the name of the file with its trees, and the ends of its intervals."""

    booster: str
    days: tuple[int, ...]


class _SavedDefinition(msgspec.Struct, frozen=True, omit_defaults=True):
    """The definition of churn without time zone and conditions, which the specification holds."""

    horizon_days: int
    gap_days: int
    active_within_days: int
    min_tenure_days: int
    max_tenure_days: int = 0

    def with_conditions_of(self, spec: Specification) -> ChurnDefinition:
        """Return the whole definition."""
        return ChurnDefinition(
            **structs.asdict(self), timezone=spec.timezone, qualifying=spec.qualifying, event=spec.event
        )


@dataclass(frozen=True)
class _SavedModel(_Format):
    """Everything but the trees."""

    specification: Specification
    calibration: Calibration
    definition: _SavedDefinition
    reference: Reference
    quality: Quality
    scorer: tuple[_SavedPart, ...] = ()
    shift: float = 0.0
    known_cutoffs: tuple[KnownCutoff, ...] = ()
    mapping: dict[str, str] = field(default_factory=dict[str, str])
    hazard: _SavedHazard | UnsetType = UNSET


def _write_hazard(hazard: Hazard | None, folder: Path) -> _SavedHazard | UnsetType:
    if hazard is None:
        return UNSET
    (folder / _HAZARD).write_text(hazard.booster.model_to_string())
    return _SavedHazard(_HAZARD, hazard.days)


def _read_hazard(saved: _SavedHazard | UnsetType, folder: Path, *, digests: Mapping[str, str]) -> Hazard | None:
    return Hazard(_read_trees(folder / saved.booster, digests), saved.days) if saved else None


def _read_trees(path: Path, digests: Mapping[str, str]) -> lgb.Booster:
    return lgb.Booster(model_str=checked_text(path, digests.get(path.name)))


def _write_parts(scorer: Scorer, folder: Path) -> tuple[_SavedPart, ...]:
    """Write the trees into files of their own; return the references to them, and the other parts."""
    saved: list[_SavedPart] = []
    for weight, part in scorer.parts:
        match part:
            case Trees(booster):
                written = sum(bool(other.booster) for other in saved)
                name = f"booster_{written + 1}.txt" if written else _BOOSTER
                (folder / name).write_text(booster.model_to_string(num_iteration=booster.best_iteration or -1))
                saved.append(_SavedPart(weight, booster=name))
            case LogisticPart(linear):
                saved.append(_SavedPart(weight, logistic=linear))
            case BgNbdPart():
                saved.append(_SavedPart(weight, bg_nbd=part))
    return tuple(saved)


def _read_part(saved: _SavedPart, folder: Path, *, digests: Mapping[str, str]) -> Trees | LogisticPart | BgNbdPart:
    if saved.logistic:
        return LogisticPart(saved.logistic)
    if saved.bg_nbd:
        return saved.bg_nbd
    return Trees(_read_trees(folder / saved.booster, digests))


def _unreadable(folder: Path, error: Exception) -> InputError:
    return InputError(f"{folder} holds no readable churn model: {error}", hint="train one with: churn train")


class _SavedSpecification(msgspec.Struct, frozen=True):
    specification: Specification


def specification_of(folder: Path) -> Specification:
    """Read only the specification of a model folder: which profiles it scores.

    Raises
    ------
    InputError
        When it is not a model folder.
    """
    try:
        return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=_SavedSpecification).specification
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _unreadable(folder, error) from error


def load(folder: Path, *, threads: int = 0) -> ChurnModel:
    """Read a model folder; ``threads`` is for LightGBM when predicting, 0: all cores.

    Raises
    ------
    InputError
        When it is not one, of another format version, or damaged.
    """
    try:
        rest = (folder / MANIFEST).read_bytes()
        version = msgspec.json.decode(rest, type=_Format).format_version
        if version not in _READ:
            way_out = "use the version of churn that trained it, or train again with this one: churn train"
            expected = " or ".join(map(str, _READ))
            raise InputError(f"{folder}: the model is of format {version}, expected {expected}", hint=way_out)
        digests = checked_digests(rest, folder / MANIFEST)
        saved = msgspec.json.decode(rest, type=_SavedModel)
        scorer = Scorer(tuple((part.weight, _read_part(part, folder, digests=digests)) for part in saved.scorer))
        hazard = _read_hazard(saved.hazard, folder, digests=digests)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, lgb.basic.LightGBMError) as error:
        raise _unreadable(folder, error) from error
    definition = saved.definition.with_conditions_of(saved.specification)
    parts = (saved.specification, saved.calibration, definition, saved.reference, saved.quality)
    return ChurnModel(scorer, *parts, saved.shift, saved.known_cutoffs, saved.mapping, hazard, threads)
