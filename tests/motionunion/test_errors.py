"""Errors cross process borders whole: a worker's message and exit code reach the person."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from motionunion.errors import ClipError, ConfigError, MissingExtra, MissingInput, MotionUnionError, SourceFormatError


@pytest.mark.parametrize(
    "error",
    [
        SourceFormatError(Path("a/b.bvh"), "bad value", line=7, reason="bad_value"),
        ClipError("not finite", reason="non_finite"),
        MissingExtra("torch", "train"),
        MissingInput("no corpus"),
        ConfigError("no such preset"),
    ],
)
def test_an_error_survives_the_way_back_from_a_worker(error: MotionUnionError) -> None:
    back = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes, made a moment ago
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert back.exit_code == error.exit_code
    assert back.__dict__ == error.__dict__
