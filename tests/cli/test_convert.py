"""`motionunion convert` as a person calls it."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from cli.convert import convert
from cli.show import help_of

app = typer.Typer(pretty_exceptions_enable=False)
app.command(help=help_of(convert))(convert)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def features(tmp_path: Path) -> Path:
    """Joints of somebody who stands and sways, as features."""
    from motionunion.body import TEMPLATE
    from motionunion.motion import posed
    from motionunion.representations import encode
    from motionunion.rotation import from_rotvec

    sway = 0.2 * np.sin(np.arange(60)[:, None, None] / 5.0 + np.arange(22)[:, None]) * [1.0, 0.0, 0.0]
    root = np.tile([1.0, 0.95, 2.0], (60, 1))
    path = tmp_path / "in.npy"
    np.save(path, encode(posed(Fraction(30), root, from_rotvec(sway), TEMPLATE.offsets_22x3), "ms272@30"))
    return path


def test_what_was_done_and_lost_is_shown(features: Path, tmp_path: Path) -> None:
    result = call(features, tmp_path / "out.npy", "--from", "ms272@30", "--to", "hml263@20")
    assert result.exit_code == 0, result.output
    for words in ("39 x 263", "60 at 30 fps", "low-passed", "joints off", "lost: rotations", "the last 1 of 40"):
        assert words in result.output
    assert np.load(tmp_path / "out.npy", allow_pickle=False).shape == (39, 263)


def test_json_holds_the_measured_numbers(features: Path, tmp_path: Path) -> None:
    result = call(features, tmp_path / "out.npy", "--from", "ms272@30", "--to", "ms272@30", "--fps", "60", "--json")
    found = json.loads(result.stdout)
    assert (found["fps"], found["rate"], found["rows"], found["frames"]) == (60.0, 30.0, 30, 30)
    assert found["joints_max_m"] < 1e-6
    assert found["rotations_max_deg"] < 1e-4
    assert found["lost"] == {}


def test_a_refusal_leaves_nothing_behind(features: Path, tmp_path: Path) -> None:
    result = call(features, tmp_path / "out.npy", "--from", "ms272@30", "--to", "ms272@31")
    assert result.exit_code != 0
    assert not (tmp_path / "out.npy").exists()
