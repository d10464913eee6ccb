from __future__ import annotations

from pathlib import Path

from motionunion.ingest.result import SHOWN, IngestResult, SourceCount
from motionunion.sources import Skip
from motionunion.store.receipts import Covered, Receipt


def receipt_of(*reasons: str, clips: int = 0) -> Receipt:
    outcomes = [*["reject"] * len(reasons), *["clip"] * clips]
    covered = tuple(
        Covered(source="made_up", key=f"{n}", size=1, mtime_ns=1, stamp="", config="", outcome=outcome)
        for n, outcome in enumerate(outcomes)
    )
    return Receipt(
        covered=covered, shards=(), frames=60 * clips, seconds=3600.0 * clips,
        rejects=tuple({"file": f"{n}", "reason": reason} for n, reason in enumerate(reasons)),
    )  # fmt: skip


def result_of() -> IngestResult:
    return IngestResult(store="store", sources={"made_up": SourceCount()})


def test_all_rejects_are_counted_the_most_frequent_reason_first_and_the_first_are_kept():
    result = result_of()
    result.count(receipt_of("truncated", "pickled", clips=2))
    result.count(receipt_of("pickled", "not_utf8", "pickled"))
    assert list(result.reasons.items()) == [("pickled", 3), ("not_utf8", 1), ("truncated", 1)]
    assert (result.refused, result.clips, result.read, result.tasks) == (5, 2, 2, 2)
    assert [row["reason"] for row in result.rejects] == ["truncated", "pickled", "pickled", "not_utf8", "pickled"]
    assert (result.sources["made_up"].frames, result.sources["made_up"].hours) == (120, 2.0)


def test_a_million_faults_fit_in_it():
    result = result_of()
    for _ in range(100):
        result.count(receipt_of(*["truncated"] * 999))
    result.skip(Skip(Path(f"{number}.txt"), "nobody reads it", 3) for number in range(5000))
    assert (result.refused, len(result.rejects)) == (99_900, SHOWN)
    assert (result.skipped_files, len(result.skipped)) == (15_000, SHOWN)
