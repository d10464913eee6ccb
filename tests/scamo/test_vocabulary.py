from __future__ import annotations

import numpy as np
import pytest
import torch

from motionunion.errors import MotionUnionError
from scamo.config import ModelConfig
from scamo.model import new_model
from scamo.vocabulary import Vocabulary

SEEN = np.array([2, 5, 11])
CONFIG = ModelConfig(layers=1, heads=2, width=8, codebook_size=12, text_width=3)


def test_codes_and_tokens_go_back_and_forth():
    vocabulary = Vocabulary(12, SEEN)
    assert vocabulary.tokens(np.array([5, 2, 11, 0, 6])).tolist() == [1, 0, 2, -1, -1]
    assert vocabulary.codes(np.array([1, 0, 2])).tolist() == [5, 2, 11]
    assert (vocabulary.size, vocabulary.end, vocabulary.pad) == (3, 3, 4)
    assert Vocabulary(12).tokens(np.array([7])).tolist() == [7]


def test_numbers_outside_the_codebook_are_refused():
    with pytest.raises(MotionUnionError, match=r"0\.\.11"):
        Vocabulary(12, SEEN).tokens(np.array([12]))


@pytest.mark.parametrize("tied", [False, True])
def test_a_cut_model_gives_the_full_model_s_logits_of_its_codes(tied):
    full = new_model(ModelConfig(**{**_values(), "tie_weights": tied}), seed=0).eval()
    vocabulary = Vocabulary(12, SEEN)
    small = vocabulary.cut(full).eval()
    text, lengths = torch.randn(1, 2, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([2])
    tokens = torch.tensor([[4, 4, 1, 2, 3]])
    codes = torch.tensor([[13, 13, 5, 11, 12]])
    with torch.no_grad():
        expected = full(codes, text, lengths)[..., [2, 5, 11, 12, *([13] if tied else [])]]
        torch.testing.assert_close(small(tokens, text, lengths), expected)


@pytest.mark.parametrize("tied", [False, True])
def test_writing_back_changes_the_seen_rows_and_no_other(tied):
    config = ModelConfig(**{**_values(), "tie_weights": tied})
    before = {key: value.clone() for key, value in new_model(config, seed=0).state_dict().items()}
    vocabulary = Vocabulary(12, SEEN)
    small = vocabulary.cut(new_model(config, seed=0))
    with torch.no_grad():
        for parameter in small.parameters():
            parameter.add_(1.0)
    after = vocabulary.write_back(small.state_dict(), new_model(config, seed=0)).state_dict()
    unseen = [code for code in range(12) if code not in SEEN]
    for table in ("transformer.wte.weight", "lm_head.weight"):
        assert torch.equal(after[table][unseen], before[table][unseen])
        assert torch.equal(after[table][[*SEEN, 12]], before[table][[*SEEN, 12]] + 1.0)
    assert torch.equal(after["llama_proj.weight"], before["llama_proj.weight"] + 1.0)


def _values() -> dict[str, int]:
    return {"layers": 1, "heads": 2, "width": 8, "codebook_size": 12, "text_width": 3}
