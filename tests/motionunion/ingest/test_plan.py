from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from motionunion.clip import ClipRef
from motionunion.ingest.plan import TASK_BYTES, Listed, cut_tasks, list_claims
from motionunion.sources import ReadOptions
from motionunion.sources.detect import recognise
from motionunion.store.storage import LocalStorage

OPTIONS, STORAGE = ReadOptions(), LocalStorage(Path("store"))


def listed(source: str, key: str, size: int) -> Listed:
    ref = ClipRef(source=source, key=key, uid=f"{source}/{key}", path=Path("/data") / key, root=Path("/data"))
    return Listed(ref, size, 0, "stamp", "config")


def keys_of(tasks):
    return [[one.ref.key for one in task.files] for task in tasks]


listings = st.dictionaries(
    st.tuples(st.sampled_from(["amass", "bvh"]), st.text("abcdef/_", min_size=1, max_size=8)),
    st.integers(0, 300 << 20),
    min_size=1,
    max_size=60,
).map(lambda found: [listed(source, key, size) for (source, key), size in sorted(found.items())])


@given(listings)
def test_tasks_hold_the_whole_listing_in_order_and_never_two_sources(listing):
    tasks = cut_tasks(listing, OPTIONS, STORAGE)
    assert [one for task in tasks for one in task.files] == listing
    for task in tasks:
        assert {one.ref.source for one in task.files} == {task.source}
        # All but the file that overfilled it fit into two tasks' worth.
        assert sum(one.size for one in task.files[:-1]) < 2 * TASK_BYTES


@given(listings)
def test_tasks_do_not_depend_on_where_the_folder_lies_nor_on_other_sources(listing):
    moved = [replace(one, ref=replace(one.ref, path=Path("/x") / one.ref.key, root=Path("/x"))) for one in listing]
    assert keys_of(cut_tasks(moved, OPTIONS, STORAGE)) == keys_of(cut_tasks(listing, OPTIONS, STORAGE))
    alone = [one for one in listing if one.ref.source == "bvh"]
    together = [task for task in cut_tasks(listing, OPTIONS, STORAGE) if task.source == "bvh"]
    assert keys_of(cut_tasks(alone, OPTIONS, STORAGE)) == keys_of(together)


def test_one_more_file_changes_few_tasks_and_a_small_source_makes_many():
    files = [listed("bvh", f"walk{number:04d}", 200_000) for number in range(300)]
    before = {tuple(keys) for keys in keys_of(cut_tasks(files, OPTIONS, STORAGE))}
    assert 8 <= len(before) <= 40
    more = sorted([*files, listed("bvh", "walk0150b", 200_000)], key=lambda one: one.ref.key)
    after = {tuple(keys) for keys in keys_of(cut_tasks(more, OPTIONS, STORAGE))}
    assert len(before - after) <= 2


def test_a_stamp_changes_with_the_file_its_sidecar_and_what_is_shared_but_not_with_the_place(tmp_path, amass):
    root = amass(tmp_path / "amass", 3)

    def stamps() -> dict[str, str]:
        listing, _ = list_claims(recognise([root]).claims, OPTIONS)
        return {one.ref.key: one.stamp for one in listing}

    before = stamps()
    first = sorted(before)[0]
    file = next(root.rglob("*00_00_poses.npz"))
    file.with_suffix(".txt").write_text("a person sways")
    beside = stamps()
    assert [key for key in before if beside[key] != before[key]] == [first]
    amass(root, 1, first=3)
    assert {key: stamp for key, stamp in stamps().items() if key in before} == beside  # one more file is none of theirs
    root = root.rename(tmp_path / "moved")
    assert {key: stamp for key, stamp in stamps().items() if key in before} == beside


def test_an_index_beside_features_is_everybodys_and_a_text_is_its_ids_own(tmp_path):
    import numpy as np

    for name in ("new_joint_vecs", "texts"):
        (tmp_path / name).mkdir()
    for number in (1, 2):
        np.save(tmp_path / "new_joint_vecs" / f"00000{number}.npy", np.zeros((9, 263), dtype=np.float32))
        (tmp_path / "texts" / f"00000{number}.txt").write_text("a person stands#a/DET person/NOUN stand/VERB#0.0#0.0\n")

    def stamps() -> dict[str, str]:
        listing, _ = list_claims(recognise([tmp_path]).claims, OPTIONS)
        return {one.ref.key: one.stamp for one in listing}

    before = stamps()
    assert sorted(before) == ["000001", "000002"]
    (tmp_path / "texts" / "000002.txt").write_text("another#another/DET#0.0#0.0\n")
    assert [key for key in before if stamps()[key] != before[key]] == ["000002"]
    (tmp_path / "test.txt").write_text("000001\n")
    after = stamps()
    assert all(after[key] != before[key] for key in before)


def test_a_sidecar_that_vanished_since_it_was_found_does_not_stop_the_listing(tmp_path, amass):
    root = amass(tmp_path / "amass", 2)
    (claim,) = recognise([root]).claims
    gone = replace(claim, sidecars=(claim.files[0].with_suffix(".txt"),))
    before, _ = list_claims([claim], OPTIONS)
    after, _ = list_claims([gone], OPTIONS)
    assert [one.stamp == other.stamp for one, other in zip(before, after, strict=True)] == [False, True]
