"""What a run would read, what is missing, and what it would take: said before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from manifests import source_manifest
from motionunion.errors import MissingInput
from motionunion.ingest.outstanding import portions
from motionunion.ingest.plan import Listed, cut_tasks, list_claims
from motionunion.ingest.share import Share
from motionunion.sources import Claim, ReadOptions
from motionunion.sources.detect import Detection
from motionunion.store.ledger import Ledger
from motionunion.store.location import storage_at
from motionunion.store.storage import Storage
from motionunion.store.store import Store, open_store, refuse_other_files

# Coarse, and meant to be: megabytes of input a second on one core of a laptop, and bytes kept per byte read. Text
# shrinks most, feature files hardly.
_SPEED_MB_S = {".bvh": 8.0, ".npz": 12.0, ".npy": 6.0}
_KEPT = {".bvh": 0.25, ".npz": 0.5, ".npy": 1.4}
_OTHER_SPEED_MB_S, _OTHER_KEPT = 10.0, 0.5
_S_PER_FILE = 0.002


@dataclass(slots=True, kw_only=True)
class SourcePlan:
    """What would be read of one source."""

    source: str
    roots: list[str] = field(default_factory=list)
    files: int = 0
    bytes: int = 0
    up_to_date: int = 0
    """Files that an earlier run has read, and that are as they were."""
    seconds: float = 0.0
    """Rough estimate."""
    disk_bytes: int = 0
    """Rough estimate."""


@dataclass(slots=True, kw_only=True)
class Plan:
    """What `ingest` would do."""

    store: str
    exists: bool
    jobs: int
    tasks: int
    sources: list[SourcePlan]
    skipped: list[dict[str, Any]]
    missing: list[str]
    """What would be missed later, with the command or the place that brings it."""

    @property
    def seconds(self) -> float:
        """Rough estimate of the whole run."""
        return sum(source.seconds for source in self.sources) / max(1, min(self.jobs, self.tasks))


def look_ahead(
    detection: Detection, store: str | Path, options: ReadOptions, jobs: int, share: Share | None = None
) -> Plan:
    """The plan of a run, or of a share of it, over a detection. Reads names and sizes only, and the store where there is one."""
    opened = _existing(store)
    try:
        return _plan(detection, storage_at(store), opened, options, jobs, share)
    finally:
        if opened is not None:
            opened.close()


def _plan(
    detection: Detection, storage: Storage, opened: Store | None, options: ReadOptions, jobs: int, share: Share | None
) -> Plan:
    listing, doubles = list_claims(detection.claims, options)
    dealt = [task for task in cut_tasks(listing, options, storage) if share is None or share.holds(task)]
    known: set[tuple[str, str]] = set()
    if opened is not None:
        ledger = Ledger(opened.storage, opened.state)
        for portion in portions(dealt):
            known.update(ledger.up_to_date([listed.covered("") for task in portion for listed in task.files]))
        ledger.close()
    tasks = [task for task in dealt if any((listed.ref.source, listed.ref.key) not in known for listed in task.files)]
    plans: dict[str, SourcePlan] = {}
    for claim in detection.claims:
        plans.setdefault(claim.source, SourcePlan(source=claim.source)).roots.append(str(claim.root))
    for listed in (listed for task in dealt for listed in task.files):
        plan = plans[listed.ref.source]
        plan.files += 1
        plan.up_to_date += (listed.ref.source, listed.ref.key) in known
    for task in tasks:
        _estimate(plans[task.source], task.files)
    return Plan(
        store=storage.url,
        exists=opened is not None,
        jobs=jobs,
        tasks=len(tasks),
        sources=list(plans.values()),
        skipped=[skip.to_json() for skip in (*detection.skipped, *doubles, *detection.unopened)],
        missing=list(_missing(detection.claims, options, opened)),
    )


def _existing(store: str | Path) -> Store | None:
    try:
        return open_store(store)
    except MissingInput:
        refuse_other_files(storage_at(store))
        return None


def _estimate(plan: SourcePlan, files: Sequence[Listed]) -> None:
    for listed in files:
        suffix = listed.ref.path.suffix.lower()
        plan.bytes += listed.size
        plan.seconds += listed.size / 1e6 / _SPEED_MB_S.get(suffix, _OTHER_SPEED_MB_S) + _S_PER_FILE
        plan.disk_bytes += int(listed.size * _KEPT.get(suffix, _OTHER_KEPT))


def _missing(claims: Sequence[Claim], options: ReadOptions, store: Store | None) -> Iterable[str]:
    sources = {claim.source for claim in claims}
    annotated = store is not None and bool(
        store.rows("SELECT 1 FROM receipts WHERE source = 'humanml3d' AND outcome <> 'reject' LIMIT 1")
    )
    amass = sorted(name for name in sources if name.startswith("amass"))
    if amass and "humanml3d" not in sources and not annotated:
        yield (
            "captions and splits of AMASS: it has none of its own; `motionunion ingest HUMANML3D_FOLDER` (texts/, index.csv, "
            "train.txt, val.txt, test.txt) attaches them, before or after"
        )
    posed = sorted(name for name in sources if _moves_a_body_model(name))
    if posed and options.body_models is None:
        yield (
            f"body models: without --body-models DIR the clips of {', '.join(posed)} move the template body, and nothing "
            "computed from them is comparable with published numbers"
        )
    for claim in claims:
        if claim.source == "humanml3d":
            yield from _missing_of_humanml3d(claim)


def _moves_a_body_model(source: str) -> bool:
    manifest = source_manifest(source)
    return bool(manifest.get("rotations")) and str(manifest.get("skeleton", "")).startswith("smpl22")


def _missing_of_humanml3d(claim: Claim) -> Iterable[str]:
    names = {path.name for path in claim.files} | {path.parent.name for path in claim.files}
    brings = {
        "texts": "captions (unzip texts.zip of the HumanML3D repository)",
        "index.csv": "which AMASS file each id comes from, hence leak-free splits (in the HumanML3D repository)",
        "train.txt": "the official train split",
        "val.txt": "the official validation split",
        "test.txt": "the official test split, on which `scamo eval humanml3d` is computed",
    }
    for name, what in brings.items():
        if name not in names:
            yield f"{claim.root / name}: {what}"
