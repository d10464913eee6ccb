"""Arrays of joint positions of any origin, and a TOML file beside them that says what they mean.

Nothing in an array tells its frame rate, its axes or the order of its joints, and none of it is guessed: a description
(`motionunion.sources.array_description`) says so for the files below it. `.npy`, `.npz`, HDF5 and JSON files of one motion or
many, of one person or several. People of one array share group and world; `recording` and `person` label them.

Keys are `<name of the description>/<path below it>`, then `#array` where a file holds several motions, then `#P1` for people.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from motionunion.clip import ClipRef, RawClip
from motionunion.errors import ClipError, SourceFormatError
from motionunion.formats.frame_rate import exact_rate
from motionunion.formats.hdf5 import SUFFIXES as HDF5
from motionunion.formats.hdf5 import hdf5_heads, read_hdf5, read_hdf5_attribute
from motionunion.formats.npy import Array, npy_head, read_npy
from motionunion.formats.npz import member_heads, read_npz
from motionunion.skeleton import Skeleton
from motionunion.sources.array_description import SUFFIXES, ArrayDescription, is_description, read_description
from motionunion.sources.base import Claim, Folder, ReadOptions

MAX_JSON_BYTES = 64 << 20
_SMPL_FAMILY = (22, 24, 52, 55)  # SMPL, SMPL-H and SMPL-X joints begin with the same 22


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
        values = _values(place.path, place.array)
        joints = _ordered(values, description, place)
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
    shapes = _shapes(file, file.stat().st_mtime_ns, description.array)
    several = _several(description)
    for array, shape in shapes.items():
        name = f"{key}#{array}" if several else key
        people = 1
        if "people" in description.order and len(shape) == len(description.order):
            people = shape[description.order.index("people")]
        if "people" not in description.order:
            yield _Place(name, file, array, None)
        else:
            yield from (_Place(f"{name}#P{person + 1}", file, array, person) for person in range(people))


@lru_cache(maxsize=4096)
def _shapes(file: Path, _changed_ns: int, array: str | None) -> dict[str | None, tuple[int, ...]]:
    """Shape of every array of a file that holds motion, by its name."""
    suffix = file.suffix.lower()
    if suffix == ".npy":
        return {None: npy_head(file).shape}
    if array is None and suffix == ".npz":
        heads = member_heads(file)
        if len(heads) != 1:
            raise _unnamed(file, heads)
        return {name: head.shape for name, head in heads.items()}
    if array is None:
        raise _unnamed(file, {})
    if suffix == ".json":
        return {array: _json_array(file, array).shape}
    heads = hdf5_heads(file) if suffix in HDF5 else member_heads(file)
    found: dict[str | None, tuple[int, ...]]
    found = {name: head.shape for name, head in heads.items() if fnmatchcase(name, array)}
    if not found:
        raise SourceFormatError(file, f"has no array {array!r}; it holds {', '.join(list(heads)[:5])}",
                                reason="missing_array")  # fmt: skip
    return found


def _unnamed(file: Path, heads: Mapping[str, Any]) -> SourceFormatError:
    there = f" (of {', '.join(list(heads)[:5])})" if heads else ""
    return SourceFormatError(
        file,
        f"the description does not say which array{there} holds the positions: array = ...",
        reason="missing_array",
    )


def _values(file: Path, array: str | None) -> Array:
    suffix = file.suffix.lower()
    if suffix == ".npy":
        return read_npy(file)
    if array is None:
        (array,) = _shapes(file, file.stat().st_mtime_ns, None)
        assert array is not None
    if suffix == ".json":
        return _json_array(file, array)
    return read_hdf5(file, array) if suffix in HDF5 else read_npz(file, (array,))[array]


def _ordered(values: Array, description: ArrayDescription, place: _Place) -> Array:
    """One person's joints (T, J, 3) from an array as it stands."""
    order, file = description.order, place.path
    if values.ndim != len(order) or values.dtype.kind not in "fiu":
        raise SourceFormatError(
            file, f"has shape {values.shape} of {values.dtype}; the description says axes {' '.join(order)}",
            reason="bad_shape",
        )  # fmt: skip
    values = values.transpose(
        [order.index(axis) for axis in ("frames", "people", "joints", "joints_xyz", "xyz") if axis in order]
    )
    if "people" in order:
        if place.person is None or place.person >= values.shape[1]:
            raise SourceFormatError(file, f"has {values.shape[1]} people, and none for {place.key}", reason="bad_shape")
        values = values[:, place.person]
    if "joints_xyz" in order:
        if values.shape[1] % 3:
            raise SourceFormatError(
                file, f"has {values.shape[1]} numbers a frame, no multiple of 3", reason="bad_shape"
            )
        values = values.reshape(len(values), -1, 3)
    wanted = _SMPL_FAMILY if description.joint_map is None else (len(description.joints),)
    if values.shape[1] not in wanted or values.shape[2] != 3:
        raise SourceFormatError(
            file, f"has {values.shape[1]} joints of {values.shape[2]} numbers; {description.skeleton_id} has "
            f"{' or '.join(map(str, wanted))} of 3", reason="bad_shape",
        )  # fmt: skip
    return values[:, : len(description.joints)]


def _rate(place: _Place, description: ArrayDescription) -> Fraction:
    """Frames per second, from the description or from the file."""
    rate = description.rate
    if rate.fps is not None:
        return rate.fps
    assert rate.place is not None
    where = rate.place
    if "*" in where and place.array is not None:  # the groups of a file, each with a rate of its own
        where = where.replace("*", place.array.partition("/")[0], 1)
    value = float(_number(place.path, where))
    if not math.isfinite(value) or value <= 0:
        raise ClipError(f"{place.path}: {where} is {value}, which is no rate", reason="no_frame_rate")
    return exact_rate(1 / value if rate.inverse else value)


def _number(file: Path, where: str) -> float:
    owner, at, attribute = where.partition("@")
    if at and file.suffix.lower() not in HDF5:
        raise SourceFormatError(file, f"has no attributes ({where!r}), HDF5 files have", reason="missing_array")
    try:
        value = np.asarray(read_hdf5_attribute(file, owner, attribute) if at else _values(file, where))
        return float(value.reshape(-1)[0])
    except (IndexError, TypeError, ValueError) as error:
        raise SourceFormatError(file, f"{where!r} is no number", reason="no_frame_rate") from error


def _json_array(file: Path, place: str) -> Array:
    """Numbers in a JSON file, by keys joined with `/`."""
    size = file.stat().st_size
    if size > MAX_JSON_BYTES:
        raise SourceFormatError(
            file, f"has {size:,} bytes; {MAX_JSON_BYTES:,} are the most we read", reason="too_large"
        )
    try:
        found: Any = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SourceFormatError(file, f"cannot be read ({error.strerror or error})", reason="unreadable") from error
    except (ValueError, RecursionError) as error:
        raise SourceFormatError(file, f"is no JSON ({error})", reason="bad_json") from error
    for key in place.split("/"):
        if not isinstance(found, dict) or key not in found:
            raise SourceFormatError(file, f"has no {place!r}", reason="missing_array")
        found = found[key]
    try:
        return np.asarray(found, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:  # the last: integers that no float holds
        raise SourceFormatError(file, f"{place!r} is no array of numbers ({error})", reason="bad_dtype") from error


def _no_parents(description: ArrayDescription) -> tuple[int, ...]:
    """Joints without rotations hang on nothing that anybody asks for: all but the first hang on the first."""
    return (-1, *(0 for _ in description.joints[1:]))


def _group(description: ArrayDescription, recording: str, source: str) -> str:
    """What shares a side of every split: what the description's pattern finds in the key, else one recording."""
    found = description.group.search(recording) if description.group is not None else None
    if found is None:
        return f"{source}/{recording.lower()}"
    return f"{source}/{description.name}/{(found.group(1) if found.groups() else found.group()).lower()}"
