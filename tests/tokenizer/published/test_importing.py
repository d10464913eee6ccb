from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from motionunion.errors import MissingInput, UsageError
from tokenizer.checkpoint import Tokenizer
from tokenizer.choice import drift, matching_tokenizer
from tokenizer.model import build_model
from tokenizer.model_config import ModelConfig
from tokenizer.published import import_weights
from tokenizer.quantizers import read_quantizer

# The reference differs from itself by up to 1.1e-5 between runs of one case (INDEX.md of the reference outputs).
TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}
# case, project, file, entry of the network, features, nominal codebook
CASES = [
    ("scamo_fsq_256", "scamo", "256_FSQ.pth", "net", 263, 256),
    ("scamo_fsq_65536", "scamo", "net_last.pth", "net", 263, 65536),
    ("scamo_emavq", "t2mgpt", "net_last.pth", "net", 263, 64),
    ("t2mgpt_emavq", "t2mgpt", "net_last.pth", "net", 263, 64),
    ("momask_rvq", "momask", "net_best_fid.tar", "vq_model", 263, 64),
    ("momask_rvq_shared", "momask", "net_best_fid.tar", "net", 263, 64),
    ("motionmillion_fsq", "motionmillion", "net_last.pth", "net", 272, 65536),
    ("motionmillion_fsq_causal", "motionmillion", "net_last.pth", "net", 272, 65536),
]


@pytest.mark.parametrize(("case", "project", "name", "network", "features", "codebook"), CASES)
def test_an_imported_network_gives_the_references_latents_codes_and_rows(
    read_golden, publish, tmp_path: Path, case, project, name, network, features, codebook
) -> None:
    weights, given, expected = read_golden(case)
    made = import_weights(publish(weights, name=name, network=network, features=features), tmp_path / "runs")
    assert (made.project.name, made.tokenizer.codebook) == (project, codebook)
    tokenizer = Tokenizer.load(made.folder)
    for clip in "ab":
        rows = given[f"motion_{clip}"]
        with torch.inference_mode():
            latents = tokenizer.model.encode_latents(rows)
            rebuilt, quantised = tokenizer.model(rows)
        torch.testing.assert_close(latents, expected[f"encoder_{clip}"], **TOLERANCE)
        assert torch.equal(quantised.indices, expected[f"indices_{clip}"].long())
        assert torch.equal(tokenizer.encode_normalised(rows), expected[f"indices_{clip}"].long())
        torch.testing.assert_close(rebuilt, expected[f"reconstruction_{clip}"], **TOLERANCE)
        if f"commit_loss_{clip}" in expected:
            loss = quantised.loss / tokenizer.model.config.quantizer.commitment
            torch.testing.assert_close(loss, expected[f"commit_loss_{clip}"], **TOLERANCE)


@pytest.mark.parametrize(("case", "project", "name", "network", "features", "codebook"), CASES)
def test_an_imported_network_decodes_given_codes_as_the_reference_does(
    read_golden, publish, tmp_path: Path, case, project, name, network, features, codebook
) -> None:
    weights, given, expected = read_golden(case)
    path = publish(weights, name=name, network=network, features=features)
    tokenizer = import_weights(path, tmp_path / "runs").tokenizer
    if project == "momask":
        codes = expected["indices_a"]
        torch.testing.assert_close(tokenizer.decode_normalised(codes), expected["decoded_a"], **TOLERANCE)
        first = tokenizer.model.vqvae.quantizer.dequantize(codes[..., :2])
        torch.testing.assert_close(first.transpose(1, 2), expected["latent_first2_a"], **TOLERANCE)
        rows = tokenizer.decode_normalised(codes[..., :2])
        torch.testing.assert_close(rows, expected["decoded_first2_a"], **TOLERANCE)
    else:
        for codes, rows in (("codes_given", "decoded_given"), ("indices_a", "decoded_clip0_a")):
            found = tokenizer.decode_normalised({**expected, **given}[codes][:1].long())
            torch.testing.assert_close(found, expected[rows], **TOLERANCE)


def small(**changes) -> ModelConfig:
    return ModelConfig(**{"levels": (8, 6, 5), "features": 263, "width": 8, "depth": 2, **changes})


def named_as_momask(weights):
    kept = (name for name in weights if not name.endswith(("code_sum", "code_count", "steps")))
    return {name.removeprefix("vqvae."): weights[name] for name in kept}


@pytest.mark.parametrize("prefix", ["", "module.", "module.module."])
def test_statistics_are_those_beside_the_checkpoint_and_prefixes_of_distributed_training_come_off(
    publish, tmp_path: Path, prefix: str
) -> None:
    model = build_model(small(), 1).eval()
    path = publish(
        {prefix + name: tensor for name, tensor in model.state_dict().items()}, name="256_FSQ.pth", features=263
    )
    random = np.random.default_rng(0)
    mean, std = random.normal(size=263), random.uniform(0.5, 2, 263)
    np.save(path.with_name("mean.npy"), mean)
    np.save(path.with_name("std.npy"), std)
    rows = random.normal(size=(40, 263)).astype(np.float32)
    codes = Tokenizer.load(import_weights(path, tmp_path / "runs").folder).encode([rows])[0]
    with torch.inference_mode():
        normalised = (rows - mean.astype(np.float32)) / std.astype(np.float32)
        expected = model.encode(torch.from_numpy(normalised)[None])[0]
    assert np.array_equal(codes, expected.numpy())


@pytest.mark.parametrize(
    "changes",
    [
        {"down": 1},
        {"down": 3, "depth": 1},
        {"latent": 12},
        {"norm": "BN"},
        {"features": 272, "norm": "LN", "causal": True, "patcher": "haar", "patch": 4},
        {"features": 272, "norm": "LN", "patcher": "rearrange", "patch": 2, "down": 1},
    ],
)
def test_the_networks_shape_follows_from_its_keys(publish, tmp_path: Path, changes) -> None:
    config = small(**changes)
    model = build_model(config, 2).eval()
    path = publish(model.state_dict(), name="256_FSQ.pth", features=config.features)
    tokenizer = import_weights(path, tmp_path / "runs").tokenizer
    assert tokenizer.model.config == config
    rows = torch.randn(2, 32, config.features, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        assert torch.equal(tokenizer.encode_normalised(rows), model.encode(rows))


def test_the_same_file_is_imported_into_the_same_folder_with_the_same_bytes(publish, tmp_path: Path) -> None:
    path = publish(build_model(small(), 1).state_dict(), name="256_FSQ.pth", features=263)
    first = import_weights(path, tmp_path / "runs")
    written = (first.folder / "tokenizer.safetensors").read_bytes()
    second = import_weights(path, tmp_path / "runs")
    assert (second.folder, second.tokenizer.hash) == (first.folder, first.tokenizer.hash)
    (first.folder / "tokenizer.safetensors").unlink()
    import_weights(path, tmp_path / "runs")
    assert (first.folder / "tokenizer.safetensors").read_bytes() == written


def test_other_statistics_make_another_tokenizer(publish, tmp_path: Path) -> None:
    path = publish(build_model(small(), 1).state_dict(), name="256_FSQ.pth", features=263)
    first = import_weights(path, tmp_path / "runs")
    np.save(path.with_name("std.npy"), np.full(263, 2.0))
    assert import_weights(path, tmp_path / "runs").folder != first.folder


@pytest.mark.parametrize("kind", ["vq", "rvq"])
def test_training_goes_on_from_an_imported_codebook_and_does_not_begin_anew(publish, tmp_path: Path, kind: str) -> None:
    config = small(levels=None, quantizer=read_quantizer({"kind": kind, "size": 16}, "test"))
    weights = named_as_momask(build_model(config, 1).state_dict())
    if kind == "vq":
        weights = {f"vqvae.{name}": tensor for name, tensor in weights.items()}
    quantizer = import_weights(publish(weights, features=263), tmp_path / "runs").tokenizer.model.vqvae.quantizer
    layer = quantizer if kind == "vq" else quantizer.layers[0]
    before = layer.codebook.clone()
    quantizer.train()(torch.randn(2, 8, 8, generator=torch.Generator().manual_seed(1)))
    # One step of a moving average over .99: no vector can have gone far, and none is set anew.
    assert (layer.codebook - before).norm(dim=1).max() < 0.1 * before.norm(dim=1).mean()
    assert not torch.equal(layer.codebook, before)


@pytest.mark.parametrize(
    ("changes", "command"),
    [
        ({}, "scamo tokenize --codebook 256"),
        (
            {"features": 272, "norm": "LN", "patcher": "haar"},
            "scamo tokenize --codebook 256 --representation ms272@30/compat",
        ),
        ({"quantizer": {"kind": "vq", "size": 16}}, "scamo tokenize --codebook 16 --quantizer vq"),
        ({"quantizer": {"kind": "rvq", "size": 16, "layers": 6}}, "scamo tokenize --codebook 16 --quantizer rvq"),
        ({"quantizer": {"kind": "rvq", "size": 16, "layers": 2, "shared": True}}, None),
    ],
)
def test_the_command_that_would_use_a_tokenizer_is_named_where_there_is_one(
    publish, tmp_path: Path, changes, command
) -> None:
    quantizer = read_quantizer(changes.get("quantizer", {"kind": "fsq", "levels": [8, 6, 5]}), "test")
    config = small(**{**changes, "levels": None, "quantizer": quantizer})
    weights = build_model(config, 1).state_dict()
    if quantizer.kind != "fsq":
        momask = named_as_momask(weights)
        weights = momask if quantizer.kind == "rvq" else {f"vqvae.{name}": tensor for name, tensor in momask.items()}
        for layer in range(1, quantizer.codes_per_step):
            weights.setdefault(f"quantizer.layers.{layer}.codebook", weights["quantizer.layers.0.codebook"])
    path = publish(weights, name="256_FSQ.pth", features=config.features)
    assert import_weights(path, tmp_path / "runs").next_command() == command


def test_whoever_uses_an_imported_tokenizer_is_told_where_it_comes_from(publish, make_features, tmp_path: Path) -> None:
    path = publish(build_model(small(), 1).state_dict(), name="256_FSQ.pth", features=263)
    made = import_weights(path, tmp_path / "runs")
    features = make_features(tmp_path / "features", [(20, "train")])
    assert drift(Tokenizer.load(made.folder), features).startswith(
        ", which was imported from 256_FSQ.pth (arXiv:2412.14559); "
    )
    assert matching_tokenizer(tmp_path / "runs", features, 256, None) == made.folder


def test_a_codebook_that_nothing_tells_must_be_named(publish, tmp_path: Path) -> None:
    path = publish(build_model(small(), 1).state_dict(), features=263)
    with pytest.raises(UsageError, match=r"3 channels, which fits codebooks of 256, 512; say which with --codebook"):
        import_weights(path, tmp_path / "runs")
    assert import_weights(path, tmp_path / "runs", codebook=512).tokenizer.codebook_size == 512


def test_a_codebook_that_does_not_fit_the_weights_is_refused(publish, tmp_path: Path) -> None:
    path = publish(build_model(small(), 1).state_dict(), name="65536_FSQ.pth", features=263)
    with pytest.raises(MissingInput, match=r"quantises 3 channels, and a codebook of 65536 has 6"):
        import_weights(path, tmp_path / "runs")


def test_a_norm_of_two_possible_kinds_must_be_named(publish, tmp_path: Path) -> None:
    config = small(width=32, norm="GN")
    path = publish(build_model(config, 1).state_dict(), name="256_FSQ.pth", features=263)
    with pytest.raises(UsageError, match="--norm"):
        import_weights(path, tmp_path / "runs")
    assert import_weights(path, tmp_path / "runs", norm="GN").tokenizer.model.config == config


def test_a_representation_of_another_length_is_refused(publish, tmp_path: Path) -> None:
    path = publish(build_model(small(), 1).state_dict(), name="256_FSQ.pth", features=263)
    with pytest.raises(UsageError, match=r"ms272@30 has rows of 272 numbers"):
        import_weights(path, tmp_path / "runs", representation="ms272@30")
    assert import_weights(path, tmp_path / "runs").tokenizer.representation == "hml263@20/compat"


def test_rows_of_no_known_representation_need_its_name(publish, tmp_path: Path) -> None:
    path = publish(build_model(small(features=7), 1).state_dict(), name="256_FSQ.pth", features=7)
    with pytest.raises(UsageError, match="rows of 7 numbers are no representation that is known here"):
        import_weights(path, tmp_path / "runs")


def test_a_checkpoint_of_something_else_is_refused_with_what_is_known(publish, tmp_path: Path) -> None:
    path = publish({"lm_head.weight": torch.zeros(3, 2)}, features=263)
    with pytest.raises(MissingInput, match=r"known by its keys.*MoMask.*lm_head\.weight"):
        import_weights(path, tmp_path / "runs")
