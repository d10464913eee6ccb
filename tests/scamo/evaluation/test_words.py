from __future__ import annotations

import numpy as np
import pytest

from motionunion.errors import ConfigError
from scamo.evaluation.words import OTHER, PLACES, POS_TAGS, Vocabulary, hashed_vocabulary, tagged_words

VOCABULARY = hashed_vocabulary(["a", "person", "walk", "left", "slowly", "chair", "arm"])


def pos_of(tokens: str) -> list[str]:
    sentence = VOCABULARY.read(tagged_words("", tokens))
    return [POS_TAGS[column] for column in sentence.pos[1 : sentence.length - 1]]


def test_special_lists_decide_before_the_tag():
    assert pos_of("walk/VERB left/ADV slowly/ADV chair/NOUN arm/NOUN person/NOUN a/DET") == [
        "Act_VIP", "Loc_VIP", "Desc_VIP", "Obj_VIP", "Body_VIP", "NOUN", "DET",
    ]  # fmt: skip


def test_unknown_words_and_tags_are_other():
    assert pos_of("jump/VERB person/PROPN") == ["OTHER", "OTHER"]  # `jump` is a special word, but not in the vocabulary
    assert VOCABULARY.read([("jump", "VERB")]).rows[1] == VOCABULARY.row["unk"]


def test_short_captions_are_filled_up_and_long_ones_cut():
    short = VOCABULARY.read([("a", "DET")] * 3)
    assert short.length == 5
    assert len(short.rows) == PLACES == 22
    assert short.rows[0] == VOCABULARY.row["sos"]
    assert short.rows[4] == VOCABULARY.row["eos"]
    assert (short.rows[5:] == VOCABULARY.row["unk"]).all()
    assert (short.pos[5:] == OTHER).all()
    for words, length in ((19, 21), (20, 22), (35, 22)):
        sentence = VOCABULARY.read([("a", "DET")] * words)
        assert sentence.length == length
        assert sentence.rows[length - 1] == VOCABULARY.row["eos"]


def test_a_caption_without_tokens_gives_lower_case_words_tagged_other():
    assert tagged_words("A person Walks, then semi-jogs 3 times.", None) == [
        (word, "OTHER") for word in ("a", "person", "walks", "then", "semijogs", "times")
    ]
    assert tagged_words("ignored", "a/DET semi/circle/NOUN bare") == [
        ("a", "DET"), ("semi/circle", "NOUN"), ("bare", "OTHER"),
    ]  # fmt: skip


def test_a_word_has_the_same_vector_in_every_hashed_vocabulary():
    other = hashed_vocabulary(["zebra", "walk"])
    np.testing.assert_array_equal(other.vectors[other.row["walk"]], VOCABULARY.vectors[VOCABULARY.row["walk"]])
    assert np.abs(other.vectors[other.row["walk"]] - other.vectors[other.row["zebra"]]).max() > 0.5


def test_a_vocabulary_without_unk_is_refused():
    with pytest.raises(ConfigError, match="unk"):
        Vocabulary({"sos": 0, "eos": 1}, np.zeros((2, 300), np.float32))
