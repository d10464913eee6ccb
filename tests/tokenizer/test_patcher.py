from __future__ import annotations

import pytest
import torch

from tokenizer.patcher import Patcher, Unpatcher


@pytest.mark.parametrize("kind", ["haar", "rearrange"])
@pytest.mark.parametrize("patch", [2, 4])
def test_patches_and_their_inverse_equal_the_reference(read_golden, kind: str, patch: int) -> None:
    _, given, expected = read_golden("patcher")
    patched = Patcher(kind, patch)(given["x"])
    torch.testing.assert_close(patched, expected[f"patched_{kind}_{patch}"], rtol=0, atol=1e-6)
    rows = Unpatcher(kind, patch)(expected[f"patched_{kind}_{patch}"])
    torch.testing.assert_close(rows, expected[f"unpatched_{kind}_{patch}"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", ["haar", "rearrange"])
@pytest.mark.parametrize("patch", [1, 2, 8])
def test_rows_come_back_from_patches_and_those_beyond_a_whole_patch_are_cut(kind: str, patch: int) -> None:
    rows = torch.randn(2, 3, 29, generator=torch.Generator().manual_seed(patch), dtype=torch.float64)
    patches = Patcher(kind, patch).double()(rows)
    assert patches.shape == (2, 3 * patch, 29 // patch)
    whole = 29 // patch * patch
    torch.testing.assert_close(Unpatcher(kind, patch).double()(patches), rows[..., :whole], rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", ["haar", "rearrange"])
def test_a_patch_of_one_row_changes_nothing(kind: str) -> None:
    rows = torch.randn(1, 4, 7, generator=torch.Generator().manual_seed(0))
    assert torch.equal(Patcher(kind, 1)(rows), rows)
    assert torch.equal(Unpatcher(kind, 1)(rows), rows)


def test_a_haar_patch_parts_what_two_rows_share_from_what_they_differ_by() -> None:
    patches = Patcher("haar", 2)(torch.tensor([[[3.0, 1.0, 2.0, 2.0]]]))
    torch.testing.assert_close(patches, torch.tensor([[[4.0, 4.0], [2.0, 0.0]]]) / 8**0.5)
