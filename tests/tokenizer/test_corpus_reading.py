"""Reading a corpus leaves nothing behind that could hurt the process when it ends."""

from __future__ import annotations

import io
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq

from tokenizer.corpus import table_of


def parquet_bytes(rows: int) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"codes": [[1, 2, 3]] * rows, "rows": [12] * rows}), sink)
    return sink.getvalue()


def test_the_table_is_the_one_that_was_written() -> None:
    assert table_of(parquet_bytes(3)).to_pydict() == {"codes": [[1, 2, 3]] * 3, "rows": [12] * 3}
    assert table_of(parquet_bytes(3), ["rows"]).column_names == ["rows"]


def test_a_process_that_ends_right_after_reading_ends_well() -> None:
    # pyarrow's data set threads let go of Python bytes after the interpreter had ended: exit 134 in most runs.
    code = (
        "import io, pyarrow as pa, pyarrow.parquet as pq, torch\n"
        "from tokenizer.corpus import table_of\n"
        "sink = io.BytesIO(); pq.write_table(pa.table({'a': list(range(1000))}), sink)\n"
        "table_of(sink.getvalue()); raise SystemExit(4)"
    )
    for _ in range(2):
        assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 4
