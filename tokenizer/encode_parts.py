"""The parts of a corpus, encoded in this process, in several or on a Ray cluster: the same bytes by whomever.

A part follows from the listing of windows alone, a batch lies within one part, and on a CPU each part is encoded by one thread,
as the order in which a sum is added up may follow the number of threads. Several processes take the place of threads.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from motionunion.digest import write_atomic
from motionunion.engines.process_pool import ProcessPool
from motionunion.engines.protocol import Executor
from motionunion.engines.ray_tasks import RayTasks, ray_module
from motionunion.engines.serial import Serial
from motionunion.errors import MissingInput, UsageError
from motionunion.features import FeatureSet
from motionunion.progress import Progress
from motionunion.windows import Window
from tokenizer.checkpoint import Tokenizer
from tokenizer.corpus_schema import part_bytes

ENGINES = ("pool", "ray")
POOL_FROM_PARTS = 4
"""Fewer parts are encoded here, where nobody said how many processes: a worker takes seconds to load torch."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a corpus."""

    number: int
    """Counted over all splits."""
    split: str
    file: str
    windows: list[Window]
    beside: list[Mapping[str, Any]]
    """What the rows say besides; see `corpus_schema.part_bytes`."""

    @property
    def rows(self) -> int:
        """Feature rows."""
        return sum(window.rows for window in self.windows)


@dataclass(frozen=True, slots=True)
class Place:
    """Where another process finds what it encodes, with what, and where to: absolute, as a worker of a cluster that was
    there before stands in another folder than this process."""

    tokenizer: Path
    tokenizer_hash: str
    features: Path
    folder: Path


def encode_parts(
    parts: Sequence[Part],
    tokenizer: Tokenizer,
    tokenizer_folder: Path,
    features: FeatureSet,
    folder: Path,
    *,
    engine: str | None,
    jobs: int | None,
    progress: Progress,
) -> None:
    """Write every part that `folder` does not have yet, each whole or not at all.

    Args:
        parts: All parts of the corpus.
        tokenizer: On the device that encodes; `cuda` means all GPUs where there are several.
        tokenizer_folder: From where other processes load it.
        features: Where they are.
        folder: Of the corpus.
        engine: `pool`, `ray`, or None: a pool where there is enough to do.
        jobs: Processes; None = one for every core, or GPU.
        progress: Told of rows encoded.

    Raises:
        UsageError: No such engine, or a number of jobs below one.
        MissingExtra: If Ray is wanted and not installed.
        MissingInput: If a worker process died, or sees no GPU where one is to encode, or no cluster answers.
    """
    check_workers(engine, jobs)
    missing = [part for part in parts if not (folder / part.file).is_file()]
    devices = _devices(tokenizer)
    executor = _executor(engine, jobs, len(missing), devices)
    place = Place(tokenizer_folder.resolve(), tokenizer.hash, features.path.resolve(), folder.resolve())
    work = (
        partial(write_part, tokenizer, features.values, folder)
        if isinstance(executor, Serial)
        else partial(write_part_of, place, devices)
    )
    progress.start("encoding the store", float(sum(part.rows for part in parts)), "rows")
    try:
        progress.advance(float(sum(part.rows for part in parts) - sum(part.rows for part in missing)))
        for done in executor.run(work, deque(missing)):
            if done.died is not None:
                raise MissingInput(
                    f"a worker process died ({done.died}) while it encoded {done.task.file}, most likely for lack of memory; "
                    "what is finished is kept, run the same command again with fewer --jobs"
                )
            progress.advance(float(done.task.rows))
    finally:
        progress.finish()


def write_part(tokenizer: Tokenizer, values_ND: npt.NDArray[np.float32], folder: Path, part: Part) -> None:
    """Encode one part and write its file."""
    rows = [np.asarray(values_ND[window.start : window.start + window.rows]) for window in part.windows]
    with _one_thread():
        codes = tokenizer.encode(rows)
    write_atomic(folder / part.file, part_bytes(part.windows, codes, part.beside, tokenizer.codebook_size))


def write_part_of(place: Place, devices: Sequence[str], part: Part) -> None:
    """What a worker process does."""
    tokenizer, features = _opened(place, devices[part.number % len(devices)])
    write_part(tokenizer, features.values, place.folder, part)


@lru_cache(maxsize=1)
def _opened(place: Place, device: str) -> tuple[Tokenizer, FeatureSet]:
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise MissingInput(
            f"a worker on {socket.gethostname()} sees no GPU, and {device} is to encode: add --device cpu"
        )
    tokenizer = Tokenizer.load(place.tokenizer, device)
    if tokenizer.hash != place.tokenizer_hash:
        raise MissingInput(f"{place.tokenizer} holds another tokenizer than when encoding began; run the command again")
    return tokenizer, FeatureSet.load(place.features)


def _devices(tokenizer: Tokenizer) -> tuple[str, ...]:
    device = next(tokenizer.model.parameters()).device
    if device.type == "cuda" and device.index in (None, 0) and torch.cuda.device_count() > 1:
        return tuple(f"cuda:{index}" for index in range(torch.cuda.device_count()))
    return (str(device),)


def check_workers(engine: str | None, jobs: int | None) -> None:
    """Refuse workers that cannot be, before anything is trained for them; see `encode_parts`.

    Raises:
        UsageError: No such engine, or a number of jobs below one.
        MissingExtra: If Ray is wanted and not installed.
    """
    if engine not in (None, *ENGINES):
        raise UsageError(f"engine: {engine!r} is not one of {', '.join(ENGINES)}")
    if jobs is not None and jobs < 1:
        raise UsageError(f"jobs: must be at least 1, got {jobs}")
    if engine == "ray":
        ray_module()


def _executor(engine: str | None, jobs: int | None, tasks: int, devices: Sequence[str]) -> Executor:
    if engine == "ray":
        return RayTasks(jobs)
    cores = os.cpu_count() or 1 if devices == ("cpu",) else len(devices)
    workers = min(cores if jobs is None else jobs, tasks)
    worth_it = tasks >= POOL_FROM_PARTS or jobs is not None or engine == "pool"
    return ProcessPool(workers) if workers > 1 and worth_it else Serial()


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
