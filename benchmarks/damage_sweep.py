"""Flip a bit or cut the tail of a store's files at many places, and look what notices: `python -m benchmarks.damage_sweep`.

The store is made from the synthetic sample: several commits and checkpoints, shards of all five kinds, an index, features
with a normalised copy. Places are drawn evenly over kinds of file, then over files, then over bytes; every third one is a
cut. After each, `check` must name damage, and everything is read twice, with the index that is there and without one: the
clips, what is said of them, the features. Each reading must give the true content or raise an error of ours.
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine
from motionunion.clip import Caption, Clip
from motionunion.digest import canonical_json, sha256_hex, update_with_array
from motionunion.errors import MotionUnionError
from motionunion.features import build_features
from motionunion.ingest.run import ingest
from motionunion.sample import write_sample
from motionunion.store.check import check_store
from motionunion.store.store import open_store

REPRESENTATION = "hml263@20/compat"
PLACES = 2000
SEED = 20
CUT_EVERY = 3
_TABLES = {
    "clips": "* EXCLUDE (shard, row_group, row, commit_number)",
    "captions": "*",
    "segments": "*",
    "rejects": "*",
}


_BESIDE_INDEX = ("index", "features", "normalised", "store.json")
"""Kinds of file whose damage cannot matter to how an index is built: they are read once."""


@dataclass(frozen=True, slots=True)
class Place:
    """One damage to one file."""

    kind: str
    file: str
    offset: int
    """Of the byte in which a bit is flipped; or the length that is left."""
    bit: int | None
    """None = the tail is cut."""

    def harm(self, data: bytes) -> bytes:
        """What the file holds afterwards."""
        if self.bit is None:
            return data[: self.offset]
        damaged = bytearray(data)
        damaged[self.offset] ^= 1 << self.bit
        return bytes(damaged)


_COUNTED = ("places", "found", "named_elsewhere", "refused", "right", "wrong", "crashed")


@dataclass(slots=True)
class Outcome:
    """What came of the places in one kind of file."""

    places: int = 0
    found: int = 0
    """`check` named damage, in this very file."""
    named_elsewhere: int = 0
    """`check` named damage, in another file only."""
    refused: int = 0
    """Readings that ended in an error of ours."""
    right: int = 0
    """Readings that gave the true content."""
    wrong: int = 0
    """Readings that gave something else."""
    crashed: int = 0
    """Readings and checks that ended in an error that is not ours."""
    says: Counter[str] = field(default_factory=Counter)
    """How `check` put it."""
    open: list[str] = field(default_factory=list)
    """Places that were not found, read wrong, or crashed."""

    def to_json(self) -> dict[str, Any]:
        return {
            **{name: getattr(self, name) for name in _COUNTED},
            "check_says": dict(self.says.most_common(5)),
            "open": self.open,
        }

    def add(self, other: Outcome) -> None:
        for name in _COUNTED:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.says += other.says
        self.open += other.open


def build_store(folder: Path) -> Path:
    """A small store with every kind of file in it, below a folder."""
    from motionunion.store import commits

    sample, store = folder / "sample", folder / "store"
    write_sample(sample, seed=SEED, clips=12, jobs=1)
    for files, kept in (
        ((sample / "amass").rglob("*.npz"), 8),
        ((sample / "humanml3d" / "new_joint_vecs").iterdir(), 5),
        ((sample / "smplx").rglob("*.npz"), 1),
    ):
        for path in sorted(files)[kept:]:
            path.unlink()
    every, commits.CHECKPOINT_EVERY = commits.CHECKPOINT_EVERY, 3
    try:
        for name in ("amass", "humanml3d", "smplx"):
            ingest([sample / name], store, jobs=1)
        with open_store(store) as opened:
            ((uid,),) = opened.rows("SELECT uid FROM clips ORDER BY key LIMIT 1")
            opened.append(
                {"captions": [Caption(uid=uid, text="somebody moves", layer="sweep")]}, source="sweep", key="a"
            )
    finally:
        commits.CHECKPOINT_EVERY = every
    with open_store(store) as opened:
        features = build_features(opened, REPRESENTATION, jobs=1)
        features.normalised(features.statistics())
    shutil.rmtree(sample)
    return store


def kind_of(file: str) -> str:
    """What sort of file a name is."""
    folder, _, name = file.rpartition("/")
    if folder == "shards":
        return f"{name.split('-')[0]} shards"
    if folder.startswith("cache/"):
        return (
            "normalised copy"
            if name.startswith("normalised") and name.endswith(".npy")
            else f"features {name.split('-')[0]}"
        )
    return {"": file, "commits": "_latest" if name == "_latest" else "commits"}.get(folder, folder)


def draw_places(store: Path, count: int, seed: int = SEED) -> list[Place]:
    """Places spread evenly over kinds of file; the same for the same files."""
    by_kind: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(store.rglob("*")):
        if path.is_file():
            by_kind[kind_of(path.relative_to(store).as_posix())].append(path)
    random = np.random.default_rng(seed)
    places = []
    for number in range(count):
        kind = sorted(by_kind)[number % len(by_kind)]
        path = by_kind[kind][random.integers(len(by_kind[kind]))]
        cut = (number // len(by_kind)) % CUT_EVERY == CUT_EVERY - 1
        offset, bit = int(random.integers(path.stat().st_size)), int(random.integers(8))
        places.append(Place(kind, path.relative_to(store).as_posix(), offset, None if cut else bit))
    return places


def read_everything(store: Path) -> str:
    """A digest of all that a store gives: clips with their values, what is said of them, features. Raises what reading raises."""
    said: list[Any] = []
    with open_store(store) as opened:
        said += [opened.uuid, opened.commit, opened.fingerprint()]
        said += [clip_digest(clip) for clip in opened.clips()]
        for table, columns in _TABLES.items():
            said.append(sorted(map(str, opened.rows(f"SELECT {columns} FROM {table}"))))
        features = build_features(opened, REPRESENTATION, jobs=1, verify=True)
        said.append([[span.span_id, span.rows, str(span.captions)] for span in features.spans])
        said.append(sha256_hex(features.values.tobytes()))
        said.append(sha256_hex(features.normalised(features.statistics(), verify=True).tobytes()))
    return sha256_hex(canonical_json(said))


def clip_digest(clip: Clip) -> str:
    """Every field of a clip."""
    import hashlib

    digest = hashlib.sha256()
    for name, value in {name: getattr(clip, name) for name in clip.__slots__}.items():
        if isinstance(value, np.ndarray):
            update_with_array(digest, name, value)
        elif isinstance(value, dict) and any(isinstance(one, np.ndarray) for one in value.values()):
            for part, array in sorted(value.items()):
                update_with_array(digest, f"{name} {part}", array)
        elif name == "shipped" and value is not None:
            digest.update(value.representation.encode())
            update_with_array(digest, name, value.features_TD)
        else:
            digest.update(f"{name}={value!r};".encode())
    return digest.hexdigest()


class Sweep:
    """One process's copy of the store, damaged and put back place by place."""

    def __init__(self, store: Path, truth: str) -> None:
        self.store, self.truth = store, truth
        self._files = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
        self._states = {path: _state(path) for path in self._files}

    def at(self, place: Place) -> Outcome:
        """Damage one place, check, read, and put everything back."""
        path = self.store / place.file
        path.write_bytes(place.harm(self._files[path]))
        outcome = Outcome(places=1)
        try:
            self._check(place, outcome)
            self._read(place, outcome, fresh=False)
            if not place.kind.startswith(_BESIDE_INDEX):
                self._read(place, outcome, fresh=True)
        finally:
            self._put_back()
        return outcome

    def _check(self, place: Place, outcome: Outcome) -> None:
        try:
            damage = check_store(self.store).damage
        except MotionUnionError as error:
            damage = [{"kind": "error", "file": str(error), "problem": str(error)}]
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            outcome.crashed += 1
            outcome.open.append(f"check crashed: {place}: {error!r}")
            return
        here = [one for one in damage if one["file"] and (one["file"] in place.file or place.file in one["file"])]
        outcome.found, outcome.named_elsewhere = int(bool(here)), int(bool(damage) and not here)
        for one in (here or damage)[:1]:
            outcome.says[_without_particulars(one["problem"])] += 1
        if not damage:
            outcome.open.append(f"not found: {place}")

    def _read(self, place: Place, outcome: Outcome, fresh: bool) -> None:
        if fresh:
            for path in (self.store / "index").iterdir():
                path.unlink()
        try:
            right = read_everything(self.store) == self.truth
        except MotionUnionError:
            outcome.refused += 1
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            outcome.crashed += 1
            outcome.open.append(f"reading crashed: {place}: {error!r}")
        else:
            outcome.right += right
            outcome.wrong += not right
            if not right:
                outcome.open.append(f"read wrong{' without index' if fresh else ''}: {place}")

    def _put_back(self) -> None:
        for path in [path for path in self.store.rglob("*") if path.is_file() and path not in self._files]:
            path.unlink()
        for path, data in self._files.items():
            if not path.exists() or _state(path) != self._states[path]:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                self._states[path] = _state(path)


def _state(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _without_particulars(problem: str) -> str:
    """A message with names and numbers left out, to count by."""
    words = problem.split(";")[0].split()
    return " ".join(word for word in words if not any(letter.isdigit() or letter == "/" for letter in word))[:90]


def sweep(store: Path, places: Sequence[Place], note: Callable[[str], None] = print) -> dict[str, Outcome]:
    """Outcomes by kind of file. The store is left as it was."""
    one = Sweep(store, read_everything(store))
    found: dict[str, Outcome] = defaultdict(Outcome)
    for number, place in enumerate(places):
        outcome = one.at(place)
        found[place.kind].add(outcome)
        for line in outcome.open:
            note(line)
        if (number + 1) % 100 == 0:
            note(f"{number + 1} of {len(places)} places")
    return dict(found)


def _sweep_copy(work: tuple[Path, Path, list[Place]]) -> dict[str, Outcome]:
    store, copy, places = work
    shutil.copytree(store, copy)
    return sweep(copy, places)


def table(found: dict[str, Outcome]) -> Iterator[str]:
    """Lines of a table, one for each kind of file."""
    yield f"{'kind of file':24}" + "".join(f"{name.replace('_', ' '):>17}" for name in _COUNTED)
    for kind, outcome in sorted(found.items()):
        yield f"{kind:24}" + "".join(f"{getattr(outcome, name):>17,}" for name in _COUNTED)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--places", type=int, default=PLACES)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = build_store(Path(folder))
        places = draw_places(store, options.places, options.seed)
        shares = [
            (store, Path(folder, f"copy-{number}"), places[number :: options.jobs]) for number in range(options.jobs)
        ]
        with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
            parts = pool.map(_sweep_copy, shares)
    found: dict[str, Outcome] = defaultdict(Outcome)
    for part in parts:
        for kind, outcome in part.items():
            found[kind].add(outcome)
    in_all = Outcome()
    for outcome in found.values():
        in_all.add(outcome)
    print("\n".join(table({**found, "~ all": in_all})))
    machine.write(
        Path(__file__).with_name("results") / "damage_sweep.json",
        {
            "seed": options.seed,
            "places": options.places,
            "in_all": {**in_all.to_json(), "check_says": {}},
            "by_kind": {kind: outcome.to_json() for kind, outcome in sorted(found.items())},
        },
    )
    raise SystemExit(1 if in_all.open else 0)


if __name__ == "__main__":
    main()
