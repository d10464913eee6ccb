"""What a worker process does with a task, whoever started it."""

from __future__ import annotations

import os
import pickle
import traceback
from collections.abc import Callable
from typing import Any

from motionunion.engines.memory import data_limit

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def settle_in() -> None:
    """Make a process one of many, before numpy and Arrow are imported into it."""
    for name in _THREADS:
        os.environ.setdefault(name, "1")  # as many threads as workers would fight each other
    # Arrow's own allocators reserve a gigabyte at the first touch and hand memory back late.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")


def attempt(work: Callable[[Any], Any], task: Any, may_take: int | None = None) -> tuple[Any, Exception | None]:
    """Result of a task, or the exception that it raised; `may_take` bounds the process's memory (`data_limit`)."""
    try:
        with data_limit(may_take):
            return work(task), None
    except MemoryError:
        return None, MemoryError()  # its traceback would hold on to what filled the memory
    except Exception as error:  # noqa: BLE001 - it is raised again on the other side
        return None, _portable(error)


def _portable(error: Exception) -> Exception:
    """The error, if it survives the way to the parent; else its text."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    except Exception:  # noqa: BLE001 - an exception's constructor may do anything
        return RuntimeError("".join(traceback.format_exception(error)))
    error.add_note("".join(traceback.format_exception(error)))
    return error
