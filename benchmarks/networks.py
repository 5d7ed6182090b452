"""Variants of zoo networks that only the benchmarks need."""

from __future__ import annotations

import torch
from torch import nn

from edgezoo.models.registry import get_model
from edgezoo.models.shufflenet import ShuffleNetV1, ShuffleUnit


def shufflenet_relu_before_concat() -> nn.Module:
    """Return ShuffleNet v1 (g=3, 1.0x) with the ReLU on the main branch alone, as megvii writes it.

    The same function as the paper's ReLU behind the concat, but rewritten by hand: it spares other
    converters the stand-alone RELU that costs them half of the integer network's time.
    """
    network = ShuffleNetV1(3, 1.0)
    for unit in network.modules():
        if isinstance(unit, ShuffleUnit) and unit.stride == 2:
            unit.branch_main_2.append(nn.ReLU())
            unit.relu = nn.Identity()  # type: ignore[assignment]  # done in the branch by now
    return network


def dm_nfnet_f0() -> nn.Module:
    """Return NFNet-F0 with every residual branch switched on.

    A fresh one multiplies its branches by 0 (SkipInit), and a converter that sees that drops them.
    """
    torch.manual_seed(0)
    network = get_model("dm_nfnet_f0").build()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("skipinit_gain"):
                parameter.fill_(0.5)
    return network


def residual_attention_56() -> nn.Module:
    """Return Attention-56 with norms that shift: a fresh one adds 0, which other converters drop."""
    torch.manual_seed(0)
    network = get_model("residual_attention_56").build()
    with torch.no_grad():
        for norm in network.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.bias.normal_(0, 0.1)
    return network
