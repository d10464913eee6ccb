"""One small sample for the tests of this folder, and motions of every action."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from motionunion.body import TEMPLATE
from motionunion.kinematics import forward_kinematics
from motionunion.sample import SampleResult, write_sample
from motionunion.sample.performer import Performer
from motionunion.sample.posing import Performance
from motionunion.sample.take import ACTIONS, Take, rehearse
from motionunion.skeleton import SMPL22_PARENTS

FPS = 60.0


@dataclass(frozen=True, eq=False)
class Shown:
    """One take of one action, posed at 60 fps."""

    action: str
    take: Take
    posed: Performance
    joints: npt.NDArray[np.float64]

    @property
    def texts(self) -> list[str]:
        return [caption.text for part in self.take.parts for caption in part.captions]


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleResult:
    return write_sample(tmp_path_factory.mktemp("sample"), seed=3, clips=24, jobs=1)


@pytest.fixture(scope="session")
def root(sample: SampleResult) -> Path:
    return sample.root


@pytest.fixture(scope="session")
def shown() -> list[Shown]:
    """Six takes of every action."""
    takes = []
    for number, action in enumerate(ACTIONS):
        for seed in range(6):
            rng = np.random.default_rng([11, number, seed])
            take = rehearse((action,), False, rng, Performer.draw(rng))
            posed = take.perform(FPS, TEMPLATE.offsets_22x3)
            joints = forward_kinematics(posed.root_T3, posed.quats_T22x4, TEMPLATE.offsets_22x3, SMPL22_PARENTS)
            takes.append(Shown(action, take, posed, joints))
    return takes
