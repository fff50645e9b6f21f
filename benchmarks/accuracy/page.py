"""The measurements as a page with tables, and as a chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.accuracy.bars import Bar, Found, bars
from benchmarks.accuracy.logs import BARRED, SIMULATED
from benchmarks.profiles.bars import GIB

INTRODUCTION = """# Accuracy: on real logs, and compared with the truth

Written by `make bench-accuracy` from `accuracy.json`; do not edit. The real logs are not part of this repository: `REAL_LOGS`
names the folder that holds them.

Every log is trained on by the same `churn train`. Its `churn.toml`, in `examples/`, holds the mapping of the log, the horizon, who
is eligible, and the test cutoff: nothing is tuned for a log, and nothing is searched. The defaults of the trees and of the
logistic regression were chosen on cutoffs before the test cutoffs, for all logs together
([decision 6](../docs/decisions/0006-trees-and-a-line.md)). Two choices were made by people who had seen these tests before, and are
justified without them: four snapshots for calibration ([decision 3](../docs/decisions/0003-periods-or-folds.md)), and the limit above
which a number only encodes the date, which costs a little AUC here. A run of this page uses each test once; earlier runs had used them.

Brackets are 95 % intervals, a bootstrap over the test users. *Model - baseline* is paired: the same users are sampled for
both, so read that column rather than whether two intervals overlap. Log loss and calibration error are of probabilities; the
scores of rules, of BG/NBD and of the logistic regression became probabilities on the same calibration cutoffs as the model's. A
calibration error is a mean of distances, so resampling users can only increase one near zero: its interval may begin above it.
"""
MET = {True: "met", False: "**missed**", None: "not measured"}
TITLES = {"auc": "AUC", "log_loss": "log loss", "calibration_error": "calibration error"}
OURS, TRUTH, THEIRS = "#1f77b4", "#2ca02c", "#808080"
Measured = Mapping[str, Any]


def write_page(found: Found, folder: Path) -> None:
    """Write ``accuracy.md`` and ``accuracy.png``."""
    others = sorted(found.keys() - {*BARRED, SIMULATED, "twice"})
    logs = {name: found[name] for name in (*BARRED, *others, SIMULATED) if name in found}
    parts = [INTRODUCTION, "![AUC with intervals, by log](accuracy.png)\n", bars_table(bars(found))]
    parts += [_section(name, one) for name, one in logs.items()]
    parts += [_twice(found["twice"])] if "twice" in found else []
    (folder / "accuracy.md").write_text("\n".join([*parts, _machines(found)]))
    draw({name: one for name, one in logs.items() if "why_not" not in one}, folder / "accuracy.png")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def bars_table(found: Sequence[Bar]) -> str:
    rows = [[bar.what, bar.bound, bar.found, MET[bar.is_met], bar.note] for bar in found]
    return "## Targets\n\n" + table(["metric", "target", "result", "", ""], rows)


def _section(name: str, of: Measured) -> str:
    if "why_not" in of:
        return f"## {name}\n\nRefused: {of['why_not']}\n"
    rows = [_row(contender, of) for contender in of["figures"]]
    header = ["", *TITLES.values(), "model - baseline, AUC", "model - baseline, log loss"]
    return f"## {name}\n\n{_facts(of)}\n\n{table(header, rows)}"


def _facts(of: Measured) -> str:
    seconds = of.get("seconds_to_simulate")
    simulated = f" Simulated in {seconds:.0f} s; *truth* is the best possible model." if seconds else ""
    return (
        f"{of['says']}{simulated}\n\n{of['users']:,} users at test cutoff {of['test_cutoff']}, churn rate {of['churn_rate']:.3f}, "
        f"horizon {of['horizon_days']} days. Strategy: {of['way']}, from {of['rows']:,} rows of {of['snapshots']} snapshots; "
        f"{of['features']} features, {of['trees']} trees, calibration {of['calibration']}; {of['why']}.\n\n"
        f"Reading the log, profiles, training, baselines, evaluation and audit took {of['seconds']:.0f} s and "
        f"{of['peak_bytes'] / GIB:.1f} GiB at the peak."
    )


def _row(contender: str, of: Measured) -> list[str]:
    figures, differences = of["figures"][contender], of["differences"].get(contender, {})
    name = f"{contender} (the best rule)" if contender == of["better_rule"] else contender
    return [
        f"**{name}**" if contender == "model" else name,
        *(_with_ends(figures[key]) for key in TITLES),
        *(_with_ends(differences.get(key), sign="+") for key in ("auc", "log_loss")),
    ]


def _with_ends(found: Sequence[float] | None, *, sign: str = "") -> str:
    if found is None:
        return ""
    value, low, high = (f"{number:{sign}.4f}" for number in found)
    return f"{value} ({low} to {high})"


def _twice(of: Measured) -> str:
    """Return what two trainings have in common."""
    same = "not one differs" if not of["differing"] else f"these differ: {', '.join(of['differing'])}"
    value, low, high = of["auc"]
    return (
        "## Twice\n\n"
        f"`churn train` on a world of {of['people']:,} people, three times, each a process and a home of its own. Of the "
        f"{of['files']} files that MLflow keeps of the first (model, code, card, charts; without `MLmodel`, which holds the instant), "
        f"compared with those of the second, of the same seed, {same}. AUC {value:.4f} ({low:.4f} to {high:.4f}); "
        f"with another seed {of['auc_of_another_seed']:.4f}.\n"
    )


def _machines(found: Found) -> str:
    rows = [
        [
            name,
            one.get("date", ""),
            f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_bytes'] / GIB:.0f} GiB, {machine['system']}",
            f"{machine['load']}",
        ]
        for name, one in found.items()
        for machine in [one["machine"]]
    ]
    return "## On what\n\n" + table(["log", "date", "machine", "load before"], rows)


def draw(logs: Found, path: Path) -> None:
    """Draw a dot and an interval for each contender, a panel for each log."""
    rows = [len(one["figures"]) for one in logs.values()]
    figure = Figure(figsize=(9, 0.6 + sum(0.7 + 0.28 * n for n in rows)), layout="constrained")
    panels = figure.subplots(len(rows), 1, squeeze=False, height_ratios=[n + 1.5 for n in rows])[:, 0]
    for panel, (name, one) in zip(panels, logs.items(), strict=True):
        _panel(panel, name, of=one)
    figure.suptitle("AUC on the test cutoff, with 95 % intervals")
    figure.savefig(path, dpi=130)


def _panel(panel: Axes, name: str, *, of: Measured) -> None:
    for place, (contender, figures) in enumerate(of["figures"].items()):
        value, low, high = figures["auc"]
        color = {"model": OURS, "truth": TRUTH}.get(contender, THEIRS)
        panel.plot([low, high], [place, place], color=color, linewidth=2)
        panel.plot([value], [place], "o", color=color)
        panel.annotate(f"{value:.3f}", (high, place), (6, 0), textcoords="offset points", va="center", fontsize=8)
    panel.set_yticks(range(len(of["figures"])), list(of["figures"]))
    panel.invert_yaxis()
    panel.margins(x=0.1, y=0.15)
    panel.grid(axis="x", alpha=0.3)
    panel.spines[["top", "right"]].set_visible(False)
    panel.set_title(f"{name}: {of['horizon_days']} days, {of['users']:,} users", loc="left", fontsize=10)
