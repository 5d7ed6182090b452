"""Parameters and multiply-accumulates of any module, counted as the papers count them.

Parameters are the trainable ones (batch norm's affine pair counts, its running statistics do not).
One multiply-accumulate counts 1, over convolutions and matrix products only. Efficient channel
attention's one filter, which slides over the channels' means, is left out, as in timm's figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

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
    convolution = torch.ops.aten.convolution
    counter = FlopCounterMode(display=False, custom_mapping={convolution: _convolution_flops})
    try:
        with torch.no_grad(), counter:
            module.eval()(torch.zeros(shape, device=device))
    finally:
        module.train(was_training)
    return int(counter.get_total_flops()) // 2


def _convolution_flops(
    x: Sequence[int],
    weight: Sequence[int],
    bias: Sequence[int] | None,
    stride: object,
    padding: object,
    dilation: object,
    transposed: bool,
    *others: object,
    out_shape: Sequence[int],
    **options: Any,  # Any: what the counter hands on besides
) -> int:
    """Count as torch does, but nothing for a single filter on a single channel of one axis."""
    from torch.utils.flop_counter import conv_flop_count

    if len(x) == 3 and tuple(weight[:2]) == (1, 1):
        return 0
    return int(conv_flop_count(list(x), list(weight), list(out_shape), transposed=transposed))
