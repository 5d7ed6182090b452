"""Parameters and multiply-accumulates of any module, counted as the papers count them.

Parameters are the trainable ones (batch norm's affine pair counts, its running statistics do not).
One multiply-accumulate counts 1, over convolutions and matrix products only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgezoo.types import Shape

if TYPE_CHECKING:
    from torch import nn


def count_params(module: nn.Module) -> int:
    """Return the number of parameters; a tensor shared by two layers counts once."""
    return sum(parameter.numel() for parameter in module.parameters())


def count_macs(module: nn.Module, shape: Shape) -> int:
    """Return the multiply-accumulates of one forward pass on an input of ``shape``.

    Runs on the device where the module lives; on ``meta`` nothing is computed. The module is put
    into eval mode for the pass and back.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    devices = [parameter.device for parameter in module.parameters()]
    device = devices[0] if devices else torch.device("cpu")
    was_training = module.training
    counter = FlopCounterMode(display=False)
    try:
        with torch.no_grad(), counter:
            module.eval()(torch.zeros(shape, device=device))
    finally:
        module.train(was_training)
    return int(counter.get_total_flops()) // 2
