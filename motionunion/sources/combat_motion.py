"""CombatMotion (AnimationGPT, Liao et al. 2024): fights of game characters, in HumanML3D's layout."""

from __future__ import annotations

import re

from motionunion.clip import ClipRef
from motionunion.sources.unrated_features import About, UnratedFeatures


class CombatMotion(UnratedFeatures):
    """CMP (8,700 clips, three captions each) and CMR (14,883 clips, one chain of keywords each; CMP is a part of it).

    Assets of commercial games, retargeted from FBX to SMPL and kept as joints and 263 features; no rotations. Ids are
    `CMP008388`, or those of the game files (`DS3_029_032030`, `SKR_250_600361`), whose first part is the game and whose second the
    kind of character. The frame rate is documented nowhere.
    """

    name = "combat_motion"
    pattern = re.compile(r"M?(?:CM[PR]_?\d{4,6}|(?!M\d)[A-Z][A-Z0-9]{1,3}_?\d{3}_\d{6})")

    def about(self, ref: ClipRef) -> About:
        """Mirror twins share a side, and so do all animations of one kind of character of one game."""
        base = re.sub(r"^M(?=CM[PR])", "", ref.key)
        game = re.fullmatch(r"M?([A-Z][A-Z0-9]{1,3}?)_?(\d{3})_\d{6}", base)
        if game is None:
            return About(group=f"{self.name}/{base.lower()}", labels={"base": base})
        return About(
            group=f"{self.name}/{game[1].lower()}_{game[2]}",
            labels={"base": base, "game": game[1], "character": game[2]},
        )
