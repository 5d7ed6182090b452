"""Each pass keeps what the graph computes, does what it says, and only where it may."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache, partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgezoo.converters.capture import capture
from edgezoo.graph.attrs import Pool2d
from edgezoo.graph.graph import Graph, check, rebuild
from edgezoo.graph.passes import PASSES, Pass, optimize
from edgezoo.graph.passes.precision import round_constants
from edgezoo.models.registry import get_model
from edgezoo.types import Shape
from tests.graph.case import Case
from tests.graph.cases import CASES
from tests.graph.modules import StandardizedConv, TransformerBlock
from tests.graph.pass_checks import assert_leaves_alone, assert_same, conv, graph_of, ops

EXACT: tuple[Pass, ...] = tuple(apply for apply, _ in PASSES if apply is not round_constants)
each_pass = pytest.mark.parametrize("apply", EXACT, ids=lambda apply: apply.__name__)
each_case = pytest.mark.parametrize("case", CASES, ids=str)


@each_pass
@each_case
def test_keeps_what_a_case_computes(apply: Pass, case: Case) -> None:
    graph = case.graph()
    after = apply(graph)
    assert_same(graph, after)
    assert apply(after) is after


@each_case
def test_all_passes_in_order_keep_what_a_case_computes(case: Case) -> None:
    graph = optimize(case.graph())
    # constants end as float32; the largest sums here have a few hundred terms
    assert_same(case.graph(), graph, 1e-6)
    assert all(array.dtype == np.float32 for array in graph.constants.values())
    again = optimize(graph)
    assert again is graph


class NormalizerFree(nn.Module):
    """Pre-activation blocks with scalars, as in NFNet (arXiv 2102.06171)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = StandardizedConv(3, 8, 3, 2, 1)
        self.blocks = nn.ModuleList(StandardizedConv(8, 8, 3, 1, 1) for _ in range(3))
        self.gain = nn.Parameter(torch.tensor(0.7))
        self.squeeze, self.expand = nn.Conv2d(8, 4, 1), nn.Conv2d(4, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            hidden = block(F.gelu(x) * 1.7015 * 0.9)
            pooled = F.relu(self.squeeze(hidden.mean((2, 3), keepdim=True)))
            hidden = 2 * torch.sigmoid(self.expand(pooled)).expand_as(hidden) * hidden
            x = hidden * self.gain * 0.2 + x
        return x.mean((2, 3))


class SoftMask(nn.Module):
    """A trunk and a mask branch that goes down and up again (arXiv 1704.06904)."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.trunk, self.mask = nn.BatchNorm2d(3), conv(6, 3), conv(6, 3)
        self.last = nn.Conv2d(6, 6, 1)
        self.normed = nn.BatchNorm2d(6)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(x))
        trunk = self.trunk(x)
        down = F.relu(self.normed(self.mask(F.max_pool2d(x, 3, 2, 1))))
        size = trunk.shape[2:]
        up = F.interpolate(down, size, mode="bilinear", align_corners=True) + trunk
        masked: Tensor = (1 + torch.sigmoid(self.last(up))) * trunk
        return masked


def _zoo(name: str) -> nn.Module:
    return get_model(name).build()


NETWORKS: dict[str, tuple[Callable[[], nn.Module], Shape]] = {
    **{
        name: (partial(_zoo, name), (1, 3, 64, 64))
        for name in ("tf_efficientnet_lite0", "shufflenet_v1", "mnasnet_a1", "tf_efficientnet_b0")
    },
    "normalizer_free": (NormalizerFree, (1, 3, 16, 16)),
    "soft_mask": (SoftMask, (1, 3, 17, 17)),
    "transformer": (TransformerBlock, (1, 3, 8, 8)),
}


@cache
def network(name: str) -> Graph:
    build, shape = NETWORKS[name]
    torch.manual_seed(0)
    module = build().eval()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            assert part.running_mean is not None and part.running_var is not None
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 1.5)
    return capture(module, shape, name=name)


@pytest.mark.parametrize("name", NETWORKS)
def test_keeps_what_a_network_computes(name: str) -> None:
    graph = network(name)
    for apply in EXACT:
        after = apply(graph)
        assert_same(graph, after)
        graph = after
    assert_same(graph, round_constants(graph), 1e-5)


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "shufflenet_v1", "mnasnet_a1"])
def test_networks_end_without_loose_arithmetic(name: str) -> None:
    counts = Counter(ops(optimize(network(name))))
    assert not {"relu", "clip", "sub", "pad", "permute", "avg_pool2d"} & set(counts)
    squeeze_products = counts["sigmoid"]
    assert counts["mul"] == squeeze_products


def test_constants_are_rounded_once() -> None:
    graph = graph_of(lambda x, m: m(x), nn.BatchNorm2d(4))
    assert {str(array.dtype) for array in graph.constants.values()} == {"float64"}
    after = round_constants(graph)
    assert {str(array.dtype) for array in after.constants.values()} == {"float32"}
    check(after)
    assert_leaves_alone(round_constants, after)


def test_every_place_in_the_order_has_a_reason() -> None:
    assert len({apply for apply, _ in PASSES}) == len(PASSES)
    assert all(reason for _, reason in PASSES)


def test_dead_nodes_go_and_inputs_stay() -> None:
    graph = graph_of(lambda x: (x * 2, x + 1))
    one = rebuild(graph, graph.nodes, outputs=graph.outputs[:1])
    assert ops(one) == ["mul"]
    assert set(one.values) == {"input", *one.constants, *one.outputs}
    check(one)


def test_pools_keep_their_window() -> None:
    graph = optimize(graph_of(lambda x: F.relu(F.max_pool2d(x, 3, 2, 1))))
    assert graph.nodes[0].attrs == Pool2d("relu", (3, 3), (2, 2), (1, 1, 1, 1))
