from __future__ import annotations

import pytest

from motionunion.errors import ConfigError, UsageError
from tokenizer.sweep.grid import plan_cells, read_codebooks, read_quantizers


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("256..2048", (256, 512, 1024, 2048)),
        ("256..65536", (256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)),
        ("512", (512,)),
        ("1024, 256", (256, 1024)),
        ("256..512,300,512", (256, 300, 512)),
        ("4..4", (4,)),
    ],
)
def test_codebooks_are_powers_between_ends_and_sizes_with_commas(text: str, sizes: tuple[int, ...]) -> None:
    assert read_codebooks(text) == sizes


@pytest.mark.parametrize("text", ["", "many", "256..", "..256", "512..256", "300..512", "0..8", "256;512"])
def test_what_is_no_list_of_sizes_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--codebooks"):
        read_codebooks(text)


def test_quantisers_keep_their_order_and_unknown_ones_are_named_with_what_there_is() -> None:
    assert read_quantizers("vq, fsq,vq") == ("vq", "fsq")
    with pytest.raises(UsageError, match=r"'vqvae'.*vq-no-reset"):
        read_quantizers("fsq,vqvae")


def test_cells_differ_in_quantiser_and_size_alone() -> None:
    cells = plan_cells([256, 1024], ["fsq", "vq", "vq-no-reset"], preset="small", steps=100)
    assert [cell.name for cell in cells] == [
        "fsq-256", "fsq-1024", "vq-256", "vq-1024", "vq-no-reset-256", "vq-no-reset-1024",
    ]  # fmt: skip
    assert len({str(cell.preset.training) for cell in cells}) == 1
    assert [cell.preset.model.codebook_size for cell in cells] == [240, 1000, 256, 1024, 256, 1024]
    assert [getattr(cell.preset.model.quantizer, "reset", None) for cell in cells] == [
        None,
        None,
        True,
        True,
        False,
        False,
    ]


def test_a_short_sweep_warms_up_for_a_fifth_and_nothing_begins_again() -> None:
    training = plan_cells([256], ["fsq"], preset="small", steps=100)[0].preset.training
    assert (training.steps, training.warmup_steps) == (100, 20)
    assert (training.guard_steps, training.restarts) == ((), 0)
    assert plan_cells([256], ["fsq"], preset="small")[0].preset.training.warmup_steps == 200


def test_values_of_the_recipe_may_be_changed_and_those_of_a_quantiser_may_not() -> None:
    cell = plan_cells([256], ["vq"], preset="tiny", changes={"model": {"width": 24}, "training": {"batch": 3}})[0]
    assert (cell.preset.model.width, cell.preset.training.batch) == (24, 3)
    with pytest.raises(UsageError, match="settings of their own"):
        plan_cells([256], ["vq"], preset="tiny", changes={"quantizer": {"reset": False}})
    with pytest.raises(UsageError, match=r"training\.guard_steps: nothing guards"):
        plan_cells([256], ["vq"], preset="tiny", changes={"training": {"guard_steps": [10]}})


def test_a_size_without_levels_is_refused_for_fsq() -> None:
    assert plan_cells([300], ["vq"], preset="tiny")[0].preset.model.codebook_size == 300
    with pytest.raises(ConfigError, match="300"):
        plan_cells([300], ["fsq"], preset="tiny")
