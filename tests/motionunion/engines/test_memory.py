from __future__ import annotations

import sys

import pytest

from motionunion.engines.memory import Memory, data_limit, machine_memory, own_data, parse_size
from motionunion.errors import UsageError

linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="only Linux holds a process to its private data"
)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("8GB", 8 * 10**9),
        ("8g", 8 * 10**9),
        (" 512 MiB ", 512 << 20),
        ("1.5G", 1_500_000_000),
        ("2TiB", 2 << 40),
        ("1000000", 1_000_000),
        ("3kb", 3000),
        ("100B", 100),
    ],
)
def test_sizes_are_read_as_people_write_them(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "8 bytes", "GB", "-1GB", "0", "0.0GB", "1e9", "8XB", "1.GB", "50%", "iB", "8 i"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(UsageError, match="write 8GB, 512MiB"):
        parse_size(text)


def test_a_control_group_or_one_above_it_bounds_the_machine(tmp_path):
    whole = machine_memory(tmp_path / "no such file", tmp_path)
    assert whole > 1 << 28
    groups, process = tmp_path / "cgroup", tmp_path / "process"
    (groups / "jobs" / "seven").mkdir(parents=True)
    process.write_text("0::/jobs/seven\n")
    assert machine_memory(process, groups) == whole
    (groups / "jobs" / "seven" / "memory.max").write_text("max\n")
    assert machine_memory(process, groups) == whole
    (groups / "jobs" / "memory.max").write_text("90000000\n")
    assert machine_memory(process, groups) == 90_000_000
    (groups / "jobs" / "seven" / "memory.max").write_text("70000000\n")
    assert machine_memory(process, groups) == 70_000_000


def test_a_control_group_of_version_one_and_a_path_that_is_the_hosts_are_understood(tmp_path):
    process = tmp_path / "process"
    process.write_text("11:cpuset:/x\n4:blkio,memory:/docker/abc\n")
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("50000000\n")  # a container sees its own as the root
    assert machine_memory(process, tmp_path) == 50_000_000


def test_a_reservation_is_the_need_at_least_an_equal_share_and_at_most_everything():
    memory = Memory(1000, lambda task: task)
    assert [memory.reservation(task, 4) for task in (10, 250, 600, 5000)] == [250, 250, 600, 1000]


@linux
def test_a_process_cannot_take_more_than_it_may_and_can_again_afterwards():
    room = 400 << 20
    with data_limit(own_data() + (100 << 20)):
        assert len(bytearray(50 << 20)) == 50 << 20
        with pytest.raises(MemoryError):
            bytearray(room)
    assert len(bytearray(room)) == room
    with data_limit(None):
        assert len(bytearray(room)) == room


@linux
def test_a_limit_below_what_a_process_has_still_lets_it_speak():
    with data_limit(1):
        assert len("x" * (1 << 20)) == 1 << 20
