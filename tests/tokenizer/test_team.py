"""Two processes of `torchrun` on a CPU, through the same door as the command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tokenizer.checkpoint import FILE
from tokenizer.runs import TOKENIZERS
from tokenizer.train import BEST
from tokenizer.training_log import METRICS, read_metrics

SCRIPT = """
import shutil, sys
from pathlib import Path
import torch
from motionunion.features import FeatureSet
from motionunion.progress import SILENT
from tokenizer import plan

class Copying(type(SILENT)):
    left = 8
    def advance(self, amount, **figures):
        self.left -= int(amount)
        if amount and self.left == 0:  # as a kill at this step would leave it; the last save was at step 6
            shutil.copytree(runs, copy, dirs_exist_ok=True)

torch.set_num_threads(1)
features, runs, copy = map(Path, sys.argv[1:4])
plan._features = lambda store, jobs, progress, representation: FeatureSet.load(features)
training = {
    "batch": 6, "warmup_steps": 2, "save_every": 6, "log_every": 2, "evaluate_every": 4, "guard_steps": [10],
    "guard_share": 0.01, "ema_decay": 0.5, "mirror": 0.5, "heading_weight": 0.1,
}
for kind, folder in zip(sys.argv[4:], (runs, runs, copy)):
    trained = plan.train_tokenizer(
        "store", folder, codebook=256, preset="tiny", quantizer=kind, steps=12, device="cpu",
        changes={"model": {"width": 16}, "training": training}, progress=Copying() if folder is runs else SILENT,
    )
    print("speaks" if trained.speaks else "listens")
"""


MANY = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def _run(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    line = [sys.executable, *arguments]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "deprecated" not in done.stderr
    return done


REJOIN = """
import sys, time
import torch
from tokenizer.team import join_team

for turn in range(10):
    team = join_team(torch.device("cpu"))
    assert team.sum(team.rank + turn) == 1 + 2 * turn
    team.leave()
    time.sleep(0.1 * (team.rank == turn % 2))  # now one comes late, now the other
print("done")
"""


@pytest.mark.slow
def test_a_process_may_join_one_team_after_another(tmp_path: Path) -> None:
    (tmp_path / "rejoin.py").write_text(REJOIN)
    done = _run([*MANY, str(tmp_path / "rejoin.py")])
    assert done.stdout.count("done") == 2


@pytest.mark.slow
def test_two_processes_train_as_one_and_go_on_bitwise(make_features, save_features, tmp_path: Path) -> None:
    features = tmp_path / "features"
    save_features(make_features(features, [(90, "train"), (70, "train"), (20, "train"), (64, "val")]), features)
    (tmp_path / "run.py").write_text(SCRIPT)
    for name, start, kinds in (("one", [], ["fsq"]), ("two", MANY, ["fsq", "vq", "vq"])):
        places = [str(tmp_path / part) for part in ("run.py", "features", name, f"{name}-copy")]
        done = _run([*start, *places, *kinds])
        assert done.stdout.count("speaks") == len(kinds)
        assert done.stdout.count("listens") == (len(kinds) if start else 0)

    def run_of(place: str, kind: str) -> Path:
        (folder,) = (tmp_path / place / TOKENIZERS).glob(f"{kind}256-tiny-*")
        return folder

    one, two = run_of("one", "fsq"), run_of("two", "fsq")
    assert one.name != two.name  # another plan, since its last bits are others
    for key, expected in load_file(one / FILE).items():
        torch.testing.assert_close(load_file(two / FILE)[key], expected, rtol=2e-3, atol=2e-4)
    losses = [[entry["loss"] for entry in read_metrics(run) if entry["kind"] == "train"] for run in (one, two)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    for name in (FILE, METRICS, f"{BEST}/{FILE}"):
        assert (run_of("two", "vq") / name).read_bytes() == (run_of("two-copy", "vq") / name).read_bytes()
