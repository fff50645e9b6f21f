"""The command: its verbs, and how errors leave it."""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated

import typer

from churn.cli import audit, console, data, horizon, init, outcomes, report, serving, status, training
from features.errors import ChurnError, InputError

_CTRL_C, _NOBODY_READS = 130, 141  # exit codes that are everywhere the same in a shell

app = typer.Typer(
    name="churn",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for verb in (
    *(init.init, status.status, status.doctor),
    *(data.simulate, data.settings, data.features, data.profiles),
    *(horizon.horizon, audit.audit),
    *(training.train, training.promote, training.rollback, training.reliability),
    *(serving.score, serving.export, outcomes.outcomes, outcomes.replay),
    *(serving.serve, serving.publish, serving.bento, serving.keys),
    *(report.report, serving.mcp),
):
    app.command()(verb)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        console.out.print(f"churn {version('churn')}", markup=False)
        raise typer.Exit


@app.callback()
def _churn(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Churn prediction: event logs to profiles, models, scores and lists."""
    del version


def run() -> int:
    """Run the command and return its exit code: 0 done, 1 a bug, 2 input or settings, 3 a check failed.

    Beyond these, 130 is Ctrl-C, and 141 says that nobody reads the output any more.
    """
    try:
        app()
    except SystemExit as leaving:
        return _code_of(leaving)
    except KeyboardInterrupt:
        return _interrupted()
    except Exception as error:
        if _is_interrupted_query(error):
            return _interrupted()
        if os.environ.get("CHURN_DEBUG") and not isinstance(error, ChurnError):
            raise
        known = as_churn_error(error)
        _print_error(known)
        return known.exit_code
    return 0


def _print_error(error: ChurnError) -> None:
    """Print an error for people; under ``--json``, as one JSON document on the last line of standard error."""
    if "--json" not in sys.argv:
        console.err.print(f"churn: {error}", markup=False)
        return
    found = {"error": error.message, "hint": error.hint, "exit_code": error.exit_code}
    console.err.print(json.dumps(found, ensure_ascii=False), markup=False)


def _code_of(leaving: SystemExit) -> int:
    if isinstance(leaving.__context__, BrokenPipeError):
        return _NOBODY_READS
    if leaving.code == _CTRL_C:  # the parser met Ctrl-C
        return _interrupted()
    return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)


def _interrupted() -> int:
    console.err.print("churn: interrupted", markup=False)
    return _CTRL_C


def _is_interrupted_query(error: Exception) -> bool:
    """Tell whether DuckDB was stopped by Ctrl-C: it raises an exception of its own, or one without a name."""
    return type(error).__name__ == "InterruptException" or (
        isinstance(error, RuntimeError) and str(error) == "Query interrupted"
    )


def as_churn_error(error: Exception) -> ChurnError:
    """Put any error into words; what is neither churn's nor the file system's is a bug."""
    if isinstance(error, ChurnError):
        return error
    from features.storage.full_disk import full_disk, is_full

    if is_full(error):
        return full_disk(getattr(error, "filename", None))
    if isinstance(error, OSError):
        what = f"{error.strerror or error}: {error.filename or ''}"
        return InputError(what, hint="name a place that exists and may be written to")
    if type(error).__name__ == "OutOfMemoryException":
        from features.storage.duckdb import out_of_memory  # whoever comes here has waited for DuckDB already

        return out_of_memory(error)
    hint = "run again with CHURN_DEBUG=1 for the traceback, and report it"
    return ChurnError(f"a bug: {type(error).__name__}: {error}", hint=hint)


if __name__ == "__main__":
    sys.exit(run())
