"""Captions and tokens follow HumanML3D's text rules."""

from __future__ import annotations

import re

import numpy as np
import pytest

from motionunion.sample.wording import LEXICON, describe, parse

# The universal tags, https://universaldependencies.org/u/pos/
UNIVERSAL = set("ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X".split())  # noqa: SIM905


def test_nouns_and_verbs_are_lemmatised_and_left_is_not():
    assert parse("the man raises both hands to the left/NOUN").tokens == (
        "the/DET man/NOUN raise/VERB both/DET hand/NOUN to/ADP the/DET left/NOUN"
    )


def test_punctuation_stays_in_the_text_and_out_of_the_tokens():
    sentence = parse("a person walks ahead/ADV, crouching/VERB low.")
    assert sentence.text == "a person walks ahead, crouching low."
    assert sentence.tokens == "a/DET person/NOUN walk/VERB ahead/ADV crouch/VERB low/ADV"


def test_numbers_in_digits_are_no_tokens():
    assert parse("turns 90 degrees").tokens == "turn/VERB degree/NOUN"


def test_an_unknown_word_is_an_error():
    with pytest.raises(KeyError):
        parse("a person gleeps")


def test_every_word_of_the_lexicon_has_a_universal_tag():
    assert {tag for _, tag in LEXICON.values()} <= UNIVERSAL


def test_every_caption_of_every_action_has_four_fields_and_word_slash_tag_tokens(shown):
    for clip in shown:
        for part in clip.take.parts:
            for caption in part.captions:
                fields = caption.line().split("#")
                assert len(fields) == 4
                assert fields[2:] == ["0.0", "0.0"]
                tokens = fields[1].split(" ")
                assert all(re.fullmatch(r"[a-z]+/[A-Z]+", token) for token in tokens), fields[1]
                assert {token.split("/")[1] for token in tokens} <= UNIVERSAL
                said = [word for word in re.findall(r"[^\s.,]+", fields[0]) if word.isalpha()]
                assert len(said) == len(tokens), caption


def test_possessives_agree_with_the_subject():
    rng = np.random.default_rng(0)
    for _ in range(60):
        for sentence in describe([["waves {their} left hand"]], rng):
            subject = sentence.text.split(" waves ")[0]
            expected = {"a woman": "her", "she": "her", "a man": "his", "he": "his", "the man": "his"}.get(
                subject, "their"
            )
            assert f" {expected} " in sentence.text


def test_two_actions_are_joined_by_then():
    for sentence in describe([["walks forward"], ["jumps"]], np.random.default_rng(1)):
        assert re.search(r"walks forward(,| and|) then jumps", sentence.text)
