from __future__ import annotations

import re
from dataclasses import replace

import pytest

from scamo.evaluation.comparability import reasons_against, title, usability
from scamo.evaluation.protocol import Item
from scamo.evaluation.scoring import Row

REAL = Row(
    name="real", items=4640, r_precision=(0.511, 0.703, 0.797), fid=0.002, matching_score=2.974, diversity=9.503,
    diversity_pairs=300, missing={},
)  # fmt: skip
ITEM = Item(item_id="0", name="0", group="0", start=0, rows=60, body="target", shipped=True, captions=())
GOOD = {
    "official": True, "official_items": True, "representation": "hml263@20/compat", "items": [ITEM] * 4646,
    "template_training": 0, "untagged": 0, "real": REAL,
}  # fmt: skip


def test_a_full_pass_of_the_published_evaluator_is_comparable():
    assert reasons_against(**GOOD) == []
    assert usability(True, REAL) is None
    assert title([], None) == "scamo eval humanml3d - official evaluator and test set, one replication"
    for count in (4640, 4671):
        assert reasons_against(**GOOD | {"items": [ITEM] * count}) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"official": False}, "stand-in evaluator"),
        ({"official_items": False}, "not HumanML3D's test set"),
        ({"representation": "hml263@20"}, "not hml263@20/compat"),
        ({"items": [ITEM] * 4639}, "4,639 of HumanML3D's test items"),
        ({"items": [ITEM] * 4672}, "4,672 of HumanML3D's test items"),
        ({"items": [ITEM] * 4645 + [replace(ITEM, body="template")]}, "1 of 4,646 motions are on the template body"),
        ({"template_training": 1200}, "trained on 1,200 windows on the template body"),
        ({"untagged": 3}, "3 of 4,640 captions have no part-of-speech tokens"),
        ({"real": replace(REAL, r_precision=(0.504, 0.703, 0.797))}, r"the real row is off \(R@1 0.504"),
        ({"real": replace(REAL, r_precision=(0.511, 0.703, 0.803))}, r"the real row is off \(R@3 0.803"),
        ({"real": replace(REAL, matching_score=3.1)}, r"the real row is off \(matching score 3.100"),
        ({"real": replace(REAL, diversity=9.2)}, r"the real row is off \(diversity 9.200"),
        ({"real": replace(REAL, fid=0.005)}, r"the real row is off \(FID 0.005"),
        ({"real": replace(REAL, r_precision=None)}, r"the real row is off"),
    ],
)
def test_each_reason_against_a_comparison_is_said_alone_and_in_the_title(change, words):
    reasons = reasons_against(**GOOD | change)
    assert len(reasons) == 1
    assert re.search(words, reasons[0])
    assert f"NOT comparable with published numbers: {reasons[0]}" in title(reasons, None)


def test_all_reasons_stand_in_the_title():
    given = GOOD | {"official": False, "official_items": False, "untagged": 4640}
    assert title(reasons_against(**given), None).count(";") == 2


def test_a_stand_in_must_beat_chance_by_five_sigma_of_a_binomial():
    # 64 queries: chance 6 hits at 3, sigma sqrt(64 * 3/32 * 29/32) = 2.33; five sigma is 17.66 hits.
    def with_hits(hits: int) -> Row:
        return replace(REAL, items=64, r_precision=(0.0, 0.0, hits / 64))

    assert usability(False, with_hits(18)) is None
    assert "R@3 lies 4.7 sigma above 3/32" in (usability(False, with_hits(17)) or "")
    assert "UNUSABLE evaluator" in title([], usability(False, with_hits(6)))
    nothing = replace(REAL, items=20, r_precision=None, missing={"r_precision": "a pool needs 32 items, there are 20"})
    assert "too few items" in (usability(False, nothing) or "")
