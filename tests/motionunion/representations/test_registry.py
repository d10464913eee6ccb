from __future__ import annotations

import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

from motionunion.errors import UsageError
from motionunion.representations import RepresentationError, encode, registry


def test_an_unknown_id_is_refused_with_the_known_ones() -> None:
    with pytest.raises(RepresentationError, match="hml263@20/compat") as caught:
        encode(np.zeros((5, 22, 3)), "hml263@30", fps=30)
    assert isinstance(caught.value, UsageError)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("representation_id", registry.ids())
def test_every_entry_is_consistent(representation_id: str) -> None:
    entry = registry.get(representation_id)
    assert entry.id == representation_id
    assert Fraction(entry.id.split("@")[1].split("/")[0]) == entry.rate
    assert [first for first, _ in entry.blocks] == [0, *(stop for _, stop in entry.blocks[:-1])]
    assert entry.blocks[-1][1] == entry.dims
    assert set(entry.root_blocks) <= set(entry.blocks)
    assert len(entry.parameter_hash) == 64


def test_a_training_machine_can_decode_with_numpy_alone() -> None:
    code = (
        "import sys; import motionunion.representations.registry as r; r.get('hml263@20/compat');"
        "print([m for m in ('scipy', 'pyarrow', 'polars', 'duckdb', 'torch') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
