from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from scamo.checkpoint import load_tensors
from tokenizer.team import join_team

SCRIPT = """
import sys
from pathlib import Path
import numpy as np, torch
from scamo.config import ModelConfig, TrainConfig
from scamo.data import Windows
from scamo.model import new_model
from scamo.objective import Objective
from tokenizer.team import join_team
from scamo.text import WordEncoder
from scamo.train import Training
from scamo.unigram import Unigram
from scamo.vocabulary import Vocabulary

torch.set_num_threads(1)
team = join_team(torch.device("cpu"))
random = np.random.default_rng(0)
# Batches of one to four windows of unlike length: shares are unequal, and sometimes one process has nothing to do.
windows = Windows.of([random.integers(0, 20, n) for n in (3, 9, 4, 12, 30, 5, 7)], [["a person walks"]] * 7)
unigram = Unigram.of(windows.codes, len(windows), 20)
model = new_model(ModelConfig(layers=1, heads=2, width=8, codebook_size=20, text_width=4), seed=0)
objective = Objective(model, WordEncoder.of(["a person walks"], 4, seed=0), Vocabulary(20))
config = TrainConfig(steps=8, batch_tokens=35, learning_rate=1e-2, warmup_steps=1, eval_every=4)
Training(objective, windows, windows, unigram, config, Path(sys.argv[1]), plan_hash="p", team=team).run()
team.leave()
"""


def test_alone_there_is_a_team_of_one():
    team = join_team(torch.device("cpu"))
    assert (team.rank, team.size, team.sum(2.5)) == (0, 1, 2.5)


@pytest.mark.slow
def test_two_processes_train_as_one(tmp_path: Path):
    (tmp_path / "run.py").write_text(SCRIPT)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    many = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for name, start in (("one", [sys.executable]), ("two", many)):
        line = [*start, str(tmp_path / "run.py"), str(tmp_path / name)]
        done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    (one,), (two,) = (list((tmp_path / name).glob("best-*")) for name in ("one", "two"))
    assert one.name == two.name
    for key, expected in load_tensors(one)[0].items():
        torch.testing.assert_close(load_tensors(two)[0][key], expected, rtol=1e-3, atol=1e-4)
