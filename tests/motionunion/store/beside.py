"""What another process does to a store while the test goes on: `python beside.py ROLE STORE [NUMBER]`, a line at a time.

Writers, and those who drop, do one round for each line of stdin that says a number, and answer with a line. Readers and
compactors go on until stdin ends, and then say in JSON what they have seen.
"""

from __future__ import annotations

import importlib.util
import json
import random
import sys
import threading
from pathlib import Path

from motionunion.clip import Caption
from motionunion.store.committer import Committer
from motionunion.store.compact import compact
from motionunion.store.drop import drop
from motionunion.store.receipts import Receipt
from motionunion.store.store import open_store

_spec = importlib.util.spec_from_file_location("store_conftest", Path(__file__).with_name("conftest.py"))
made = importlib.util.module_from_spec(_spec)
sys.modules["store_conftest"] = made
_spec.loader.exec_module(made)

SUPERSEDED = 5


def work(desk, writer: int, number: int) -> list[Receipt]:
    """What a writer does in a round: something of its own, something that both do, and something said before."""
    own, both, again = f"own{writer}-{number:03d}", f"both-{number:03d}", f"again-{number % SUPERSEDED}"
    clips = [made.build_clip(name, frames=5, seed=seed) for name, seed in ((own, 0), (both, 0), (again, number))]
    said = {own: (Caption(uid=f"made_up/{own}", text=f"says {own}", layer="x"),)}
    return [
        desk.receipt(tuple(clips[:1]), ((f"bad{writer}-{number:03d}", "truncated"),), said),
        desk.receipt(tuple(sorted(clips[1:], key=lambda clip: clip.key))),
    ]


def write(place: str, writer: int) -> None:
    desk = made.Desk(place)
    committer = Committer(open_store(desk.path).storage, f"writer {writer}")
    for line in sys.stdin:
        for receipt in work(desk, writer, int(line)):
            committer.add(receipt)
        committer.flush()
        print(committer.commits[-1], flush=True)
    committer.close()


def drop_own(place: str, writer: int) -> None:
    for line in sys.stdin:
        result = drop(place, f"key = 'own{writer}-{int(line):03d}'", more_than_half=True)
        print(result.clips - result.changed_meanwhile, flush=True)


def until_told(act) -> None:
    told = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), told.set()), daemon=True).start()
    while not told.is_set():
        act()
    act()


def read(place: str, _: int) -> None:
    """Look at the newest commit again and again: every answer of one commit must agree with every other of it."""
    seen = {"commits": 0, "clips": 0, "newest": 0}
    chance = random.Random(1)

    def look() -> None:
        with open_store(place) as store:
            assert store.commit >= seen["newest"], "went back"
            seen["commits"] += store.commit > seen["newest"]
            seen["newest"] = store.commit
            clips = store.rows("SELECT key, clip_id FROM clips ORDER BY key")
            held = store.rows("SELECT key FROM receipts WHERE outcome = 'clip' ORDER BY key")
            assert [key for key, _ in clips] == [key for (key,) in held], "clips and receipts disagree"
            for writer in (0, 1):
                own = [key for key, _ in clips if key.startswith(f"own{writer}-")]
                said = store.rows(f"SELECT key FROM captions WHERE key LIKE 'own{writer}-%' ORDER BY key")
                assert own == [key for (key,) in said], "a commit holds half of a receipt"
                refused = store.rows(f"SELECT count(*) FROM receipts WHERE key LIKE 'bad{writer}-%'")[0][0]
                gone = store.rows(
                    f"SELECT count(*) FROM receipts WHERE key LIKE 'own{writer}-%' AND outcome = 'dropped'"
                )
                assert len(own) + gone[0][0] == refused, "a commit holds half of a receipt"
            for _, clip_id in chance.sample(clips, min(3, len(clips))):
                assert store.clip(clip_id).frames == 5
                seen["clips"] += 1
            assert store.sql("SELECT count(*) FROM clips").item() == len(clips)

    until_told(look)
    print(json.dumps(seen), flush=True)


def compact_on(place: str, _: int) -> None:
    seen = {"commits": 0, "clips": 0}

    def once() -> None:
        result = compact(place)
        assert result.damage == []
        seen["commits"] += result.commits
        seen["clips"] += result.clips

    until_told(once)
    print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    role = {"write": write, "drop": drop_own, "read": read, "compact": compact_on}[sys.argv[1]]
    role(sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 0)
