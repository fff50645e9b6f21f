"""Runs whose process was killed: nobody is left to end them, so whoever opens the store next does."""

from __future__ import annotations

from typing import Any

from features.storage.processes import Process

PROCESS = "churn.process"  # the tag that says which process writes a run
_WHY = "its process ended without a word, as under kill -9"


def own_process() -> dict[str, str]:
    """Return the tag of a run that this process writes."""
    return {PROCESS: str(Process.own())}


def close_killed(client: Any, experiment: str) -> list[str]:
    """End the runs of an experiment that are open though their process, one of this machine, is dead; return their names.

    Parameters
    ----------
    client
        MLflow's.
    """
    here = Process.own()
    still_open = client.search_runs(
        [experiment], f"attributes.status = 'RUNNING' and tags.`{PROCESS}` LIKE '{here.host} {here.namespace} %'"
    )
    killed = [run for run in still_open if _is_of_a_dead_process(run)]
    for run in killed:
        client.set_tag(run.info.run_id, "error", _WHY)
        _give_up_models(client, experiment, run_id=run.info.run_id)
        client.set_terminated(run.info.run_id, status="KILLED")
    return [str(run.info.run_name) for run in killed]


def _is_of_a_dead_process(run: Any) -> bool:
    process = Process.parse(run.data.tags[PROCESS])
    return process is not None and process.is_dead


def _give_up_models(client: Any, experiment: str, *, run_id: str) -> None:
    """Mark the models that the run began to write and did not finish."""
    for model in client.search_logged_models([experiment], filter_string=f"source_run_id = '{run_id}'"):
        if str(model.status) in ("PENDING", "LoggedModelStatus.PENDING"):
            client.finalize_logged_model(str(model.model_id), "FAILED")
