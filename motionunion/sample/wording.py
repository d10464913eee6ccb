"""Sentences with part-of-speech tokens, as HumanML3D writes them: `caption#word/POS word/POS ...#from#to`.

Scripts are plain words. A word has one reading unless the script says otherwise (`turn/NOUN`). Tokens carry the lemma of
nouns and verbs, except of `left`, and leave punctuation out (motion-representations, HumanML3D text rules); the tags are
the universal ones of spaCy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# word or word=lemma, per tag. The first reading of a word is its default.
_TAGGED = {
    "VERB": """walks=walk jogs=jog runs=run goes=go marches=march sneaks=sneak creeps=creep steps=step turns=turn
        spins=spin jumps=jump leaps=leap hops=hop waves=wave squats=squat lowers=lower kicks=kick sits=sit
        stands=stand gets=get rises=rise punches=punch throws=throw tosses=toss bends=bend picks=pick
        raises=raise lifts=lift bows=bow balances=balance performs=perform does=do raising=raise lifting=lift
        stretched=stretch takes=take shuffles=shuffle hunched=hunch holds=hold holding=hold backs=back boxes=box
        claps=clap stays=stay""",
    "NOUN": """person man woman figure human someone=someone hand hands=hand arm arms=arm leg foot feet=foot knees=knee
        side circle head chest times=time degrees=degree place air chair seat floor ground ball object
        something=something front jacks=jack waist hips=hip shoulder height pace line body fist zombie way""",
    "DET": "a an the his her their both all",
    "ADP": "in at to on with of from like by over above out around for up down onto behind",
    "ADV": """forward backward backwards slowly quickly fast briskly then again once twice straight clockwise
        counterclockwise sideways very slightly deeply high low still""",
    "ADJ": "left right normal small deep steady full",
    "CCONJ": "and",
    "AUX": "is",
    "NUM": "two three four 90 180 360",
    "PRON": "he she",
}
SUBJECTS = ("a person", "a man", "a woman", "the person", "someone", "a figure", "the man", "a human", "he", "she")
_POSSESSIVE = {"a man": "his", "the man": "his", "he": "his", "a woman": "her", "she": "her"}


def _lexicon() -> dict[str, tuple[str, str]]:
    words: dict[str, tuple[str, str]] = {}
    for tag, listed in _TAGGED.items():
        for item in listed.split():
            word, _, lemma = item.partition("=")
            words.setdefault(word, (lemma or word, tag))
    return words


LEXICON = _lexicon()
# Lemmas of words that only scripts with tags use.
_LEMMAS = {
    "walking": "walk", "curves": "curve", "makes": "make", "sways": "sway", "swaying": "sway", "stumbles": "stumble",
    "staggers": "stagger", "crouching": "crouch", "sitting": "sit", "using": "use", "jumping": "jump",
    "punches": "punch", "turns": "turn",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sentence:
    """A caption and its tokens, both without `#`."""

    text: str
    tokens: str

    def line(self, start_s: float = 0.0, end_s: float = 0.0) -> str:
        """The caption as a line of a HumanML3D text file; 0.0 and 0.0 mean the whole clip."""
        return f"{self.text}#{self.tokens}#{start_s}#{end_s}"


def parse(script: str) -> Sentence:
    """Turn a script into a sentence. `KeyError` for a word that is neither known nor tagged: our own mistake."""
    words, tokens = [], []
    for item in script.split():
        end = item[-1] if item[-1] in ".," else ""
        word, _, tag = item.removesuffix(end).partition("/")
        words.append(word + end)
        if not word.isalpha():  # as the published tokeniser drops what is not alphabetic
            continue
        usual = tag or LEXICON[word][1]
        tokens.append(f"{_lemma(word, usual)}/{usual}")
    return Sentence(" ".join(words), " ".join(tokens))


def _lemma(word: str, tag: str) -> str:
    if tag not in {"NOUN", "VERB"} or word == "left":
        return word
    return _LEMMAS.get(word) or LEXICON.get(word, (word, tag))[0]


def describe(phrases: list[list[str]], rng: np.random.Generator, count: int = 3) -> list[Sentence]:
    """Write `count` different captions. `phrases` holds, per action in order, its alternative verb phrases.

    `{their}` in a phrase becomes the possessive of the subject.
    """
    orders = [rng.permutation(len(choices)) for choices in phrases]
    subjects = rng.permutation(len(SUBJECTS))
    sentences = []
    for number in range(count):
        subject = SUBJECTS[subjects[number % len(SUBJECTS)]]
        parts = [choices[order[number % len(choices)]] for choices, order in zip(phrases, orders, strict=True)]
        joint = (" then ", " and then ", ", then ")[int(rng.integers(3))]
        script = f"{subject} {joint.join(parts)}".replace(" ,", ",")
        script = " ".join(script.replace("{their}", _POSSESSIVE.get(subject, "their")).split())
        sentences.append(parse(script + ("." if rng.random() < 0.4 else "")))
    return sentences
