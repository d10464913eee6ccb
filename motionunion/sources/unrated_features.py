"""Feature folders in HumanML3D's layout whose makers state no frame rate: CombatMotion, and SMooDi's version of 100STYLE.

Neither the features nor anything beside them tells how fast they play, and at the wrong rate every speed is wrong. So they are
refused (`unknown_frame_rate`) until a person says it, in a file `frame_rate.toml` beside `new_joint_vecs`: `fps = 20`. The refusal
names the rate that the clip's own jumps suggest, where it has some.

At 20 frames a second the features are `hml263@20/compat` and kept bit for bit. At another rate they are not in that
representation, and joints alone are kept.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from manifests import source_manifest
from motionunion.captions import read_text
from motionunion.clip import Caption, ClipRef, RawClip, Shipped
from motionunion.errors import ClipError, SourceFormatError
from motionunion.formats.frame_rate import FASTEST_HZ, exact_rate
from motionunion.formats.npy import Array
from motionunion.formats.toml_text import parse_toml
from motionunion.frame_rate_check import free_fall_rate
from motionunion.sources.base import Claim, Folder, ReadOptions
from motionunion.sources.feature_folder import (
    caption_lines,
    caption_of,
    decoded_263,
    files_of_ids,
    ids_with_features,
    joints_beside,
    official_splits,
    read_features,
    that_are_files,
)
from motionunion.sources.smpl_joints import joints_clip

REPRESENTATION = "hml263@20/compat"
DIMS = 263
RATE_FILE = "frame_rate.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is known of an id besides its motion."""

    group: str
    labels: dict[str, str] = field(default_factory=dict)
    text: str | None = None
    """A caption made from labels, used where there is no text file."""
    takes_official_split: bool = True


class UnratedFeatures(ABC):
    """A data set of 263 features at an unknown rate, known by its ids."""

    version = 1
    suffixes: tuple[str, ...] = ()
    name: str
    pattern: re.Pattern[str]
    """Ids as this data set writes them, mirrored ones included."""
    tables: tuple[str, ...] = ()
    """Tables of this data set beside `new_joint_vecs`."""

    @abstractmethod
    def about(self, ref: ClipRef) -> About:
        """Group, labels, and whether the lists of splits are followed."""

    def is_mirrored(self, ref: ClipRef) -> bool:
        """Whether an id is that of a mirror image."""
        return ref.key.startswith("M")

    def recognise(self, folder: Folder) -> Claim | None:
        """Claim features, joints, captions, lists and the rate of one folder."""
        if not ids_with_features(folder, self.pattern, DIMS):
            return None
        files = files_of_ids(folder, self.pattern, RATE_FILE, *self.tables)
        return Claim(self.name, folder.path, tuple(sorted(files)))

    def discover(self, claim: Claim) -> Iterator[ClipRef]:
        """One clip per id with features."""
        for path in sorted(claim.files, key=lambda path: path.stem):
            if path.parent.name == "new_joint_vecs":
                yield ClipRef(
                    source=self.name, key=path.stem, uid=f"{self.name}/{path.stem.lower()}", path=path, root=claim.root,
                    size=path.stat().st_size,
                )  # fmt: skip

    def read(self, ref: ClipRef, options: ReadOptions) -> RawClip:
        """Read one id. Raises `SourceFormatError`, or `ClipError`: `unknown_frame_rate` among others."""
        features = read_features(ref.path, DIMS)
        joints, joints_path = joints_beside(ref.root, ref.key, features, 22, decoded_263)
        fps, rate_path = stated_rate(ref, joints)
        text_path = ref.root / "texts" / f"{ref.key}.txt"
        lines, faults = caption_lines(text_path, float(len(features) / fps))
        about = self.about(ref)
        captions = [caption_of(line, ref.uid, self.name) for line in lines]
        if not captions and about.text is not None:
            captions = [Caption(uid=ref.uid, text=about.text, layer="labels", generator="template")]
        return replace(
            joints_clip(ref, joints, fps, up="y", body="target"),
            group=about.group,
            official_split=official_splits(ref.root).get(ref.key) if about.takes_official_split else None,
            shipped=Shipped(representation=REPRESENTATION, features_TD=features) if fps == 20 else None,
            captions=tuple(captions),
            labels=about.labels,
            flags=("mirrored",) if self.is_mirrored(ref) else (),
            inputs=that_are_files(ref.path, joints_path, text_path, rate_path),
            faults=faults,
        )


def stated_rate(ref: ClipRef, joints: Array) -> tuple[Fraction, Path]:
    """The rate that a person wrote into `frame_rate.toml`.

    Raises:
        SourceFormatError: `bad_description`, for a file that says no rate.
        ClipError: `unknown_frame_rate`, where there is no such file.
    """
    path = ref.root / RATE_FILE
    if not path.is_file():
        shown = free_fall_rate(joints.astype(np.float64))
        hint = f" (the clip itself shows {shown.fps:.0f}, by {shown.evidence})" if shown is not None else ""
        raise ClipError(
            f"{ref.path}: the makers of {source_manifest(ref.source)['title']} state no frame rate, and one is never "
            f"guessed{hint}; write it into {RATE_FILE} beside new_joint_vecs: fps = 20",
            reason="unknown_frame_rate",
        )
    try:
        said = parse_toml(read_text(path)).get("fps")
    except ValueError as error:
        raise SourceFormatError(path, f"is no TOML ({error})", reason="bad_description") from error
    if isinstance(said, bool) or not isinstance(said, int | float) or not 0 < said <= FASTEST_HZ:
        raise SourceFormatError(path, f"says fps = {said!r}; frames per second are needed", reason="bad_description")
    return exact_rate(float(said)), path
