"""Damage to the files of a folder: what disks, copies and people do to data sets, and what another release would change.

Beside bytes (`mutation`), whole files are cut, emptied, lost, exchanged, doubled, put in another's place or replaced by folders; and
arrays, which checksums and headers keep from most damage, are taken apart and written anew with names, shapes, types or values
changed. Pickles here are those that the tests wrote.
"""

from __future__ import annotations

import io
import pickle
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.fuzz.mutation import mutate

Array = npt.NDArray[Any]

_WINDOW = 64 << 10
_NUMBERS = (0.0, -1.0, float("nan"), float("inf"), 1e300, 1e9, 1e-9, -0.0)


def damage(root: Path, source: random.Random) -> tuple[str, frozenset[str]]:
    """Damage a tree in one to three ways.

    Returns:
        What was done, and the files that are not what they were or where they were, relative to the tree.
    """
    done: list[str] = []
    files: set[str] = set()
    for _ in range(source.choice((1, 1, 1, 2, 3))):
        there = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
        if not there:
            break
        path = source.choice(there)
        kind = source.choice(_KINDS)
        touched = kind(path, there, source)
        files |= {one.relative_to(root).as_posix() for one in touched}
        done.append(f"{kind.__name__.strip('_')} {path.relative_to(root).as_posix()}")
    return ", ".join(done), frozenset(files)


def _bytes(path: Path, there: list[Path], source: random.Random) -> list[Path]:
    """Bytes flipped, lost or put in, in one window of the file."""
    data = path.read_bytes()
    start = source.randrange(max(len(data) - _WINDOW, 0) + 1)
    window = data[start : start + _WINDOW]
    path.write_bytes(data[:start] + mutate(window, [window], source) + data[start + _WINDOW :])
    return [path]


def _cut(path: Path, there: list[Path], source: random.Random) -> list[Path]:
    data = path.read_bytes()
    path.write_bytes(
        data[: source.choice((0, 1, len(data) // 2, max(len(data) - 1, 0), source.randrange(len(data) + 1)))]
    )
    return [path]


def _lost(path: Path, there: list[Path], source: random.Random) -> list[Path]:
    path.unlink()
    return [path]


def _exchanged(path: Path, there: list[Path], source: random.Random) -> list[Path]:
    other = _like(path, there, source)
    one, two = path.read_bytes(), other.read_bytes()
    path.write_bytes(two)
    other.write_bytes(one)
    return [path, other]


def _replaced(path: Path, there: list[Path], source: random.Random) -> list[Path]:
    other = _like(path, there, source)
    if other != path:
        shutil.copyfile(other, path)
    return [path]


def _doubled(path: Path, there: list[Path], source: random.Random) -> list[Path]:
    names = (f"{path.stem} (1){path.suffix}", f"copy/{path.name}", path.name.upper(), f"{path.name}.bak")
    other = path.parent / source.choice(names)
    if other.exists() or other.parent.is_file():
        return []
    other.parent.mkdir(exist_ok=True)
    shutil.copyfile(path, other)
    return [path, other]


def _a_folder(path: Path, there: list[Path], source: random.Random) -> list[Path]:
    path.unlink()
    path.mkdir()
    return [path]


def _a_link(path: Path, there: list[Path], source: random.Random) -> list[Path]:
    """To itself, to nothing, or to where it lies."""
    path.unlink()
    path.symlink_to(source.choice((path.name, "nothing", ".", "..")))
    return [path]


def _like(path: Path, there: list[Path], source: random.Random) -> Path:
    """Mostly another file of the same ending."""
    alike = [other for other in there if other.suffix == path.suffix and other != path]
    return source.choice(alike if alike and source.random() < 0.8 else there)


def _arrays(path: Path, there: list[Path], source: random.Random) -> list[Path]:
    """Arrays of a file written anew with something changed; the bytes of a file without any."""
    change = _WRITERS.get(path.suffix.lower())
    try:
        if change is None:
            return _bytes(path, there, source)
        change(path, source)
    except Exception:  # noqa: BLE001 - damaged before: whatever the reason, the bytes are all there is to damage
        return _bytes(path, there, source)
    return [path]


def _npz(path: Path, source: random.Random) -> None:
    with np.load(path, allow_pickle=True) as archive:
        values = {name: archive[name] for name in archive.files}
    _change(values, source)
    np.savez(path, **values)


def _npy(path: Path, source: random.Random) -> None:
    values = {"": np.load(path, allow_pickle=True)}
    _change(values, source, names=False)
    packed = io.BytesIO()
    np.save(packed, values[""])
    path.write_bytes(packed.getvalue())


def _pickle(path: Path, source: random.Random) -> None:
    values = pickle.loads(path.read_bytes())  # noqa: S301 - the tests wrote it, and no damage has got through so far
    inner = [value for value in values.values() if isinstance(value, dict)]
    _change(source.choice([values, *inner]), source)
    path.write_bytes(pickle.dumps(values, protocol=source.choice((0, 1, 2, 3, 4, 5))))


def _hdf5(path: Path, source: random.Random) -> None:
    import h5py

    with h5py.File(path, "r+") as file:
        names: list[str] = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        name = source.choice(names)
        values = {name: file[name][()]}
        del file[name]
        _change(values, source)
        for new, value in values.items():
            file[new] = value


def _change(values: dict[Any, Any], source: random.Random, *, names: bool = True) -> None:
    """Something about one of some values: its name, or what it is."""
    name = source.choice(sorted(values, key=str))
    kind = source.randrange(4) if names else 3
    if kind == 0:
        del values[name]
    elif kind == 1:
        values[source.choice((f"{name}2", str(name).upper(), "x", "poses"))] = values.pop(name)
    elif kind == 2:
        values[name] = values[source.choice(sorted(values, key=str))]
    else:
        values[name] = _other(np.asarray(values[name]), source)


def _other(array: Array, source: random.Random) -> Any:
    """An array with its shape, its type or its values changed."""
    choices: list[Callable[[], Any]] = [
        lambda: array[None],
        lambda: array.reshape(-1),
        lambda: array.T,
        lambda: np.zeros((0, *array.shape[1:]), array.dtype),
        lambda: np.array(source.choice(_NUMBERS)),
        lambda: np.array("some words"),
        lambda: np.array([None, {}, "x"], dtype=object),
        lambda: array.astype(object),
        lambda: array.astype(np.complex128) if array.dtype.kind in "fiu" else array,
        lambda: array.astype(np.float16) if array.dtype.kind in "fiu" else array,
        lambda: array.astype(np.int8) if array.dtype.kind == "f" else array,
        lambda: array.astype(">f8") if array.dtype.kind in "fiu" else array,
        lambda: None,
    ]
    if array.ndim and len(array):
        choices += [
            lambda: array[:1], lambda: array[: len(array) // 2], lambda: array[::-1], lambda: np.concatenate([array, array[:3]]),
            lambda: array[..., :-1], lambda: np.asfortranarray(array),
        ]  # fmt: skip
    if array.dtype.kind == "f" and array.size:
        choices += [lambda: _salted(array, source)] * 6
    return source.choice(choices)()


def _salted(array: Array, source: random.Random) -> Array:
    """A copy with one odd number, or with all numbers grown."""
    changed = np.array(array)
    with np.errstate(all="ignore"):
        if source.random() < 0.3:
            return np.asarray(changed * source.choice((0.0, 1e-3, 100.0, 1e30, -1.0)))
        changed.reshape(-1)[source.randrange(changed.size)] = source.choice(_NUMBERS)
    return changed


_WRITERS: dict[str, Callable[[Path, random.Random], None]] = {
    ".npz": _npz, ".npy": _npy, ".pkl": _pickle, ".h5": _hdf5, ".hdf5": _hdf5
}  # fmt: skip
_KINDS: tuple[Callable[[Path, list[Path], random.Random], list[Path]], ...] = (
    _bytes, _bytes, _bytes, _cut, _lost, _exchanged, _exchanged, _replaced, _doubled, _a_folder, _a_link, _arrays, _arrays,
    _arrays, _arrays, _arrays,
)  # fmt: skip
