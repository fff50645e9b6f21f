"""The front of churn: the command, and the small Python API. Everything heavy is imported when it is needed.

Examples
--------
The whole way in Python::

    from churn import read_events, build_profiles, train, score

    log = read_events("world/churn.toml")
    profiles = build_profiles(log, cutoffs=[date(2026, 6, 1)]).to_pandas()
    trained = train(log)
    scores = score(log, trained.model, cutoff=date(2026, 6, 29)).to_pandas()
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from churn.api import Log, TrainedModel, build_profiles, read_events, score, train

__all__ = ["Log", "TrainedModel", "build_profiles", "main", "read_events", "score", "train"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from churn import api

    return getattr(api, name)


def main() -> None:
    """Run the command; every error leaves as a message and an exit code, never as a traceback."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    try:
        from churn.cli.app import run

        code = run()
    except KeyboardInterrupt:  # while it was still being imported
        code = 130
    raise SystemExit(code)


if __name__ == "__main__":
    main()
