from __future__ import annotations

import json
from pathlib import Path

from benchmarks.tokenizer_quantizers import rows_beside

HEAD = {"preset": "small", "steps": 2000, "train": {"windows": 3, "rows": 200}}


def test_rows_of_other_kinds_stay_where_they_were_measured_alike(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    assert rows_beside(results, HEAD) == {}
    row = {"quantizer": "fsq", "failed": None}
    results.write_text(json.dumps({"machine": {}, **HEAD, "results": [row]}))
    assert rows_beside(results, HEAD) == {"fsq": row}
    assert rows_beside(results, {**HEAD, "steps": 1000}) == {}
    assert rows_beside(results, {**HEAD, "train": {"windows": 3, "rows": 201}}) == {}
