"""How requests to an object server are made: with patience that ends, and so that Ctrl-C is heard."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from datetime import timedelta
from typing import Any, TypeVar

from motionunion.errors import MissingExtra, UsageError
from motionunion.store.remote_errors import explain

TIMEOUT_VARIABLE = "MOTIONUNION_REMOTE_TIMEOUT_S"
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 3.0
Answer = TypeVar("Answer")


def load_obstore() -> Any:
    """The library, which comes with an extra. Raises `MissingExtra`."""
    try:
        import obstore
        import obstore.exceptions
        import obstore.store
    except ImportError as error:
        raise MissingExtra("obstore", "s3") from error
    return obstore


def patience_s() -> float:
    """For how long what fails is tried again: `MOTIONUNION_REMOTE_TIMEOUT_S`, 30 where it is not set."""
    said = os.environ.get(TIMEOUT_VARIABLE, "30")
    try:
        seconds = float(said)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 86_400:
        raise UsageError(f"{TIMEOUT_VARIABLE}={said}: is not a number of seconds between 0 and 86400")
    return seconds


def pauses_s() -> Iterator[float]:
    """Ever longer pauses between tries, without end. Drawn by lot: writers that met once do not meet again."""
    pause = _FIRST_PAUSE_S
    while True:
        yield pause * (0.5 + secrets.randbelow(1000) / 1000)
        pause = min(2 * pause, _LONGEST_PAUSE_S)


def connect(scheme: str, bucket: str, prefix: str, *, silence_s: float) -> Any:
    """obstore's client for a bucket, with credentials and addresses from the environment. Asks no server yet.

    Args:
        scheme: `s3`, `gs` or `az`.
        bucket: Bucket, or Azure's container.
        prefix: What all names begin with; may be empty.
        silence_s: For how long a server may say nothing, from the first byte of a request on.
    """
    obstore = load_obstore()
    retry = {
        "max_retries": 1000,  # time decides, not their number
        "retry_timeout": timedelta(seconds=patience_s()),
        "backoff": {
            "init_backoff": timedelta(seconds=_FIRST_PAUSE_S),
            "max_backoff": timedelta(seconds=_LONGEST_PAUSE_S),
            "base": 2,
        },
    }
    # In the configuration, since `client_options` would do away with those of the environment (AWS_ALLOW_HTTP).
    config = {"connect_timeout": "5s", "read_timeout": f"{max(1, round(silence_s))}s", "timeout": "1h"}
    if scheme == "s3":
        # One request a deletion either way, and the plain one is known to every server and may be sent twice.
        config["disable_bulk_delete"] = "true"
    kind = {"s3": obstore.store.S3Store, "gs": obstore.store.GCSStore, "az": obstore.store.AzureStore}[scheme]
    try:
        return kind(bucket, prefix=prefix or None, config=config, retry_config=retry)
    except obstore.exceptions.BaseError as error:
        raise explain(error, f"{scheme}://{bucket}/{prefix}", "opening it") from error


def interruptibly(call: Callable[[], Answer]) -> Answer:
    """Do what waits for a server so that Ctrl-C ends the waiting: obstore does not look at signals meanwhile.

    What was sent may still reach the server afterwards, as it may when the process is killed.
    """
    if threading.current_thread() is not threading.main_thread():
        return call()  # signals are for the main thread
    answer: Future[Answer] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    while not wait([answer], timeout=0.5).done:
        pass  # on Windows a signal is seen between two waits only
    return answer.result()
