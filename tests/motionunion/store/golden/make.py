"""Write a golden store of the present format, from synthetic files, and what it says.

    python tests/motionunion/store/golden/make.py tests/motionunion/store/golden/v2

Run it once, in the version in which a format is new; never again over a store that is committed, for that one shows that
what was written then is still read. `v1` was made so by the first version, and `v1.json` is what that version read from it.

Six commits: motion with captions and rejects; a clip that changed and a file that broke; another source and features that
were shipped; a label that was appended; a clip that was dropped; and a horizon. One shard belongs to no commit.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from motionunion.clip import Segment
from motionunion.ingest.run import ingest
from motionunion.sample import write_sample
from motionunion.store.commits import FORMAT_VERSION, commit_name
from motionunion.store.drop import drop
from motionunion.store.gc import collect_garbage
from motionunion.store.shards import write_shard
from motionunion.store.store import open_store

_SAID = {
    "clips": "SELECT clip_id, content FROM clips ORDER BY ALL",
    "captions": 'SELECT source, "key", text FROM captions ORDER BY ALL',
    "segments": 'SELECT source, "key", name FROM segments ORDER BY ALL',
    "rejects": "SELECT source, file, reason FROM rejects ORDER BY ALL",
}
_GESTURES = "Synthetic_Gestures/s04/pick_up_0007_poses.npz"
_OTHER = "Synthetic_Exercises/s12/bow_0005_poses.npz"
_AMASS = (_GESTURES, "Synthetic_Gestures/s08/raise_arms_0000_poses.npz", _OTHER, "Synthetic_Broken/s00/pickled_poses.npz",
          "Synthetic_Broken/s00/truncated_poses.npz")  # fmt: skip
_LONG_AGO_S = 30 * 86400.0


def make(store: Path) -> None:
    """Write a store at a path, and what it says beside it."""
    with tempfile.TemporaryDirectory() as folder:
        sample, chosen = Path(folder) / "sample", Path(folder) / "chosen"
        write_sample(sample, seed=0, clips=12, jobs=1)
        for name in _AMASS:
            _take(sample, chosen, f"amass/{name}")
        shutil.copytree(sample / "amass/HumanML3D", chosen / "amass/HumanML3D")
        ingest([chosen / "amass"], store, jobs=1)

        shutil.copy(chosen / "amass" / _OTHER, chosen / "amass" / _GESTURES)
        whole = (chosen / "amass" / _OTHER).read_bytes()
        (chosen / "amass" / _OTHER).write_bytes(whole[: len(whole) // 2])
        ingest([chosen / "amass"], store, jobs=1)

        first = sorted((sample / "smplx").rglob("*_stageii.npz"))[0]
        _take(sample, chosen, first.relative_to(sample).as_posix())
        features = sorted((sample / "humanml3d/new_joint_vecs").iterdir(), key=lambda path: path.stat().st_size)[0]
        for part in ("new_joint_vecs", "new_joints"):
            _take(sample, chosen, f"humanml3d/{part}/{features.name}")
        for name in ("index.csv", f"texts/{features.stem}.txt", "train.txt", "val.txt", "test.txt"):
            _take(sample, chosen, f"humanml3d/{name}")
        ingest([chosen / "smplx", chosen / "humanml3d"], store, jobs=1)

    with open_store(store) as opened:
        uid = str(opened.rows("SELECT uid FROM clips WHERE source = 'amass_smplh' ORDER BY ALL LIMIT 1")[0][0])
        said = {"segments": [Segment(uid=uid, name="first half", layer="golden", start_s=0.0, end_s=0.5)]}
        opened.append(said, source="golden", key="halves")
    drop(store, "source = 'humanml3d'")
    # As if the second commit had been made long ago, so that the first one's state is given up.
    then = time.time() - _LONG_AGO_S
    for path in (*(store / commit_name(number) for number in (1, 2)), *(store / "shards").iterdir()):
        os.utime(path, (then, then))
    with open_store(store) as opened:
        collect_garbage(opened)
        row = {"source": "golden", "key": "k", "file": "f", "reason": "dangling", "message": "", "line": None}
        write_shard(opened.storage, "rejects", "golden", [row])
    store.with_suffix(".json").write_text(json.dumps(what_it_says(store), indent=1) + "\n", encoding="utf-8")
    for derived in ("index", "cache"):
        shutil.rmtree(store / derived, ignore_errors=True)


def what_it_says(store: Path) -> dict[str, Any]:
    """What each commit that can be opened says."""
    with open_store(store) as opened:
        head = opened.head
    commits = {}
    for number in range(head.horizon, head.number + 1):
        with open_store(store, at=number) as opened:
            said = {name: [list(row) for row in opened.rows(query)] for name, query in _SAID.items()}
            commits[str(number)] = {"fingerprint": opened.fingerprint(), **said}
    return {"format": FORMAT_VERSION, "newest": head.number, "horizon": head.horizon, "commits": commits}


def _take(sample: Path, chosen: Path, name: str) -> None:
    (chosen / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(sample / name, chosen / name)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
