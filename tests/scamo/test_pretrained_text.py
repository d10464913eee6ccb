from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from motionunion.errors import MissingExtra, MissingInput
from scamo.pretrained_text import FeatureCache, PretrainedEncoder
from scamo.text import MAX_FEATURES

transformers = pytest.importorskip("transformers", reason="the extra [text] is not installed")
CPU = torch.device("cpu")
WORDS = ["<pad>", "</s>", "<unk>", "a", "person", "walks", "runs", "forward"]


def save_encoder(folder: Path, seed: int = 0) -> Path:
    """A T5 of random weights with a word-level tokenizer that ends a sentence as T5's does, in Hugging Face's layout."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=512
    ).save_pretrained(folder)
    torch.manual_seed(seed)
    config = transformers.T5Config(
        vocab_size=len(WORDS), d_model=16, d_kv=4, d_ff=32, num_layers=2, num_heads=2, decoder_start_token_id=0
    )
    transformers.T5EncoderModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return save_encoder(tmp_path_factory.mktemp("encoder"))


def test_features_are_the_encoder_s_own_whatever_the_batch(folder, tmp_path):
    encoder = PretrainedEncoder(str(folder), tmp_path, CPU)
    network = transformers.T5EncoderModel.from_pretrained(folder).eval()
    captions = ["a person walks", "runs", "a person runs forward forward"]
    ids = [[3, 4, 5, 1], [6, 1], [3, 4, 6, 7, 7, 1]]
    assert encoder.width == 16
    for rows, numbers in zip(encoder.features(captions), ids, strict=True):
        with torch.no_grad():
            expected = network(input_ids=torch.tensor([numbers])).last_hidden_state[0]
        torch.testing.assert_close(rows, expected, rtol=1e-5, atol=1e-5)


def test_the_string_is_not_cut_but_its_features_are(folder, tmp_path):
    rows = PretrainedEncoder(str(folder), tmp_path, CPU).features(["walks " * 300])[0]
    network = transformers.T5EncoderModel.from_pretrained(folder).eval()
    with torch.no_grad():
        whole = network(input_ids=torch.tensor([[5] * 300 + [1]])).last_hidden_state[0]
    assert len(rows) == MAX_FEATURES
    torch.testing.assert_close(rows, whole[:150], rtol=1e-5, atol=1e-5)


def test_a_cached_caption_is_never_encoded_again(folder, tmp_path):
    first = PretrainedEncoder(str(folder), tmp_path, CPU).features(["a person walks", "runs"])
    again = PretrainedEncoder(str(folder), tmp_path, CPU)
    found = again.features(["runs", "a person walks", "runs"])
    assert again._network is None  # the network was not even loaded
    assert torch.equal(found[0], first[1])
    assert torch.equal(found[1], first[0])
    assert len(list(tmp_path.rglob("*.safetensors"))) == 1
    again.features(["runs", "forward"])
    assert len(list(tmp_path.rglob("*.safetensors"))) == 2


def test_other_weights_are_another_encoder_with_a_cache_of_its_own(folder, tmp_path):
    same = save_encoder(tmp_path / "same", seed=0)
    other = save_encoder(tmp_path / "other", seed=1)
    encoders = [PretrainedEncoder(str(each), tmp_path / "cache", CPU) for each in (folder, same, other)]
    assert encoders[0].id == encoders[1].id != encoders[2].id
    first = encoders[0].features(["runs"])[0]
    assert not torch.allclose(first, encoders[2].features(["runs"])[0])
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_the_cache_knows_captions_by_their_exact_text(tmp_path):
    cache = FeatureCache(tmp_path)
    cache.add({"a": torch.ones(1, 2), "A": torch.zeros(2, 2)})
    fresh = FeatureCache(tmp_path)
    assert "a" in fresh
    assert "a " not in fresh
    assert fresh["A"].shape == (2, 2)


def test_a_damaged_or_unfinished_file_costs_only_its_own_captions(tmp_path):
    cache = FeatureCache(tmp_path)
    cache.add({"a": torch.ones(1, 2)})
    cache.add({"b": torch.zeros(2, 2)})
    place = cache._place[cache._key("a")]
    place.write_bytes(place.read_bytes()[:20])
    (tmp_path / f".tmp-1-{place.name}").write_bytes(b"half")
    fresh = FeatureCache(tmp_path)
    assert "a" not in fresh
    assert "b" in fresh
    fresh.add({"a": torch.ones(1, 2)})
    assert torch.equal(FeatureCache(tmp_path)["a"], torch.ones(1, 2))


def test_an_encoder_that_cannot_be_loaded_is_named(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingInput, match=r"--text .*empty"):
        PretrainedEncoder(str(tmp_path / "empty"), tmp_path, CPU)


def test_without_transformers_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtra, match=r"motionunion\[text\]"):
        PretrainedEncoder("google/flan-t5-xl", tmp_path, CPU)


def test_importing_the_training_room_does_not_import_transformers():
    import subprocess

    code = "import sys, scamo.plan, scamo.generation; sys.exit('transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
