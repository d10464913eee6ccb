from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from motionunion.clip import Segment
from motionunion.splits import hash_split
from motionunion.store.drop import drop
from motionunion.store.index import find_index, index_in_memory, read_index
from motionunion.store.joint_groups import components
from motionunion.store.store import open_store

AMASS = "amass/kit/3/walk00"


def groups(path):
    """Group, own group and split by key, from the index at hand, which is held against one made from the shards alone."""
    query = 'SELECT key, "group", own_group, split FROM clips ORDER BY key'
    with contextlib.closing(open_store(path)) as store:
        found = store.rows(query)
        with contextlib.closing(index_in_memory(store.storage, store.state)) as fresh:
            assert fresh.execute(query).fetchall() == found
        with contextlib.closing(read_index(find_index(store.index_folder, store.head))) as written:
            assert written.execute(query).fetchall() == found
    return {key: tuple(rest) for key, *rest in found}


def stretches(desk, *, split="test", stamp="1"):
    """HumanML3D's index: 004822 and M004823 are stretches of one file."""
    cut = {
        name: (Segment(uid=AMASS, name=name, layer="humanml3d", start_s=0, end_s=0.5, split=side),)
        for name, side in (("004822", "train"), ("M004823", split))
    }
    return desk.receipt(segments=cut, source="humanml3d", stamp=stamp)


def made_of_ids(make_clip):
    """What a data set has that knows ids of HumanML3D alone; and a clip of another id."""
    return tuple(
        make_clip(key, group=f"humanml3d/{key.removeprefix('M')}", official_split="train")
        for key in ("004822", "004823", "M004823", "009999")
    )


def test_ids_of_an_index_share_the_group_of_the_file_that_they_are_stretches_of_whatever_came_first(
    desk, make_clip, tmp_path
):
    def receipts(desk):
        file = make_clip("walk00", uid=AMASS, group=AMASS, source="amass_smplh")
        return (
            desk.receipt(clips=(file,), source="amass_smplh"), desk.receipt(clips=made_of_ids(make_clip)), stretches(desk)
        )  # fmt: skip

    for order in ((0, 1, 2), (2, 1, 0)):
        other = type(desk)(tmp_path / f"begun with {order[0]}")
        for number in order:
            other.commit(receipts(other)[number]).fingerprint()
        assert groups(other.path) == {
            "walk00": (AMASS, None, "test"),
            "004822": (AMASS, "humanml3d/004822", "test"),
            "004823": (AMASS, "humanml3d/004823", "test"),
            "M004823": (AMASS, "humanml3d/004823", "test"),
            "009999": ("humanml3d/009999", None, "train"),
        }


def test_stretches_of_one_file_share_a_group_though_the_file_itself_is_not_here(desk, make_clip):
    desk.commit(desk.receipt(clips=made_of_ids(make_clip)))
    assert {group for group, _, _ in groups(desk.path).values()} == {
        "humanml3d/004822", "humanml3d/004823", "humanml3d/009999"
    }  # fmt: skip
    desk.commit(stretches(desk))
    found = groups(desk.path)
    assert {found[key][0] for key in ("004822", "004823", "M004823")} == {AMASS}
    assert {found[key][2] for key in ("004822", "004823", "M004823")} == {"test"}


def test_groups_part_again_when_what_joined_them_goes(desk, make_clip):
    desk.commit(desk.receipt(clips=made_of_ids(make_clip)))
    before = groups(desk.path)
    linked = make_clip("features", source="humanml3d", group=AMASS, official_split="val", labels={"base": "004822"})
    desk.commit(desk.receipt(clips=(linked,), source="humanml3d"))
    joined = groups(desk.path)
    assert joined["004822"] == (AMASS, "humanml3d/004822", "val")
    assert joined["004823"] == before["004823"]
    drop(desk.path, "source = 'humanml3d'")
    assert groups(desk.path) == before


def test_a_group_called_after_a_file_is_that_of_the_clip_read_from_it(desk, make_clip):
    take = make_clip("take", uid="humanact12/p01g01r02", group="humanact12/p01g01")
    cut = make_clip("cut", uid="humanml3d/000001", group="humanact12/p01g01r02", official_split="test")
    desk.commit(desk.receipt(clips=(take, cut)))
    assert groups(desk.path) == {
        "take": ("humanact12/p01g01", None, "test"),
        "cut": ("humanact12/p01g01", "humanact12/p01g01r02", "test"),
    }


def test_without_an_official_side_the_joint_name_decides_for_all(desk, make_clip):
    file = "amass/kit/3/walk04"
    apart = {name: hash_split(f"humanml3d/{name}") for name in ("004822", "004824", file)}
    assert (apart["004822"], apart["004824"]) != (hash_split(file),) * 2
    clips = tuple(make_clip(key, group=f"humanml3d/{key}") for key in ("004822", "004824"))
    cut = {
        clip.key: (Segment(uid=file, name=clip.key, layer="humanml3d", start_s=0, end_s=0.5, split=None),)
        for clip in clips
    }
    desk.commit(desk.receipt(clips=clips, segments=cut))
    assert {(group, split) for group, _, split in groups(desk.path).values()} == {(file, hash_split(file))}


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=14))
def test_components_are_connected_and_called_after_their_first_member(edges):
    named = [(f"g{one}", f"g{other}") for one, other in edges]
    members = {name for edge in named for name in edge}
    reach = {name: {name} for name in members}
    for _ in members:
        for one, other in named:
            together = reach[one] | reach[other]
            for name in together:
                reach[name] = together
    assert components(named) == {name: min(reach[name]) for name in members}
