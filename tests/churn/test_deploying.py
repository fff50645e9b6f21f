"""The guides on deploying and on backups: their scripts run, their units are accepted by systemd."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.churn.command import WEEK, TrainedWorld
from tests.churn.conftest import Command

GUIDES = Path(__file__).parents[2] / "docs/guides"
QUICK = {
    "CHURN_MODEL__MAX_ROUNDS": "20",
    "CHURN_MODEL__LOGISTIC_WEIGHT": "0",
    "CHURN_AUDIT__MAX_ROWS": "2000",
    "CHURN_AUDIT__REBUILT_PROFILES": "100",
}


def _blocks(page: str, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", (GUIDES / page).read_text(), flags=re.DOTALL)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_accepts_the_units(tmp_path: Path):
    for unit in _blocks("deploying.md", "ini"):
        name = unit.splitlines()[0].rpartition("/")[2]
        here = re.sub(r"(?<=ExecStart=)\S+", "/bin/true", unit).replace("User=churn\n", "")
        (tmp_path / name).write_text(here)
    units = sorted(map(str, tmp_path.iterdir()))
    assert [Path(unit).name for unit in units] == ["churn-serve.service", "churn-weekly.service", "churn-weekly.timer"]
    ran = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    assert [line for line in ran.stderr.splitlines() if "churn-" in line] == []


@pytest.mark.slow
def test_the_weekly_job_trains_scores_and_writes_the_lists(trained_world: TrainedWorld, tmp_path: Path):
    (script,) = _blocks("deploying.md", "sh")
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/churn").symlink_to(Path(sys.executable).with_name("churn"))
    trained_world.copy_to(tmp_path / ".churn")
    shutil.copytree(trained_world.folder / "events", tmp_path / "events")
    shutil.copy(trained_world.config, tmp_path)
    (tmp_path / "weekly.sh").write_text(script)
    done = ["/bin/sh", tmp_path / "weekly.sh", WEEK]
    ran = subprocess.run(done, env=os.environ | QUICK, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert list(tmp_path.glob(f".churn/lists/churn/{WEEK}/at_risk/current/at_risk.csv"))
    assert list(tmp_path.glob(".churn/releases/churn/current/model"))


def test_a_restored_backup_writes_the_same_list_again(command: Command, trained_world: TrainedWorld, tmp_path: Path):
    backup = _blocks("backup.md", "sh")[0]
    trained_world.copy_to(tmp_path / "srv/.churn")
    shutil.copy(trained_world.config, tmp_path / "srv")
    subprocess.run(["/bin/sh", "-ec", backup.replace("/srv/churn", str(tmp_path / "srv"))], check=True)
    (archive,) = (tmp_path / "srv").glob("churn-*.tar.gz")
    shutil.rmtree(tmp_path / "srv/.churn")
    subprocess.run(["tar", "-xzf", archive, "-C", tmp_path / "srv"], check=True)
    restored = tmp_path / "srv/.churn"
    assert not {"activity", "scores", "releases"} & {path.name for path in restored.iterdir()}
    places = ("--config", trained_world.config, "--home", restored)
    ran = command("export", *places, "--week", WEEK, "--json")
    assert ran.code == 0, ran.err
    for name in ("at_risk.csv", "holdout.csv"):
        before, after = (home / f"lists/churn/{WEEK}/at_risk/current/{name}" for home in (trained_world.home, restored))
        assert after.read_bytes() == before.read_bytes()
