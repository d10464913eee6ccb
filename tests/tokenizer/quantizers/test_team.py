from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

SCRIPT = """
import sys
import torch
import torch.distributed as dist
from safetensors.torch import save_file
from tokenizer.quantizers import build_quantizer, quantizer_named

torch.set_num_threads(1)
out, rank, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if size > 1:
    dist.init_process_group("gloo", init_method=f"file://{out}-meeting", rank=rank, world_size=size)
for kind, options in (("vq", {}), ("vq", {"reset_averages": True, "decay": 0.5}), ("rvq", {"layers": 3, "dropout": 0.5})):
    torch.manual_seed(rank)  # first weights that differ: the first batch must make them one
    quantizer = build_quantizer(quantizer_named(kind, 32, **options), 6).train()
    random = torch.Generator().manual_seed(1)
    for step in range(8):
        batch, mask = torch.randn(2, 40, 6, generator=random) + step / 4, torch.rand(2, 40, generator=random) > 0.1
        quantizer(batch.chunk(size)[rank], mask.chunk(size)[rank])
    save_file(quantizer.state_dict(), f"{out}-{kind}{len(options)}-{rank}.safetensors")
if size > 1:
    dist.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_keep_one_codebook_and_that_of_one_process(tmp_path: Path, monkeypatch) -> None:
    script = tmp_path / "run.py"
    script.write_text(SCRIPT)
    started = [
        subprocess.Popen(
            [sys.executable, str(script), str(tmp_path / "two"), str(rank), "2"],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    monkeypatch.setattr(sys, "argv", ["run.py", str(tmp_path / "one"), "0", "1"])
    runpy.run_path(str(script))
    for process in started:
        said = process.communicate(timeout=300)[1]
        assert process.returncode == 0, said
    for case in ("vq0", "vq2", "rvq2"):
        alone, first, second = (
            load_file(tmp_path / f"{name}-{case}-{rank}.safetensors")
            for name, rank in (("one", 0), ("two", 0), ("two", 1))
        )
        for key, expected in alone.items():
            assert torch.equal(first[key], second[key]), (case, key)
            torch.testing.assert_close(first[key], expected, rtol=1e-4, atol=1e-4)
