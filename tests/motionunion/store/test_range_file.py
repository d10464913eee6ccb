from __future__ import annotations

import io
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motionunion.store.object_storage import ObjectStorage
from motionunion.store.range_file import AHEAD_BYTES, RangeFile
from motionunion.store.remote_errors import RemoteError
from motionunion.store.storage import LocalStorage


class Counting(LocalStorage):
    """Counts what is asked for."""

    def __init__(self, root):
        super().__init__(root)
        self.asked = []

    def get_range(self, name, start, length):
        self.asked.append((start, length))
        return super().get_range(name, start, length)


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    """A file of 1 MiB whose every place is different enough."""
    storage = Counting(tmp_path_factory.mktemp("numbers"))
    storage.put("f", np.arange(1 << 18, dtype="<u4").tobytes())
    return storage


STEPS = st.one_of(
    st.tuples(st.just("read"), st.sampled_from([-1, 0, 1, 100, AHEAD_BYTES - 1, AHEAD_BYTES, 1 << 21]) | st.integers(0, 1 << 20)),
    st.tuples(st.just("readinto"), st.integers(0, 1 << 17)),
    st.tuples(st.just("set"), st.integers(0, (1 << 20) + 99)),
    st.tuples(st.just("current"), st.integers(0, 1 << 18)),
    st.tuples(st.just("end"), st.integers(-(1 << 20), 10)),
)  # fmt: skip


@given(steps=st.lists(STEPS, max_size=20))
def test_it_reads_what_a_file_in_memory_reads(numbers, steps):
    data = numbers.get("f")
    ours, theirs = RangeFile(numbers, "f", len(data)), io.BytesIO(data)
    for step, number in steps:
        if step == "read":
            assert ours.read(number) == theirs.read(number)
        elif step == "readinto":
            buffers = bytearray(number), bytearray(number)
            assert ours.readinto(buffers[0]) == theirs.readinto(buffers[1])
            assert buffers[0] == buffers[1]
        else:
            whence = {"set": os.SEEK_SET, "current": os.SEEK_CUR, "end": os.SEEK_END}[step]
            assert ours.seek(number, whence) == theirs.seek(number, whence)
        assert ours.tell() == theirs.tell()


def test_it_is_a_file_to_read_and_seek_in_and_none_to_write(numbers):
    file = RangeFile(numbers, "f", 1 << 20)
    assert (file.readable(), file.seekable(), file.writable()) == (True, True, False)
    with pytest.raises(ValueError, match="before the beginning"):
        file.seek(-1)


def test_reads_that_lie_together_cost_one_request(numbers):
    file = RangeFile(numbers, "f", 1 << 20)
    numbers.asked.clear()
    for _ in range(AHEAD_BYTES // 1024):
        file.read(1024)
    file.seek(-8, os.SEEK_END)
    file.read(8)
    file.seek(-5000, os.SEEK_END)
    file.read(4992)
    file.seek(0)
    file.read(10)
    assert numbers.asked == [(0, AHEAD_BYTES), ((1 << 20) - AHEAD_BYTES, AHEAD_BYTES)]


def test_a_small_file_is_one_request(numbers, tmp_path):
    storage = Counting(tmp_path)
    storage.put("small", b"0123456789")
    file = RangeFile(storage, "small", 10)
    assert (file.read(3), file.read(), file.read()) == (b"012", b"3456789", b"")
    assert storage.asked == [(0, 10)]


@pytest.fixture
def parquet():
    """30 columns, 8 row groups of about 1 MB each."""
    random = np.random.default_rng(1)
    table = pa.table({f"column {number}": random.normal(size=32_000) for number in range(30)})
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=4_000, use_dictionary=False, write_page_checksum=True)
    return table, sink.getvalue()


def test_a_footer_and_a_row_group_are_two_requests(parquet, bucket, object_proxy):
    table, data = parquet
    storage = ObjectStorage(f"{bucket}/store")
    storage.put("shards/one", data)
    object_proxy.forget()
    source = pa.PythonFile(RangeFile(storage, "shards/one", len(data)), mode="r")
    with pq.ParquetFile(source, pre_buffer=True, page_checksum_verification=True) as file:
        footer = len(object_proxy.requests)
        group = file.read_row_group(5, use_threads=False)
    assert group.equals(table.slice(20_000, 4_000))
    assert (footer, len(object_proxy.requests)) == (1, 2)


def test_some_columns_of_all_groups_are_a_few_requests(parquet, bucket, object_proxy):
    table, data = parquet
    storage = ObjectStorage(f"{bucket}/store")
    storage.put("shards/one", data)
    object_proxy.forget()
    source = pa.PythonFile(RangeFile(storage, "shards/one", len(data)), mode="r")
    with pq.ParquetFile(source, pre_buffer=True) as file:
        assert file.read(columns=["column 3"], use_threads=False).equals(table.select(["column 3"]))
    assert len(object_proxy.requests) <= 1 + file.num_row_groups


def test_a_file_that_is_gone_and_a_server_that_is_gone_are_told_apart(parquet, bucket, monkeypatch):
    _, data = parquet
    storage = ObjectStorage(f"{bucket}/store")
    with pytest.raises(FileNotFoundError):
        pq.ParquetFile(RangeFile(storage, "shards/none", len(data)))
    monkeypatch.setenv("MOTIONUNION_REMOTE_TIMEOUT_S", "0.2")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(RemoteError, match="cannot be reached"):
        pq.ParquetFile(RangeFile(ObjectStorage(storage.url), "shards/one", len(data)))


def test_a_file_that_was_cut_is_no_parquet_file(parquet, tmp_path):
    _, data = parquet
    storage = LocalStorage(tmp_path)
    storage.put("one", data[:-100_000])
    with pytest.raises((OSError, pa.ArrowException)):
        pq.ParquetFile(RangeFile(storage, "one", len(data)))
