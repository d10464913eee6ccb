"""Strike an ingest at every place, run it again, and compare with one that was left alone.

Every run is a process of its own, forked from one that has imported what they need, so that a SIGKILL is a real one.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.faults.injection import Fault, Stopped, faulty, watch_disk
from benchmarks.faults.tcp_proxy import FaultyProxy, When, no_fault, reset_at

_FORK = multiprocessing.get_context("forkserver")
_FORK.set_forkserver_preload(
    [
        "motionunion.ingest.run",
        "motionunion.engines.serial",
        "motionunion.store.check",
        "motionunion.store.index",
        "obstore",
    ]
)


def clear(url: str) -> None:
    """Remove a store."""
    if "://" not in url:
        shutil.rmtree(url, ignore_errors=True)
        return
    from motionunion.store.location import storage_at

    storage = storage_at(url)
    for entry in list(storage.list("")):
        storage.delete(entry.name)


def ingest_once(url: str, source: str, fault: Fault, disk: bool = False) -> None:
    """One run of ingest in this process, a commit for each task, with a fault in its way."""
    from motionunion.engines.serial import Serial
    from motionunion.ingest.run import ingest
    from motionunion.store import committer
    from motionunion.store.location import storage_at
    from motionunion.store.store import open_store

    committer.COMMIT_EVERY_S = 0.0
    storage = storage_at(url)
    if disk:
        watch_disk(Path(url), fault)
    else:
        storage = faulty(storage, fault)
    store = open_store(url, create=True, storage=storage)
    ingest([source], store, executor=Serial())


def outcome_of(
    url: str, source: str, fault: Fault, disk: bool = False, environment: Mapping[str, str] | None = None
) -> str:
    """What became of a run: `completed`, `stopped`, or the words of its error; `BUG` where no person could read them.

    `environment` is for this process, for the rest of its life.
    """
    from motionunion.errors import MotionUnionError

    os.environ.update(environment or {})
    try:
        ingest_once(url, source, fault, disk)
    except Stopped:
        return "stopped"
    except MotionUnionError as error:
        return f"error: {error}"
    except BaseException:  # noqa: BLE001 - whatever else comes out is what this sweep looks for
        return f"BUG: {traceback.format_exc()}"
    return "completed"


def state_of(url: str) -> dict[str, Any]:
    """Fingerprint, shards and damage of what is there; empty where there is no store yet."""
    from motionunion.errors import MissingInput
    from motionunion.store.check import check_store
    from motionunion.store.store import open_store

    try:
        with open_store(url) as store:
            report = check_store(url)
            return {
                "fingerprint": store.fingerprint(),
                "shards": sorted(store.state.shards),
                "clips": sorted(str(row) for row in store.rows("SELECT clip_id, content FROM clips")),
                "damage": [f"{one['file']}: {one['problem']}" for one in report.damage],
            }
    except MissingInput:
        return {}


def problems(url: str, source: str, reference: dict[str, Any], outcome: str) -> list[str]:
    """What is wrong after a fault, and after running again."""
    found = [outcome] if outcome.startswith("BUG") else []
    left = state_of(url)
    if left:
        found += [f"after the fault: {one}" for one in left["damage"]]
        if not set(left["clips"]) <= set(reference["clips"]):
            found.append("after the fault: a clip that no undisturbed run gives")
    again = outcome_of(url, source, Fault())
    now = state_of(url)
    if again != "completed":
        found.append(f"run again: {again}")
    for what in ("fingerprint", "shards", "damage"):
        if now.get(what) != reference[what]:
            found.append(f"run again: {what} differs: {now.get(what)}")
    return found


def _in_child(connection: Any, work: Any, arguments: tuple[Any, ...]) -> None:
    connection.send(work(*arguments))


def apart(work: Any, *arguments: Any) -> Any:
    """The result of a call in a process of its own; `killed` where it died."""
    ours, theirs = _FORK.Pipe()
    process = _FORK.Process(target=_in_child, args=(theirs, work, arguments))
    process.start()
    theirs.close()
    try:
        answer = ours.recv()
    except EOFError:
        answer = "killed"
    process.join()
    return answer


def places(url: str, source: str, fault: Fault, disk: bool) -> list[str]:
    """Every operation that a fault of this kind may strike in an undisturbed run."""
    counting = Fault(kind=fault.kind, at=0)
    ingest_once(url, source, counting, disk)
    return counting.seen


def sweep(
    name: str, url: str, source: str, operations: list[str], strike: Callable[[int], str], step: int
) -> dict[str, Any]:
    """Strike at every place (every `step`-th), run again, compare.

    Args:
        name: For the table.
        url: Where the store lies; it is removed before every strike.
        source: What is ingested.
        operations: The places, in words.
        strike: Runs an ingest with the fault at a place, from 1; returns what became of it.
        step: 1 for every place.
    """
    reference = apart(state_of, url)
    outcomes: Counter[str] = Counter()
    wrong: list[dict[str, Any]] = []
    for at in range(1, len(operations) + 1, step):
        apart(clear, url)
        outcome = strike(at)
        outcomes[outcome.partition(":")[0]] += 1
        found = apart(problems, url, source, reference, outcome)
        if found:
            wrong.append({"at": at, "operation": operations[at - 1], "problems": found})
    injected = sum(outcomes.values())
    print(
        f"{name:36} {len(operations):6,} places   {injected:6,} faults   {dict(outcomes)}   {len(wrong)} wrong",
        flush=True,
    )
    for one in wrong[:5]:
        print(f"    {one['at']} {one['operation']}: {' | '.join(one['problems'])[:2000]}")
    return {"sweep": name, "places": len(operations), "faults": injected, "outcomes": dict(outcomes), "wrong": wrong}


def sweep_storage(name: str, url: str, source: str, fault: Fault, step: int, *, disk: bool = False) -> dict[str, Any]:
    """Strike at every operation of the storage, or (`disk`) at every call to the disk below it."""
    undisturbed(url, source)
    operations = apart(places, f"{url}-places", source, fault, disk)
    apart(clear, f"{url}-places")

    def strike(at: int) -> str:
        struck = Fault(kind=fault.kind, at=at, after=fault.after, lasting=fault.lasting)
        return str(apart(outcome_of, url, source, struck, disk))

    return sweep(name, url, source, operations, strike, step)


def sweep_wire(
    name: str, url: str, source: str, proxy: FaultyProxy, when: When, step: int, *, for_good: bool = False
) -> dict[str, Any]:
    """Break the connection to an object server at every request, once or (`for_good`) from there on."""
    through = {"AWS_ENDPOINT_URL": proxy.endpoint}
    undisturbed(url, source)
    apart(clear, url)
    proxy.forget()
    apart(outcome_of, url, source, Fault(), False, through)
    operations = [f"{request.method} {request.path}" for request in proxy.requests]
    if for_good:
        through["MOTIONUNION_REMOTE_TIMEOUT_S"] = "1"

    def strike(at: int) -> str:
        proxy.forget()
        proxy.plan = reset_at(at, when, times=1 << 40 if for_good else 1)
        try:
            return str(apart(outcome_of, url, source, Fault(), False, through))
        finally:
            proxy.plan = no_fault

    return sweep(name, url, source, operations, strike, step)


def undisturbed(url: str, source: str) -> None:
    """Make the store once, with nothing in the way."""
    apart(clear, url)
    outcome = apart(outcome_of, url, source, Fault())
    if outcome != "completed":
        raise RuntimeError(f"an ingest that nothing disturbed ended otherwise: {outcome}")
