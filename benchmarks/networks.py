"""Variants of zoo networks that only the benchmarks need."""

from __future__ import annotations

from torch import nn

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
