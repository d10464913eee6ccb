"""Clips made up for the store's tests, and the work of a task done by hand."""

from __future__ import annotations

import importlib.util
import logging
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from motionunion.clip import Caption, Clip, Segment, Shipped
from motionunion.digest import canonical_json, sha256_hex
from motionunion.store.committer import Committer
from motionunion.store.receipts import Covered, Receipt
from motionunion.store.schema import annotation_rows, clip_to_row, rows_digest
from motionunion.store.shards import write_shard
from motionunion.store.store import Store, open_store


def build_clip(
    key: str, *, source: str = "made_up", frames: int = 20, seed: int = 0, joints: bool = False, **changes: object
) -> Clip:
    random = np.random.default_rng([seed, *key.encode()])

    def noise(*shape: int) -> np.ndarray:
        return random.normal(size=shape).astype(np.float32)

    clip = Clip(
        clip_id=sha256_hex(canonical_json([source, key, None]))[:32],
        source=source,
        key=key,
        uid=f"{source}/{key}",
        group=f"{source}/{key}",
        fps=Fraction(30),
        frames=frames,
        body="own",
        rotvecs_T22x3=None if joints else noise(frames, 22, 3),
        root_T3=None if joints else noise(frames, 3),
        offsets_22x3=None if joints else noise(22, 3),
        joints_T22x3=noise(frames, 22, 3) if joints else None,
        valid=(0, frames),
        labels={"content": "walk"},
        provenance={"file": key, "sha256": "0" * 64, "reader": "made_up/1", "licence": "CC0-1.0"},
    )
    return replace(clip, **changes)  # type: ignore[arg-type]


def full_clip(key: str = "full") -> Clip:
    """A clip in which every field holds something."""
    random = np.random.default_rng(7)
    return build_clip(
        key,
        frames=11,
        fps=Fraction(24000, 1001),
        official_split="val",
        gender="female",
        valid=(1, 10),
        joint_mask=np.arange(22) % 5 != 0,
        betas=random.normal(size=(16,)).astype(np.float32),
        hands_T90=random.normal(size=(11, 90)).astype(np.float32),
        face={
            "jaw": random.normal(size=(11, 3)).astype(np.float32),
            "expression": random.normal(size=(11, 10)).astype(np.float32),
        },
        shipped=Shipped(representation="hml263@20/compat", features_TD=random.normal(size=(10, 263))),
        fk_error_m=0.0125,
        flags=("synthetic", "mirrored"),
    )


class Desk:
    """Does by hand what an ingest task does: rows to shards to a receipt to a commit."""

    def __init__(self, path: Path) -> None:
        self.path = path
        open_store(path, create=True)

    def receipt(
        self,
        clips: tuple[Clip, ...] = (),
        rejects: tuple[tuple[str, str], ...] = (),
        captions: dict[str, tuple[Caption, ...]] | None = None,
        segments: dict[str, tuple[Segment, ...]] | None = None,
        stamp: str = "1",
        source: str = "made_up",
    ) -> Receipt:
        storage = open_store(self.path).storage
        captions, segments = captions or {}, segments or {}
        rows = {clip.key: clip_to_row(clip) for clip in clips}
        said = {key: annotation_rows(source, key, captions.get(key, ())) for key in {*rows, *captions, *segments}}
        cut = {key: annotation_rows(source, key, segments.get(key, ())) for key in said}
        reject_rows = [
            {"source": source, "key": key, "file": key, "reason": reason, "message": "made up", "line": None}
            for key, reason in sorted(rejects)
        ]
        shards = {
            "clips": write_shard(storage, "clips", source, (rows[key] for key in sorted(rows))),
            "captions": write_shard(storage, "captions", source, (row for key in sorted(said) for row in said[key])),
            "segments": write_shard(storage, "segments", source, (row for key in sorted(cut) for row in cut[key])),
            "rejects": write_shard(storage, "rejects", source, reject_rows),
        }
        names = {kind: shard.name if shard else None for kind, shard in shards.items()}
        common = {"source": source, "size": 1, "mtime_ns": 1, "stamp": stamp, "config": "made_up/1"}
        covered = [
            Covered(
                **common,
                key=key,
                outcome="clip" if key in rows else "annotation",
                clip_id=rows[key]["clip_id"] if key in rows else None,
                content=rows[key]["content"] if key in rows else None,
                clips_shard=names["clips"] if key in rows else None,
                captions=len(said[key]),
                captions_digest=rows_digest(said[key]),
                captions_shard=names["captions"] if said[key] else None,
                segments=len(cut[key]),
                segments_digest=rows_digest(cut[key]),
                segments_shard=names["segments"] if cut[key] else None,
            )
            for key in said
        ] + [
            Covered(**common, key=key, outcome="reject", reason=reason, rejects_shard=names["rejects"])
            for key, reason in rejects
        ]
        covered.sort(key=lambda one: one.key)
        return Receipt(covered=tuple(covered), shards=tuple(shard for shard in shards.values() if shard))

    def commit(self, *receipts: Receipt) -> Store:
        store = open_store(self.path)
        committer = Committer(store.storage, "made up")
        for receipt in receipts:
            committer.add(receipt)
        committer.flush()
        committer.close()
        return open_store(self.path)


@pytest.fixture
def make_clip() -> Callable[..., Clip]:
    return build_clip


@pytest.fixture
def everything_clip() -> Clip:
    return full_clip()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "store")


@pytest.fixture(scope="session")
def tcp_proxy() -> ModuleType:
    """The module of the proxy that breaks connections; it belongs to the crash sweep, which is no part of a package."""
    path = Path(__file__).parents[3] / "benchmarks" / "faults" / "tcp_proxy.py"
    spec = importlib.util.spec_from_file_location("tcp_proxy", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["tcp_proxy"] = module  # where dataclasses look up their own module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def object_server() -> Iterator[str]:
    """Address of an S3 server in this process, with nothing in it but what the tests put there."""
    pytest.importorskip("obstore", reason="obstore is not installed: pip install 'motionunion[s3]'")
    pytest.importorskip("moto", reason="moto is not installed: pip install 'motionunion[dev]'")
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request otherwise
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def object_proxy(object_server: str, tcp_proxy: ModuleType) -> Iterator[ModuleType]:
    with tcp_proxy.FaultyProxy(object_server, one_at_a_time=True) as proxy:
        yield proxy


_BUCKETS = count()


@pytest.fixture
def bucket(object_server: str, object_proxy: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URL of a new bucket, with all requests to it through `object_proxy`, which counts from 1 again."""
    name = f"bucket-{next(_BUCKETS)}"
    urllib.request.urlopen(urllib.request.Request(f"{object_server}/{name}", method="PUT")).close()
    for variable, value in {
        "AWS_ACCESS_KEY_ID": "made-up",
        "AWS_SECRET_ACCESS_KEY": "made-up",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": object_proxy.endpoint,
        "AWS_ALLOW_HTTP": "true",
        "MOTIONUNION_REMOTE_TIMEOUT_S": "10",
    }.items():
        monkeypatch.setenv(variable, value)
    object_proxy.forget()
    yield f"s3://{name}"
    object_proxy.plan = lambda request: None


class Stub:
    """A server that says what a test wants."""

    def __init__(self) -> None:
        self.answer: Callable[..., tuple[Any, ...]] = lambda method, path, headers, body: (500, b"")
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *words: object) -> None:
                pass

            def serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                stub.requests.append((self.command, self.path, dict(self.headers), body))
                status, said, *more = stub.answer(self.command, self.path, self.headers, body)
                headers = {"ETag": '"1"', "Last-Modified": "Sun, 22 Nov 2026 20:00:00 GMT", "x-goog-generation": "1"}
                self.send_response(status)
                for name, value in {**headers, **(more[0] if more else {})}.items():
                    self.send_header(name, value)
                if status == 206:
                    first = int(self.headers["range"].removeprefix("bytes=").partition("-")[0])
                    self.send_header("Content-Range", f"bytes {first}-{first + len(said) - 1}/5")
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(said)

            do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = serve

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def stub(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    """A server that says what a test wants; whoever uses `bucket` as well talks to this one."""
    pytest.importorskip("obstore", reason="obstore is not installed: pip install 'motionunion[s3]'")
    stub = Stub()
    thread = threading.Thread(target=stub.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    if "bucket" in request.fixturenames:
        request.getfixturevalue("bucket")  # sets the address of its own server first
    monkeypatch.setenv("AWS_ENDPOINT_URL", stub.endpoint)
    yield stub
    stub.server.shutdown()
    stub.server.server_close()
