from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from motionunion.errors import ConfigError
from motionunion.representations import decode, encode
from motionunion.representations import hml263_layout as layout
from motionunion.skeleton import SMPL22_MIRROR_PAIRS, SMPL22_PARENTS
from tokenizer.mirror import mirror_of

ID = "hml263@20/compat"
SWAP = list(range(22))
for left, right in SMPL22_MIRROR_PAIRS:
    SWAP[left], SWAP[right] = right, left


def mirrored_joints(joints: np.ndarray) -> np.ndarray:
    return joints[:, SWAP] * np.array([-1, 1, 1])


def test_mirroring_twice_changes_nothing() -> None:
    features = np.random.default_rng(0).normal(size=(9, 263)).astype(np.float32)
    mirror = mirror_of(ID)
    assert not np.array_equal(mirror(features), features)
    assert np.array_equal(mirror(mirror(features)), features)


def test_mirrored_features_decode_to_mirrored_joints(make_features, tmp_path: Path) -> None:
    features = np.asarray(make_features(tmp_path, [(60, "train")]).values)
    joints, image = decode(features, ID), decode(mirror_of(ID)(features), ID)
    np.testing.assert_allclose(image, mirrored_joints(joints), atol=1e-5)


def test_encoding_mirrored_joints_gives_mirrored_features() -> None:
    """The encoder is the oracle, which measures turned joints anew."""
    random = np.random.default_rng(3)
    time = np.arange(120)[:, None, None] / 20
    rest = np.zeros((22, 3))
    for joint, parent in enumerate(SMPL22_PARENTS[1:], start=1):
        rest[joint] = rest[parent] + layout.TARGET_OFFSETS_22x3[joint]
    sway = 0.05 * np.sin(2 * np.pi * (time * random.uniform(0.2, 0.8, (1, 22, 3)) + random.uniform(size=(1, 22, 3))))
    moving = rest + sway + np.array([0.3, 0, 1.0]) * time
    features, image = encode(moving, ID, fps=20), encode(mirrored_joints(moving), ID, fps=20)
    expected = mirror_of(ID)(features)
    # Bones of the target skeleton differ between the sides by up to 1.1 cm, which shifts every column a little; a
    # column from a wrong place or with a wrong sign would be off by its own size or more.
    off = np.sqrt(np.square(image - expected).mean(axis=0))
    size = np.sqrt(np.square(expected).mean(axis=0))
    assert (off[: layout.CONTACTS.start] < 0.02 + 0.15 * size[: layout.CONTACTS.start]).all()
    large = size > 0.06
    large[layout.CONTACTS] = False  # whether a foot is planted turns on a hair
    assert large.sum() > 150
    assert (off[large] < 0.5 * size[large]).all()


def test_contacts_change_sides() -> None:
    features = np.zeros((1, 263), dtype=np.float32)
    features[0, layout.CONTACTS] = (1, 2, 3, 4)
    assert mirror_of(ID)(features)[0, layout.CONTACTS].tolist() == [3, 4, 1, 2]


def test_a_representation_without_a_mirror_is_refused() -> None:
    with pytest.raises(ConfigError, match="no mirror image"):
        mirror_of("ms272@30")
