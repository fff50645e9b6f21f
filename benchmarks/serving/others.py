"""The service compared with what else a model is served with, in one run on one machine: sixteen connections, one user a request."""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from benchmarks.measuring import PAGES, machine
from benchmarks.serving.bench import measure
from benchmarks.serving.load import SCORE_PATH
from benchmarks.serving.world import Command, Server, World, asgi, build_model, churn, running
from features.storage.versions import Place
from models.churn_model import ChurnModel
from serving.settings import ServingSettings

USERS, SECONDS = int(os.environ.get("USERS") or 200_000), float(os.environ.get("SECONDS") or 3)
CONNECTIONS, ROUNDS, WORKERS = 16, 3, (1, 2)
RESULTS = PAGES / "serving_others.json"
NOT_FEATURES = {"user_id", "cutoff"}
PAGE = """# Serving: compared with other servers

Written by `make bench-serving` from `serving_others.json`; do not edit.

The same model (284 trees of six leaves and a logistic part over all features) behind each server, one user a request, {connections}
connections, each of which sends its next request when it has read the answer; {users:,} users in the store. Three rounds of {seconds:g}
seconds, medians; one server after the other, on the machine of the load. CPU is that of the server's processes, per request. *stored* is a
user id, answered from the store; *computed* is a profile in the request.

* **FastAPI** does what `churn serve` does, with the same store and reasons: pydantic reads the request, FastAPI encodes the answer.
* **BentoML, a DataFrame** and **mlflow models serve** take profiles and return probabilities: they have no store, and give no reasons.

Measured on {cores} cores ({cpu}), with a load of {load} in the minute before.

![Requests per second of each server, with one worker and two](serving_others.png)

| server | workers | path | requests/s | p50 ms | p99 ms | CPU us |
|---|---|---|---|---|---|---|
"""
_COLOURS = {1: "#4c78a8", 2: "#9ecae9"}  # by the number of workers
Body = Callable[[Mapping[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Peer:
    """A server, and how it is asked.

    Attributes
    ----------
    command
        By the number of workers.
    bodies
        Path of a case to the request about a row.
    """

    name: str
    command: Callable[[int], Command]
    bodies: Mapping[str, Body]
    path: str = SCORE_PATH


OURS: dict[str, Body] = {
    "stored": lambda row: {"items": [{"user_id": row["user_id"]}]},
    "computed": lambda row: {"items": [{"profile": row}]},
}


def features_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a profile without its keys."""
    return {name: value for name, value in row.items() if name not in NOT_FEATURES}


def peers(served: Path, logged: Path) -> tuple[Peer, ...]:
    """Return the servers: of the release, and of the model as MLflow has it."""
    dataframe, mlflow = "benchmarks.serving.in_bentoml:DataFrameService", ("-m", "mlflow", "models", "serve")

    def of_mlflow(workers: int) -> Command:
        options = ("-m", str(logged), "--env-manager", "local", "-h", "127.0.0.1", "-w", str(workers), "-p")
        return lambda port: [sys.executable, *mlflow, *options, str(port)]

    def of_bentoml(workers: int) -> Command:
        del workers  # it reads them from its environment
        return lambda port: [
            sys.executable,
            "-m",
            "bentoml",
            "serve",
            dataframe,
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
        ]

    return (
        Peer("churn serve", lambda workers: churn(served, workers=workers), OURS),
        Peer("bare Starlette", lambda workers: asgi("benchmarks.serving.bare:app", served, workers=workers), OURS),
        Peer("FastAPI", lambda workers: asgi("benchmarks.serving.in_fastapi:app", served, workers=workers), OURS),
        Peer("BentoML, a DataFrame", of_bentoml, {"computed": lambda row: {"profiles": [features_of(row)]}}, "/score"),
        Peer(
            "mlflow models serve",
            of_mlflow,
            {"computed": lambda row: {"dataframe_records": [features_of(row)]}},
            "/invocations",
        ),
    )


def log_model(model: ChurnModel, folder: Path) -> Path:
    """Save a model as MLflow serves it, with the signature that a registered one has."""
    import mlflow.pyfunc  # noqa: PLC0415  # slow to import
    from mlflow.models import ModelSignature  # noqa: PLC0415

    from models.registry.pyfunc import columns, example  # noqa: PLC0415

    of, logged, data = model.specification, folder / "logged", folder / "model"
    sides = {"inputs": columns(of), "outputs": [{"type": "double", "required": True}]}
    about: dict[str, Any] = {
        "signature": ModelSignature.from_dict({side: json.dumps(found) for side, found in sides.items()}),
        "input_example": example(of),
        "pip_requirements": ["mlflow"],
    }
    model.save(data)
    mlflow.pyfunc.save_model(str(logged), loader_module="models.registry.pyfunc", data_path=str(data), **about)
    return logged


def measured(server: Server, peer: Peer, *, rows: Sequence[Mapping[str, Any]], home: Path) -> Iterator[dict[str, Any]]:
    """Put each path that a server has on it; medians of the rounds."""
    asked = home / "bodies"
    for path, body in peer.bodies.items():
        asked.write_bytes(b"\n".join(msgspec.json.encode(body(row)) for row in rows))
        runs = [measure(server, CONNECTIONS, asked=asked, seconds=SECONDS, options=(peer.path,)) for _ in range(ROUNDS)]
        numbers = {name: float(np.median([run[name] for run in runs])) for name in ("rate", "p50", "p99", "cpu_us")}
        yield {"server": peer.name, "path": path} | numbers


def compare() -> dict[str, Any]:
    """Measure every server, with one worker and with two."""
    found: list[dict[str, Any]] = []
    with TemporaryDirectory() as home:
        world = World(Place(Path(home) / "releases"), USERS, ServingSettings(max_items_under_way=100_000))
        model = build_model(world.specification)
        served, logged = world.release(model, "1"), log_model(model, Path(home))
        rows = random.sample(world.scored(model).slice(0, 3_000).to_pylist(), k=300)
        needs = {"CHURN_SERVED": str(served), "BENTOML_HOME": f"{home}/bentoml", "BENTOML_DO_NOT_TRACK": "true"}
        needs["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # where mlflow looks for uvicorn
        for workers in WORKERS:
            for peer in peers(served, logged):
                with running(peer.command(workers), WORKERS=str(workers), **needs) as server:
                    for one in measured(server, peer, rows=rows, home=Path(home)):
                        print(workers, one, flush=True)
                        found.append(one | {"workers": workers})
    return {"cases": found, "users": USERS, "seconds": SECONDS, "machine": machine()}


def write_page(results: Path, page: Path) -> None:
    """Write the page of the results."""
    found = json.loads(results.read_text())
    about = {name: found["machine"][name] for name in ("cores", "cpu", "load")}
    head = PAGE.format(users=found["users"], seconds=found["seconds"], connections=CONNECTIONS, **about)
    page.write_text(head + "".join(_row(one) for one in found["cases"]))
    _draw(found["cases"], page.with_suffix(".png"))


def _draw(cases: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw the requests per second as bars on a logarithmic scale, a panel for each path."""
    paths = list(dict.fromkeys(one["path"] for one in cases))
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    for panel, name in zip(figure.subplots(1, len(paths), squeeze=False)[0], paths, strict=True):
        own = [one for one in cases if one["path"] == name]
        servers = list(dict.fromkeys(one["server"] for one in own))[::-1]
        for one in own:
            place = servers.index(one["server"]) - 0.4 * (one["workers"] - 1.5)
            bar = panel.barh(place, one["rate"], height=0.38, color=_COLOURS[one["workers"]])
            panel.bar_label(bar, [f"{one['rate']:,.0f}"], padding=3, fontsize=8)
        panel.set_xscale("log")
        panel.set_xlim(left=1, right=8 * max(one["rate"] for one in cases))
        panel.set_yticks(range(len(servers)), servers)
        panel.set_title(f"{name}: requests per second", loc="left", fontsize=10)
        panel.spines[["top", "right"]].set_visible(False)
    marks = [
        Patch(color=colour, label=f"{workers} worker{'s' * (workers > 1)}") for workers, colour in _COLOURS.items()
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks), frameon=False, fontsize=9)
    figure.savefig(path, dpi=130)


def _row(case: Mapping[str, Any]) -> str:
    numbers = (f"{case['rate']:.0f}", f"{case['p50']:.2f}", f"{case['p99']:.2f}", f"{case['cpu_us']:.0f}")
    return f"| {' | '.join([case['server'], str(case['workers']), case['path'], *numbers])} |\n"


def main() -> None:
    """Measure, and write the page."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    RESULTS.write_text(json.dumps(compare(), indent=1) + "\n")
    write_page(RESULTS, PAGES / "serving_others.md")


if __name__ == "__main__":
    main()
