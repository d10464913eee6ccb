"""`docs/skeletons.md`: the map that it shows is one."""

from __future__ import annotations

import re
import textwrap
import tomllib
from pathlib import Path

import numpy as np

from motionunion.joint_map_form import parse_joint_map
from motionunion.skeleton import SMPL22_NAMES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "skeletons.md"


def test_the_map_of_the_page_is_read() -> None:
    blocks = re.findall(r"(?:^    .*\n|^\n)+", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    text = next(textwrap.dedent(block) for block in blocks if "[joints]" in block)
    shown = parse_joint_map(tomllib.loads(text), "studio", "docs/skeletons.md")
    assert (shown.up, shown.unit_m, shown.added_frames, shown.ends) == ("z", 0.01, 1, ("LFoot", "RFoot"))
    masked = [name for name, kept in zip(SMPL22_NAMES, shown.joint_mask, strict=True) if not kept]
    assert masked == ["spine2", "left_collar", "right_collar"]
    np.testing.assert_allclose(shown.position_weights(shown.names[0]).sum(axis=1), 1)
