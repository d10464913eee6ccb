"""100STYLE as SMooDi published it: cuts of its takes on SMPL joints, as 263 features with captions."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from manifests import source_manifest
from motionunion.captions import read_text
from motionunion.clip import ClipRef
from motionunion.errors import SourceFormatError
from motionunion.sources.unrated_features import About, UnratedFeatures

NAMES = "100STYLE_name_dict.txt"
_LINE = re.compile(r"(M?\d{6})\s+((?P<style>[A-Za-z]+)_(?P<content>[A-Z]+\d?)_\d+)\.bvh\s+\d+")


class Smoodi(UnratedFeatures):
    """SMooDi (Zhong et al. 2024, arXiv:2407.12783): 16,073 clips cut from 806 takes of 100STYLE, and their mirrors.

    Retargeted with Rokoko and made into features with HumanML3D's notebooks, at a rate that is not documented. Ids 030001 and
    above; `100STYLE_name_dict.txt`, beside the features or one folder up, says which take each was cut from. The published
    split has every test clip's take in train too, so it is not followed: all cuts of a take share its side.
    """

    name = "smoodi_100style"
    pattern = re.compile(r"M?0(?:3[0-9]|4[0-6])\d{3}")
    tables = (NAMES,)

    def about(self, ref: ClipRef) -> About:
        """Style and content of the take that an id was cut from."""
        for path in (ref.root / NAMES, ref.root.parent / NAMES):
            if path.is_file():
                take = _takes(path, path.stat().st_mtime_ns).get(ref.key)
                break
        else:
            raise SourceFormatError(
                ref.root / NAMES, "is missing: it says which take an id was cut from, without which cuts of one take would lie "
                "on both sides of a split; it is in SMooDi's repository (datasets/)", reason="missing_table",
            )  # fmt: skip
        if take is None:
            raise SourceFormatError(path, f"has no line for {ref.key}", reason="bad_index")
        style, content = take
        words = source_manifest("100style")["caption"]
        manner = words["style"].get(style, f"in the style {re.sub(r'(?<=[a-z])(?=[A-Z])', ' ', style).lower()}")
        text = f"a person {words['content'][content]} {manner}" if content in words["content"] else None
        return About(
            group=f"100style/{style.lower()}_{content.lower()}",
            labels={"style": style, "content": content, "base": ref.key.removeprefix("M")},
            text=text,
            takes_official_split=False,
        )


@lru_cache(maxsize=4)
def _takes(path: Path, _changed_ns: int) -> dict[str, tuple[str, str]]:
    found = (_LINE.fullmatch(line.strip()) for line in read_text(path).splitlines())
    return {line[1]: (line["style"], line["content"]) for line in found if line is not None}
