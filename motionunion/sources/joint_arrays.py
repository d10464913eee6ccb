"""Arrays of joint positions of any origin, and a TOML file beside them that says what they mean.

Nothing in an array tells its frame rate, its axes or the order of its joints, and none of it is guessed: a description
(`motionunion.sources.array_description`) says so for the files below it. `.npy`, `.npz`, HDF5 and JSON files of one motion or
many, of one person or several. People of one array share group and world; `recording` and `person` label them.

Keys are `<name of the description>/<path below it>`, then `#array` where a file holds several motions, then `#P1` for people.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np

from motionunion.clip import ClipRef, RawClip
from motionunion.errors import ClipError, SourceFormatError
from motionunion.formats.frame_rate import exact_rate
from motionunion.skeleton import Skeleton
from motionunion.sources.array_description import SUFFIXES, ArrayDescription, is_description, read_description
from motionunion.sources.array_values import array_shapes, array_values, number_at, person_joints
from motionunion.sources.base import Claim, Folder, ReadOptions

MOST_PEOPLE = 100
"""More are not told apart: a header that says so has its axes in another order, or lies."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where one motion is: key, file, array in it, and which person (None = the only one)."""

    key: str
    path: Path
    array: str | None
    person: int | None


class JointArrays:
    """Reader of what a description describes."""

    name = "joint_arrays"
    version = 1
    suffixes: tuple[str, ...] = ()

    def recognise(self, folder: Folder) -> Claim | None:
        """Claim descriptions (TOML files with a table `[arrays]`) and the files that they name."""
        files: set[Path] = set()
        for name in folder.with_suffix(".toml"):
            if is_description(folder.head(name, 1 << 16)):
                path = folder.path / name
                files.add(path)
                described = _described(path)
                if not isinstance(described, SourceFormatError):
                    for motion in _files(path, described):
                        files |= (
                            {motion, motion.with_suffix(".txt")} if motion.with_suffix(".txt").is_file() else {motion}
                        )
        return Claim(self.name, folder.path, tuple(sorted(files))) if files else None

    def discover(self, claim: Claim) -> Iterator[ClipRef]:
        """One clip per motion and person; one that will be refused per description or file that cannot be read."""
        refs: dict[str, ClipRef] = {}
        for path in claim.files:
            if path.suffix.lower() != ".toml":
                continue
            described = _described(path)
            if isinstance(described, SourceFormatError):
                places = [_Place(path.name, path, None, None)]
            else:
                places = [place for found in _places(path, described).values() for place in found]
            for place in places:
                refs[place.key] = ClipRef(
                    source=self.name, key=place.key, uid=f"{self.name}/{place.key.lower()}", path=place.path,
                    root=claim.root, size=place.path.stat().st_size // len(places),
                )  # fmt: skip
        yield from (refs[key] for key in sorted(refs))

    def read(self, ref: ClipRef, options: ReadOptions) -> RawClip:
        """Read one motion. Raises `SourceFormatError` or `ClipError`."""
        if ref.path.suffix.lower() == ".toml":
            read_description(ref.path)
            raise SourceFormatError(ref.path, "changed while it was read", reason="bad_description")
        path, description = _description_of(ref)
        place = _place_of(ref, path, description)
        joints = person_joints(array_values(place.path, place.array), description, place.path, place.person)
        recording = ref.key.partition("#P")[0] if place.person is not None else ref.key
        labels = {} if place.person is None else {"recording": recording, "person": f"P{place.person + 1}"}
        return RawClip(
            ref=ref,
            fps=_rate(place, description),
            up=description.up,
            unit_m=description.unit_m,
            skeleton=Skeleton(description.joints, _no_parents(description), np.zeros((len(description.joints), 3))),
            skeleton_id=description.skeleton_id,
            joint_map=description.joint_map,
            body="own",
            joints_TJ3=joints,
            reflected=description.left_handed,
            group=_group(description, recording, self.name),
            labels=labels,
            licence=description.licence,
            inputs=(ref.path, path),
        )


def _described(path: Path) -> ArrayDescription | SourceFormatError:
    """A description, or what is wrong with it."""
    try:
        return _read_description(path, path.stat().st_mtime_ns)
    except SourceFormatError as error:
        return error


@lru_cache(maxsize=64)
def _read_description(path: Path, _changed_ns: int) -> ArrayDescription:
    return read_description(path)


def _description_of(ref: ClipRef) -> tuple[Path, ArrayDescription]:
    """The description beside which a key was made: the one of that name in the root."""
    name = ref.key.partition("/")[0]
    for path in sorted(ref.root.glob("*.toml")):
        if is_description(path.read_bytes()):
            described = _described(path)
            if not isinstance(described, SourceFormatError) and described.name == name:
                return path, described
    raise SourceFormatError(ref.path, f"has lost its description (name = {name!r})", reason="bad_description")


def _files(path: Path, description: ArrayDescription) -> list[Path]:
    """Motion files of a description, sorted; hidden ones left out."""
    found = {
        file
        for pattern in description.files
        for file in path.parent.glob(pattern)
        if file.suffix.lower() in SUFFIXES and file.is_file()
    }
    return sorted(f for f in found if not any(part.startswith(".") for part in f.relative_to(path.parent).parts))


def _places(path: Path, description: ArrayDescription) -> dict[Path, list[_Place]]:
    """The motions of a description by file. A file that cannot be opened counts as one: reading it says what is wrong."""
    files = _files(path, description)
    stems = Counter(file.with_suffix("") for file in files)
    found: dict[Path, list[_Place]] = {}
    for file in files:
        key = _key(path, file, description, alone=stems[file.with_suffix("")] == 1)
        try:
            found[file] = list(_in_file(file, key, description))
        except SourceFormatError:
            found[file] = [_Place(key, file, description.array, None)]
    return found


def _key(path: Path, file: Path, description: ArrayDescription, *, alone: bool) -> str:
    """Key of a file: without its suffix, where no other motion file is called as it is but for that."""
    relative = file.relative_to(path.parent)
    return f"{description.name}/{(relative.with_suffix('') if alone else relative).as_posix()}"


def _place_of(ref: ClipRef, path: Path, description: ArrayDescription) -> _Place:
    """What a key addresses, told by the key alone: a file may hold many thousands of motions."""
    stems = (_key(path, ref.path, description, alone=alone) for alone in (False, True))
    stem = next((stem for stem in stems if ref.key == stem or ref.key.startswith(f"{stem}#")), None)
    if stem is None:
        raise SourceFormatError(ref.path, f"is not what {ref.key} was", reason="missing_array")
    array, person = ref.key[len(stem) + 1 :], None
    if "people" in description.order:
        array, _, number = array.rpartition("P")
        array, person = array.removesuffix("#"), int(number) - 1 if number.isdecimal() else None
    return _Place(ref.key, ref.path, array if _several(description) else description.array, person)


def _several(description: ArrayDescription) -> bool:
    """Whether a file may hold several motions, which are told apart by the names of their arrays."""
    return description.array is not None and "*" in description.array


def _in_file(file: Path, key: str, description: ArrayDescription) -> Iterator[_Place]:
    """The motions of one file: told by its heads alone, and where there can be one only, not even by these."""
    named = file.suffix.lower() == ".npy" or (description.array is not None and not _several(description))
    if named and "people" not in description.order:
        yield _Place(key, file, description.array, None)
        return
    for array, shape in array_shapes(file, description.array).items():
        name = f"{key}#{array}" if _several(description) else key
        if "people" not in description.order:
            yield _Place(name, file, array, None)
            continue
        people = shape[description.order.index("people")] if len(shape) == len(description.order) else 0
        if 0 < people <= MOST_PEOPLE:
            yield from (_Place(f"{name}#P{person + 1}", file, array, person) for person in range(people))
        else:
            yield _Place(name, file, array, None)  # reading it says that this is no crowd


def _rate(place: _Place, description: ArrayDescription) -> Fraction:
    """Frames per second, from the description or from the file."""
    rate = description.rate
    if rate.fps is not None:
        return rate.fps
    assert rate.place is not None
    where = rate.place
    if "*" in where and place.array is not None:  # the groups of a file, each with a rate of its own
        where = where.replace("*", place.array.partition("/")[0], 1)
    value = number_at(place.path, where)
    if not math.isfinite(value) or value <= 0:
        raise ClipError(f"{place.path}: {where} is {value}, which is no rate", reason="no_frame_rate")
    return exact_rate(1 / value if rate.inverse else value)


def _no_parents(description: ArrayDescription) -> tuple[int, ...]:
    """Joints without rotations hang on nothing that anybody asks for: all but the first hang on the first."""
    return (-1, *(0 for _ in description.joints[1:]))


def _group(description: ArrayDescription, recording: str, source: str) -> str:
    """What shares a side of every split: what the description's pattern finds in the key, else one recording."""
    found = description.group.search(recording) if description.group is not None else None
    if found is None:
        return f"{source}/{recording.lower()}"
    return f"{source}/{description.name}/{(found.group(1) if found.groups() else found.group()).lower()}"
