"""Kill ingest at every single operation, run it again, and compare: `python -m benchmarks.crash_sweep`.

Five sweeps on a local disk and on S3 (a server on this machine), each over every place that an undisturbed run passes:

    kill         SIGKILL before, and after, every storage operation; on the local disk also at every opening, linking,
                 renaming, removing and fsync of a file of the store
    full         no space left, at the n-th write and from it on (local disk)
    read_error   the n-th read fails
    reset        the connection is reset at the n-th operation, before and after the server has acted; on S3 also on the wire

After each: what is there opens and is sound, and the same command, run again, ends in the same fingerprint and the same
shards as a run that was left alone. `--quick` takes every seventh place. Ways that take seconds each are tried at every third.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.faults.injection import Fault
from benchmarks.faults.sweeping import sweep_storage, sweep_wire
from benchmarks.faults.tcp_proxy import FaultyProxy, When

SWEEPS = (
    ("kill before", Fault(kind="kill"), False),
    ("kill after", Fault(kind="kill", after=True), False),
    ("disk full", Fault(kind="full", lasting=True), False),
    ("disk full for a moment", Fault(kind="full"), False),
    ("read error", Fault(kind="read_error"), False),
    ("connection reset before", Fault(kind="reset"), False),
    ("connection reset after", Fault(kind="reset", after=True), False),
    ("kill at a call to the disk", Fault(kind="kill"), True),
    ("disk full at a call to the disk", Fault(kind="full", lasting=True), True),
)
WIRE_SWEEPS: tuple[tuple[str, When, bool, int], ...] = (
    ("RST before the server hears", "before", False, 1),
    ("RST before its answer is heard", "after", False, 1),
    ("RST in the middle of its answer", "within", False, 3),
    ("server gone for good", "before", True, 3),
)
"""What breaks, when, whether for good, and of how many places one is taken: a run behind a dead server takes seconds."""


@contextlib.contextmanager
def s3_server() -> Iterator[FaultyProxy]:
    """An S3 server (moto) on this machine with a bucket `sweep`, and a proxy that can break the way to it."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    server_url = f"http://{host}:{port}"
    proxy = FaultyProxy(server_url, one_at_a_time=True)
    settings = {
        "AWS_ENDPOINT_URL": server_url,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "sweep",
        "AWS_SECRET_ACCESS_KEY": "sweep",
        "AWS_REGION": "us-east-1",
    }
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    boto3.client("s3", endpoint_url=server_url, region_name="us-east-1").create_bucket(Bucket="sweep")
    try:
        with proxy:
            yield proxy
    finally:
        server.stop()
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def write_source(folder: Path) -> Path:
    """A few small files of three sources: motion, captions and splits, and files that are refused."""
    from motionunion.sample import write_sample

    write_sample(folder, clips=12, seed=0, jobs=1)
    for path in [*folder.glob("bvh/*"), *folder.glob("humanml3d/*/*"), *sorted(folder.glob("smplx/*/*/*"))[2:]]:
        path.unlink()
    for path in sorted(folder.glob("amass/Synthetic_*/*/*.npz"))[8:]:
        path.unlink()
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="every seventh place")
    parser.add_argument("--where", choices=("disk", "s3", "both"), default="both")
    arguments = parser.parse_args()
    step = 7 if arguments.quick else 1
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder, s3_server() as proxy:
        os.environ["MOTIONUNION_CACHE"] = str(Path(folder) / "cache")
        source = str(write_source(Path(folder) / "source"))
        for where, url in (("disk", str(Path(folder) / "store")), ("s3", "s3://sweep/store")):
            if arguments.where not in (where, "both"):
                continue
            for name, fault, on_disk in SWEEPS:
                if where == "disk" or not (on_disk or fault.kind == "full"):
                    results.append(sweep_storage(f"{where}: {name}", url, source, fault, step, disk=on_disk))
        if arguments.where != "disk":
            for name, when, for_good, every in WIRE_SWEEPS:
                results.append(
                    sweep_wire(f"s3: {name}", "s3://sweep/store", source, proxy, when, step * every, for_good=for_good)
                )
    total = sum(result["faults"] for result in results)
    wrong = sum(len(result["wrong"]) for result in results)
    print(f"{total:,} faults injected, {wrong} of them did harm")
    if not arguments.quick:
        figures = {"faults": total, "harmful": wrong, "sweeps": results}
        results_of = "crash_sweep" if arguments.where == "both" else f"crash_sweep_{arguments.where}"
        machine.write(Path(__file__).with_name("results") / f"{results_of}.json", figures)
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
