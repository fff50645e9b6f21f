"""One row through LightGBM's trees, without the checks and the set-up that cost more than a small model's trees.

``Booster.predict`` prepares a configuration at every call. LightGBM's C API keeps one (``FastConfig``) for rows of one width; the
numbers are the same to the bit.
"""

from __future__ import annotations

import ctypes
import threading
import weakref
from typing import Any

import lightgbm as lgb
import numpy as np
from lightgbm.basic import _safe_call  # pyright: ignore[reportPrivateUsage]  # the C API has no other door
from lightgbm.libpath import _LIB  # pyright: ignore[reportPrivateUsage]

from models.arrays import Matrix, Values

_RAW_SCORE, _CONTRIBUTIONS, _FLOAT64 = 1, 3, 1  # as LightGBM's c_api.h numbers them
_ONE_THREAD = b"num_threads=1"


class SingleRow:
    """Raw score and contributions of one row; any number of threads may ask."""

    def __init__(self, booster: lgb.Booster) -> None:
        self._booster = booster
        self._raw = _Prediction(booster, _RAW_SCORE, numbers=1)
        self._contributions = _Prediction(booster, _CONTRIBUTIONS, numbers=booster.num_feature() + 1)

    def raw(self, matrix: Matrix) -> Values:
        """Log-odds, shape (1,), of a matrix of shape (1, features)."""
        return self._raw.of(matrix)

    def contributions(self, matrix: Matrix) -> Matrix:
        """Exact TreeSHAP contributions, shape (1, features), without the base value."""
        return self._contributions.of(matrix)[None, :-1]

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle the booster alone: the configuration belongs to the process."""
        return SingleRow, (self._booster,)


class _Prediction:
    """A kept configuration of one kind of prediction."""

    def __init__(self, booster: lgb.Booster, kind: int, *, numbers: int) -> None:
        self._numbers, self._width = numbers, booster.num_feature()
        self._config, self._lock = ctypes.c_void_p(), threading.Lock()
        handle = booster._handle  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # which the C API wants
        how = (ctypes.c_int(0), ctypes.c_int(booster.best_iteration), ctypes.c_int(_FLOAT64))
        width, into = ctypes.c_int32(self._width), ctypes.byref(self._config)
        _safe_call(
            _LIB.LGBM_BoosterPredictForMatSingleRowFastInit(
                handle, ctypes.c_int(kind), *how, width, ctypes.c_char_p(_ONE_THREAD), into
            )
        )
        weakref.finalize(self, _LIB.LGBM_FastConfigFree, self._config)

    def of(self, matrix: Matrix) -> Values:
        """Predict a contiguous row of the booster's width."""
        row = np.ascontiguousarray(matrix, dtype=np.float64)
        if row.shape != (1, self._width):
            raise ValueError(f"got a matrix of shape {row.shape}, expected (1, {self._width})")
        found, length = np.empty(self._numbers), ctypes.c_int64()
        data, into = ctypes.c_void_p(row.ctypes.data), found.ctypes.data_as(ctypes.POINTER(ctypes.c_double))
        with self._lock:
            _safe_call(_LIB.LGBM_BoosterPredictForMatSingleRowFast(self._config, data, ctypes.byref(length), into))
        return found
