"""Addresses of AMASS files: keys, uids that survive renames, and what is known of single subsets.

The same file is called `BioMotionLab_NTroje/rub001/0005_normal_jog1_poses` in one release and
`BMLrub/rub001/0005_normal_jog1_stageii` in another; HumanML3D's index and other annotation layers use either name.
"""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path, PurePosixPath

RENAMES: dict[str, str] = {
    "biomotionlab_ntroje": "bmlrub",
    "dfaust_67": "dfaust",
    "mpi_hdm05": "hdm05",
    "mpi_mosh": "mosh",
    "mpi_limits": "poseprior",
    "ssm_synced": "ssm",
    "tcd_handmocap": "tcdhands",
    "transitions_mocap": "transitions",
    "eyes_japan_dataset": "eyesjapandataset",
}
"""Older subset name to the newer one, both normalised."""

SUBSETS: frozenset[str] = frozenset(
    {
        "accad", "bmlhandball", "bmlmovi", "bmlrub", "cmu", "cnrs", "dancedb", "dfaust", "ekut", "eyesjapandataset",
        "grab", "hdm05", "human4d", "humaneva", "kit", "mosh", "poseprior", "sfu", "soma", "ssm", "tcdhands",
        "totalcapture", "transitions", "weizmann",
    }
)  # fmt: skip
"""Every subset of either release, under its newer name, normalised."""

LEAD_IN_S: dict[str, Fraction] = {
    "eyesjapandataset": Fraction(3),
    "hdm05": Fraction(3),
    "totalcapture": Fraction(1),
    "poseprior": Fraction(1),
    "transitions": Fraction(1, 2),
}
"""Seconds of T-pose or calibration at the start of every file of a subset, as HumanML3D drops them."""

_ENDING = re.compile(r"_(poses|stageii)$")
_SUFFIX = re.compile(r"\.np[yz]$", re.IGNORECASE)


def normalise_part(part: str) -> str:
    """One path component in the spelling of uids: lower case; spaces, dashes and parentheses become `_`."""
    return re.sub(r"[\s\-()]", "_", part.lower())


def subset_of(part: str) -> str | None:
    """The newer name of an AMASS subset that a folder is called after; None for any other name."""
    name = normalise_part(part)
    name = RENAMES.get(name, name)
    return name if name in SUBSETS else None


def key_of(path: Path, root: Path) -> str:
    """Address of a file inside AMASS, without its suffix, the same wherever the folder lies.

    From the last folder that is called after a subset; else from below the last folder called `amass`; else below the
    root. Of the root's own path only the last two names count, for a person may give one subset or one subject.
    """
    relative = path.relative_to(root)
    outside = root.resolve().parts[-2:]
    parts = (*outside, *relative.with_suffix("").parts)
    for start in range(len(parts) - 2, -1, -1):
        if subset_of(parts[start]) is not None:
            return PurePosixPath(*parts[start:]).as_posix()
    for start in range(len(parts) - 2, -1, -1):
        if normalise_part(parts[start]) == "amass":
            return PurePosixPath(*parts[start + 1 :]).as_posix()
    return relative.with_suffix("").as_posix()


def uid_of(key: str) -> str:
    """`amass/<subset>/<subject>/<file>` of a key, or of a path below an AMASS folder, in normalised spelling."""
    parts = [normalise_part(part) for part in PurePosixPath(_SUFFIX.sub("", key)).parts]
    parts[0] = RENAMES.get(parts[0], parts[0])
    parts[-1] = _ENDING.sub("", parts[-1])
    return "/".join(["amass", *parts])
