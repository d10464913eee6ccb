"""Float32 that is float32: GPUs round the inputs of float32 convolutions and recurrences unless told not to."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def exact_float32(device: torch.device) -> Iterator[None]:
    """Inference without autocast, without TF32 and with cuDNN's deterministic kernels.

    PyTorch lets cuDNN use TF32 (10 bits of mantissa) by default, which moves codes and embeddings as bfloat16 does. Matrix
    products are in full float32 by default, and are left as `torch.set_float32_matmul_precision` says.
    """
    with (
        torch.inference_mode(),
        torch.autocast(device.type, enabled=False),
        torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
    ):
        yield
