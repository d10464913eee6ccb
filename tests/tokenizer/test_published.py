from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from motionunion.errors import MissingInput
from tokenizer.config import ModelConfig
from tokenizer.model import build_model
from tokenizer.published import import_reference
from tokenizer.quantizers import levels_of

CONFIG = ModelConfig(levels=(8, 6, 5), width=16)


@pytest.mark.parametrize("prefix", ["", "module.", "module.module."])
def test_a_published_checkpoint_is_imported_and_gives_the_reference_codes(read_golden, tmp_path, prefix) -> None:
    weights, given, expected = read_golden("scamo_fsq_65536")
    path = tmp_path / "65536_FSQ.pth"
    torch.save({"net": {prefix + name: tensor for name, tensor in weights.items()}}, path)
    ones, zeros = np.ones(263, np.float32), np.zeros(263, np.float32)
    config = ModelConfig(levels=levels_of(65536), width=64)
    tokenizer = import_reference(
        path, config=config, codebook=65536, mean_D=zeros, std_D=ones, representation="hml263@20/compat"
    )
    codes = tokenizer.encode(list(given["motion_a"].numpy()))
    assert np.array_equal(np.stack(codes), expected["indices_a"].numpy())
    rows = tokenizer.decode(codes)
    np.testing.assert_allclose(np.stack(rows), expected["reconstruction_a"].numpy(), rtol=1e-5, atol=1e-5)


class Executes:
    def __reduce__(self):
        return (print, ("a checkpoint must not run code",))


@pytest.mark.parametrize("content", ["missing", "extra", "shape", "no net", "code", "not a pickle"])
def test_a_strange_published_checkpoint_is_refused(tmp_path: Path, content: str, capsys) -> None:
    weights = dict(build_model(CONFIG, 0).state_dict())
    name = "vqvae.encoder.model.0.weight"
    if content == "missing":
        del weights[name]
    elif content == "extra":
        weights["vqvae.more"] = torch.zeros(2)
    elif content == "shape":
        weights[name] = weights[name][:-1]
    path = tmp_path / "x.pth"
    if content == "not a pickle":
        path.write_bytes(b"<html>not found</html>")
    elif content == "code":
        path.write_bytes(pickle.dumps({"net": Executes()}, protocol=2))
    else:
        torch.save(weights if content == "no net" else {"net": weights}, path)
    ones = np.ones(263, np.float32)
    with pytest.raises(MissingInput, match=r"x\.pth is not a ScaMo FSQ checkpoint"):
        import_reference(path, config=CONFIG, codebook=256, mean_D=ones, std_D=ones, representation="hml263@20/compat")
    assert "must not run" not in capsys.readouterr().out
