"""One key missing, one too many, one of another shape, in every project's file and in every part of the network."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from motionunion.errors import MissingInput
from tokenizer.model import build_model
from tokenizer.model_config import ModelConfig
from tokenizer.published import import_weights
from tokenizer.quantizers import read_quantizer

PROJECTS = ("scamo", "t2mgpt", "momask", "motionmillion", "motionmillion causal")

STEPS = [13, pytest.param(1, marks=pytest.mark.slow)]
"""Every which key is tried."""


def weights_of(project: str) -> tuple[dict[str, torch.Tensor], int]:
    """A small state dict as the project has it, and its number of features."""
    shape = {"features": 263, "width": 8, "depth": 1}
    if project.startswith("motionmillion"):
        shape = {**shape, "features": 272, "norm": "LN", "patcher": "haar", "causal": project.endswith("causal")}
    kind = {"t2mgpt": {"kind": "vq", "size": 16}, "momask": {"kind": "rvq", "size": 16, "layers": 6}}
    quantizer = read_quantizer(kind.get(project, {"kind": "fsq", "levels": [8, 8, 8, 5, 5, 5]}), "test")
    state = build_model(ModelConfig(quantizer=quantizer, **shape), 1).state_dict()
    prefix = "vqvae." if project == "momask" else ""
    kept = (name for name in state if not name.endswith(("code_sum", "code_count", "steps")))
    return {name.removeprefix(prefix): state[name].clone() for name in kept}, shape["features"]


def refused(path: Path, runs: Path, match: str) -> None:
    with pytest.raises(MissingInput, match=match):
        import_weights(path, runs)
    assert not runs.exists(), "nothing is written for a file that is refused"


@pytest.mark.parametrize("project", PROJECTS)
def test_what_is_whole_is_imported(publish, tmp_path: Path, project: str) -> None:
    weights, features = weights_of(project)
    made = import_weights(publish(weights, features=features), tmp_path / "runs")
    assert made.project.name == project.split()[0]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("project", PROJECTS)
def test_every_single_missing_key_is_refused_by_its_name(publish, tmp_path: Path, project: str, step: int) -> None:
    weights, features = weights_of(project)
    for name in [*list(weights)[::step], list(weights)[-1]]:
        rest = {key: tensor for key, tensor in weights.items() if key != name}
        path = publish(rest, features=features)
        # A file without its only codebook is nobody's; one without the first buffer of a patcher begins with another layer.
        nobodys = name == "vqvae.quantizer.codebook"
        first = name == "vqvae.encoder.model.0.wavelets"
        refused(path, tmp_path / "runs", "known by its keys" if nobodys else "misses" if first else re.escape(name))


@pytest.mark.parametrize("project", PROJECTS)
@pytest.mark.parametrize(
    "extra", ["vqvae.more", "encoder.model.0.scale", "vqvae.quantizer.code_count", "vqvae.decoder.model.9.bias"]
)
def test_a_key_too_many_is_refused_by_its_name(publish, tmp_path: Path, project: str, extra: str) -> None:
    weights, features = weights_of(project)
    path = publish({**weights, extra: torch.zeros(2)}, features=features)
    refused(path, tmp_path / "runs", "has, besides, .*" + extra.replace(".", r"\."))


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("project", PROJECTS)
def test_every_single_mis_shaped_key_is_refused(publish, tmp_path: Path, project: str, step: int) -> None:
    weights, features = weights_of(project)
    for name in [*list(weights)[::step], list(weights)[-1]]:
        path = publish({**weights, name: weights[name][:-1].clone()}, features=features)
        refused(path, tmp_path / "runs", r"of shape|takes \d channels and gives \d")


@pytest.mark.parametrize("project", ["t2mgpt", "momask"])
def test_a_codebook_of_another_width_is_refused(publish, tmp_path: Path, project: str) -> None:
    weights, features = weights_of(project)
    name = next(name for name in weights if name.endswith("codebook"))
    path = publish({**weights, name: weights[name][:, :-1].clone()}, features=features)
    refused(path, tmp_path / "runs", r"codebook of shape \(16, 7\) instead of \(16, 8\)")


@pytest.mark.parametrize(
    "name", ["vqvae.encoder.model.99.1.model.0.conv1.bias", "vqvae.encoder.model.2.1.model.777777777777.x"]
)
def test_a_large_number_in_a_name_builds_no_large_network(publish, tmp_path: Path, name: str) -> None:
    weights, features = weights_of("scamo")
    refused(
        publish({**weights, name: torch.zeros(1)}, features=features),
        tmp_path / "runs",
        "misses|no tokenizer of this family",
    )


def test_whole_numbers_in_place_of_weights_are_refused(publish, tmp_path: Path) -> None:
    weights, features = weights_of("scamo")
    weights["vqvae.encoder.model.0.bias"] = torch.zeros(8, dtype=torch.int64)
    refused(
        publish(weights, features=features),
        tmp_path / "runs",
        r"model\.0\.bias of torch\.int64 instead of torch\.float32",
    )


def test_another_wavelet_is_refused(publish, tmp_path: Path) -> None:
    weights, features = weights_of("motionmillion")
    weights["vqvae.encoder.model.0.wavelets"] = torch.tensor([0.6, 0.8])
    refused(publish(weights, features=features), tmp_path / "runs", r"wavelets is \[0\.6.*wanted \[0\.7071")


def test_statistics_of_another_representation_are_refused(publish, tmp_path: Path) -> None:
    weights, _ = weights_of("scamo")
    refused(
        publish(weights, features=251), tmp_path / "runs", r"takes rows of 263 features, and the statistics are for 251"
    )
