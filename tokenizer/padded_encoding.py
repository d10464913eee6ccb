"""An encoder over clips of different lengths side by side, each as if it were alone.

Padding is no zero for long: the first bias makes values of it, and the next convolution would carry them into the clip. So
whatever enters a convolution is set to zero behind each clip's end, where a clip alone has the convolution's own zeros.
Shapes: B clips, C channels, T rows of the longest.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from tokenizer.layers import LeftPadded


@contextlib.contextmanager
def ends_kept(encoder: nn.Module, lengths: Tensor, rows: int) -> Iterator[None]:
    """While it lasts, the encoder takes batches (B, C, `rows`) of clips with `lengths` (B,) rows.

    The first `lengths // rows_per_code` codes of each are those of the clip alone, but for the order in which a sum was added up.
    Every norm but a group norm looks at one row at a time; that one looks at all rows, and its batches have to be of one length.

    Args:
        encoder: Of any configuration; used in inference, as what enters its convolutions is overwritten.
        lengths: On the encoder's device.
        rows: Rows of the batch, a multiple of the rows of a code.
    """

    def keep(module: nn.Module, inputs: tuple[Tensor]) -> None:
        (x,) = inputs
        # Halvings and patches round down, at each layer as over all of them.
        lengths_here = lengths // (rows // x.shape[-1])
        behind = torch.arange(x.shape[-1], device=x.device) >= lengths_here[:, None]
        x.masked_fill_(behind[:, None, :], 0.0)

    handles = [
        module.register_forward_pre_hook(keep)
        for module in encoder.modules()
        # One row alone has no neighbour, and a causal convolution never sees what comes behind.
        if isinstance(module, nn.Conv1d) and module.kernel_size[0] > 1 and not isinstance(module, LeftPadded)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
