from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from motionunion.clip import ClipRef
from motionunion.errors import UsageError
from motionunion.ingest.plan import Listed, Task
from motionunion.ingest.share import Share
from motionunion.sources import ReadOptions
from motionunion.store.storage import LocalStorage


def task_of(key: str, source: str = "amass_smplh", root: str = "somewhere") -> Task:
    path = Path(root) / f"{key}.npz"
    ref = ClipRef(source=source, key=key, path=path, root=Path(root), uid=key)
    return Task((Listed(ref, 1, 1, "", ""),), ReadOptions(), LocalStorage(Path("store")))


@pytest.mark.parametrize(
    "text", ["", "1", "3/3", "1/0", "0/0", "-1/3", "1/3/5", "a/b", "1.0/3", " 0/3", "0/3 ", "1/-3"]
)
def test_what_is_no_share_is_refused(text):
    with pytest.raises(UsageError, match="from 0 to N-1"):
        Share.parse(text)


def test_a_share_is_read_as_it_is_written():
    assert [str(Share.parse(text)) for text in ("0/1", "7/8")] == ["0/1", "7/8"]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 100])
def test_every_task_is_one_shares_and_shares_are_about_equal(count):
    tasks = [task_of(f"CMU/{number:05d}") for number in range(3000)]
    shares = [Share(index, count) for index in range(count)]
    holders = [[share.index for share in shares if share.holds(task)] for task in tasks]
    assert all(len(found) == 1 for found in holders)
    dealt = Counter(found[0] for found in holders)
    assert min(dealt[index] for index in range(count)) > 0.4 * 3000 / count


def test_where_a_source_lies_does_not_decide_whose_a_task_is():
    here, there = ([task_of(f"k{n}", root=root) for n in range(50)] for root in ("here", "elsewhere/deep"))
    share = Share(1, 4)
    assert [share.holds(task) for task in here] == [share.holds(task) for task in there]
    assert [share.holds(task_of(f"k{n}", "lafan1")) for n in range(50)] != [share.holds(task) for task in here]
