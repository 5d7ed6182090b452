"""Each pass keeps what the graph computes, does what it says, and only where it may."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgezoo.converters.capture import capture
from edgezoo.graph.attrs import Conv2d, Fusable, Pool2d
from edgezoo.graph.graph import Graph, QuantParams, Value, check, rebuild
from edgezoo.graph.interpreter import compile_graph
from edgezoo.graph.ops import infer_shape
from edgezoo.graph.passes import PASSES, Pass, optimize
from edgezoo.graph.passes.activations import fuse_activations, non_negative
from edgezoo.graph.passes.affine import fold_affine
from edgezoo.graph.passes.channel_shuffle import recognise_channel_shuffle
from edgezoo.graph.passes.identities import remove_identities
from edgezoo.graph.passes.padding import merge_padding
from edgezoo.graph.passes.pooling import average_as_convolution
from edgezoo.graph.passes.precision import round_constants
from edgezoo.models.registry import get_model
from edgezoo.types import Shape
from tests.graph.case import PICTURE, Case
from tests.graph.cases import CASES
from tests.graph.modules import Apply, StandardizedConv, TransformerBlock

EXACT: tuple[Pass, ...] = tuple(apply for apply, _ in PASSES if apply is not round_constants)
each_pass = pytest.mark.parametrize("apply", EXACT, ids=lambda apply: apply.__name__)
each_case = pytest.mark.parametrize("case", CASES, ids=str)


def outputs(graph: Graph, seed: int = 0) -> list[Tensor]:
    """Run a graph on noise in float64."""
    generator = torch.Generator().manual_seed(seed)
    inputs = [
        torch.randn(graph.shape(name), generator=generator, dtype=torch.float64)
        for name in graph.inputs
    ]
    with torch.inference_mode():
        return list(compile_graph(graph, dtype=torch.float64).run(*inputs))


def assert_same(before: Graph, after: Graph, tolerance: float = 1e-10) -> None:
    """Compare all outputs, relative to the largest; also hold the graph to its promises."""
    check(after)
    for node in after.nodes:
        shapes = [after.shape(name) for name in node.inputs]
        assert infer_shape(node.op, node.attrs, shapes) == after.shape(node.output)
    assert len(set(after.outputs)) == len(after.outputs)
    for expected, found in zip(outputs(before), outputs(after), strict=True):
        assert found.shape == expected.shape
        assert (found - expected).abs().max() <= tolerance * expected.abs().max()


def graph_of(function: Callable[..., Any], *parts: nn.Module, **options: Any) -> Graph:
    """Capture ``function(x, *parts)``; ``shape`` is the input's, other keywords are constants."""
    shape: Shape = options.pop("shape", PICTURE)
    torch.manual_seed(0)
    return capture(Apply(function, *parts, **options).eval(), shape)


def ops(graph: Graph) -> list[str]:
    return [node.op for node in graph.nodes]


def conv(out: int = 4, inputs: int = 4) -> nn.Conv2d:
    return nn.Conv2d(inputs, out, 3, padding=1)


def assert_leaves_alone(apply: Pass, graph: Graph) -> None:
    assert apply(graph) is graph


# --------------------------------------------------------------------------- all passes


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


# --------------------------------------------------------------------------- identities


def test_reshapes_merge_and_vanish() -> None:
    graph = graph_of(lambda x: x.reshape(4, 63).reshape(2, 2, 63).reshape(4, 63) * 2)
    assert ops(remove_identities(graph)) == ["reshape", "mul"]
    back = graph_of(lambda x: x.reshape(4, 63).reshape(PICTURE) * 2)
    assert ops(remove_identities(back)) == ["mul"]


def test_a_reshape_with_two_readers_stays_for_the_other() -> None:
    def forward(x: Tensor) -> Tensor:
        flat = x.reshape(4, 63)
        return flat.reshape(PICTURE) * 2 + flat.sum()

    graph = graph_of(forward)
    after = remove_identities(graph)
    assert_same(graph, after)
    assert "reshape" in ops(after)


def test_permutations_merge() -> None:
    graph = graph_of(lambda x: x.permute(0, 2, 3, 1).permute(0, 1, 3, 2) + 1)
    assert ops(remove_identities(graph)) == ["permute", "add"]
    back = graph_of(lambda x: x.permute(0, 2, 3, 1).permute(0, 3, 1, 2) + 1)
    assert ops(remove_identities(back)) == ["add"]


def test_a_mean_drops_its_axes_itself() -> None:
    graph = graph_of(lambda x: x.mean((2, 3), keepdim=True).flatten(1) + 1)
    after = remove_identities(graph)
    assert ops(after) == ["mean", "add"]
    assert_same(graph, after)


def test_a_mean_with_two_readers_stays() -> None:
    def forward(x: Tensor) -> Tensor:
        mean = x.mean((2, 3), keepdim=True)
        return (x * mean).mean((2, 3)) + mean.flatten(1)

    assert_leaves_alone(remove_identities, graph_of(forward))


def test_an_expansion_that_broadcasts_anyway_goes() -> None:
    graph = graph_of(lambda x: x * x[:, :1].expand_as(x))
    assert ops(remove_identities(graph)) == ["slice", "mul"]


def test_an_expansion_that_makes_the_shape_stays() -> None:
    assert_leaves_alone(remove_identities, graph_of(lambda x: x[:, :1].expand(1, 4, 9, 7) + 1))
    both = graph_of(lambda x: x[:, :1].expand_as(x) * x[:, 1:2].expand_as(x))
    after = remove_identities(both)
    assert Counter(ops(after))["expand"] == 1
    assert_same(both, after)


def test_an_output_keeps_a_node_of_its_own() -> None:
    assert_leaves_alone(remove_identities, graph_of(lambda x: x.reshape(PICTURE)))
    assert_leaves_alone(remove_identities, graph_of(lambda x: (y := x * 2, y.reshape(PICTURE))))
    single = remove_identities(graph_of(lambda x: (x * 2).reshape(PICTURE)))
    assert ops(single) == ["mul"]


# ----------------------------------------------------------------------- channel shuffle


def shuffled(first: int, second: int, order: tuple[int, ...] = (0, 2, 1, 3, 4)) -> Graph:
    return graph_of(
        lambda x: x.reshape(1, first, second, 4, 5).permute(order).reshape(1, 12, 4, 5) + 1,
        shape=(1, 12, 4, 5),
    )


@pytest.mark.parametrize(("first", "second"), [(3, 4), (4, 3), (2, 6), (12, 1)])
def test_a_channel_shuffle_is_recognised(first: int, second: int) -> None:
    graph = shuffled(first, second)
    after = recognise_channel_shuffle(graph)
    assert ops(after) == ["channel_shuffle", "add"]
    assert_same(graph, after)


def test_what_looks_like_a_channel_shuffle_stays() -> None:
    moved = graph_of(lambda x: x.reshape(1, 3, 4, 4, 5).permute(0, 1, 3, 2, 4).reshape(1, 12, 4, 5),
                     shape=(1, 12, 4, 5))  # fmt: skip
    rows = graph_of(lambda x: x.reshape(1, 4, 12, 4, 5).transpose(1, 2).reshape(1, 48, 4, 5),
                    shape=(1, 12, 16, 5))  # fmt: skip
    other_end = graph_of(lambda x: x.reshape(1, 3, 4, 4, 5).transpose(1, 2).reshape(1, 12, 5, 4),
                         shape=(1, 12, 4, 5))  # fmt: skip
    batch = graph_of(lambda x: x.reshape(1, 2, 6, 4, 5).transpose(1, 2).reshape(2, 6, 4, 5),
                     shape=(2, 6, 4, 5))  # fmt: skip
    for graph in (moved, rows, other_end, batch):
        assert_leaves_alone(recognise_channel_shuffle, graph)


def test_a_shuffle_whose_middle_is_read_elsewhere_keeps_the_middle() -> None:
    def forward(x: Tensor) -> tuple[Tensor, Tensor]:
        swapped = x.reshape(1, 3, 4, 4, 5).transpose(1, 2)
        return swapped.reshape(1, 12, 4, 5), swapped * 2

    graph = graph_of(forward, shape=(1, 12, 4, 5))
    after = recognise_channel_shuffle(graph)
    assert "channel_shuffle" in ops(after) and "permute" in ops(after)
    assert_same(graph, after)


# ------------------------------------------------------------------------------ padding


def test_padding_moves_into_its_reader() -> None:
    graph = graph_of(lambda x, m: m(F.pad(x, (0, 1, 2, 3))), nn.Conv2d(4, 4, 3, 2, 1))
    after = merge_padding(graph)
    assert ops(after) == ["conv2d"]
    assert isinstance(after.nodes[0].attrs, Conv2d)
    assert after.nodes[0].attrs.padding == (3, 4, 1, 2)
    assert_same(graph, after)
    pooled = graph_of(lambda x: F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=float("-inf")), 3, 2))
    assert ops(merge_padding(pooled)) == ["max_pool2d"]
    assert_same(pooled, merge_padding(pooled))
    average = graph_of(lambda x: F.avg_pool2d(F.pad(x, (0, 1, 0, 1)), 3, 2))
    assert ops(merge_padding(average)) == ["avg_pool2d"]
    assert_same(average, merge_padding(average))


@pytest.mark.parametrize(
    "forward",
    [
        lambda x, m: m(F.pad(x, (1, 1, 1, 1), value=0.5)),
        lambda x, m: m(F.pad(x, (1, 1, 1, 1, 1, 0))[:, :4]),
        lambda x, m: F.max_pool2d(F.pad(x, (1, 1)), 2),
        lambda x, m: F.avg_pool2d(F.pad(x, (1, 1), value=float("-inf")), 2),
        lambda x, m: F.pad(x, (1, 1)) + 1,
        lambda x, m: F.conv2d(F.pad(x, (0, 0, 0, 0, 1, 1)), torch.ones(2, 6, 1, 1)),
    ],
)
def test_other_padding_stays(forward: Callable[..., Tensor]) -> None:
    assert_leaves_alone(merge_padding, graph_of(forward, conv()))


def test_padding_with_two_readers_stays_for_the_other() -> None:
    def forward(x: Tensor, m: nn.Module) -> Any:
        padded = F.pad(x, (1, 1, 1, 1))
        return m(padded) + padded

    graph = graph_of(forward, conv())
    after = merge_padding(graph)
    assert Counter(ops(after)) == {"pad": 1, "conv2d": 1, "add": 1}
    assert_same(graph, after)


# ------------------------------------------------------------------------------ pooling


def test_an_average_pool_becomes_a_depthwise_convolution() -> None:
    graph = graph_of(lambda x: F.avg_pool2d(x, (3, 2), (2, 1), (1, 0)))
    after = average_as_convolution(graph)
    assert ops(after) == ["conv2d"]
    assert after.nodes[0].attrs == Conv2d(None, (2, 1), (1, 1, 0, 0), (1, 1), 4)
    assert_same(graph, after)


# ------------------------------------------------------------------------------- affine


def test_batch_norm_folds_into_what_it_follows() -> None:
    layers: dict[str, tuple[nn.Module, nn.Module, Shape]] = {
        "conv": (nn.Conv2d(4, 6, 3, groups=2), nn.BatchNorm2d(6), PICTURE),
        "transposed": (nn.ConvTranspose2d(4, 6, 3), nn.BatchNorm2d(6), PICTURE),
        "linear": (nn.Linear(5, 6), nn.BatchNorm1d(6), (3, 5)),
    }
    for layer, norm, shape in layers.values():
        for buffer in norm.buffers():
            if buffer.ndim:
                buffer.uniform_(0.5, 2)
        graph = graph_of(lambda x, a, b: b(a(x)), layer, norm, shape=shape)
        after = fold_affine(graph)
        assert len(after.nodes) == 1
        assert_same(graph, after)


def test_an_average_pool_takes_a_uniform_map_into_its_weights() -> None:
    graph = average_as_convolution(graph_of(lambda x: F.avg_pool2d(x, 3, 2, 1, divisor_override=4)))
    after = fold_affine(graph)
    assert ops(after) == ["conv2d"]
    assert_same(graph, after)


@pytest.mark.parametrize(
    "operand", [torch.randn(4, 1, 1), torch.randn(1, 1, 1, 1), torch.tensor(0.3), torch.ones(9, 7)]
)
def test_constants_per_channel_fold(operand: Tensor) -> None:
    graph = graph_of(lambda x, m, c: (1.5 - m(x) * c) * 2 - c, conv(), c=operand)
    after = fold_affine(graph)
    expected = ["conv2d", "sub", "mul", "add"]  # 1.5 - x is no addition of a constant
    assert ops(after) == expected
    assert_same(graph, after)


@pytest.mark.parametrize("shape", [(9, 1), (7,), (1, 4, 9, 7), (2, 1, 1, 1), (2, 4, 1, 1)])
def test_constants_that_vary_over_pixels_or_enlarge_do_not_fold(shape: Shape) -> None:
    constant = torch.arange(1.0, 1 + torch.Size(shape).numel()).reshape(shape)
    graph = graph_of(lambda x, m, c: m(x) * c, conv(), c=constant)
    after = fold_affine(graph)
    assert_same(graph, after)
    assert ops(after) == ["conv2d", "mul"]


def test_a_scalar_that_adds_axes_does_not_fold() -> None:
    graph = graph_of(
        lambda x, m, c: m(x) * c, nn.Linear(5, 6), c=torch.ones(1, 1, 1) * 2, shape=(3, 5)
    )
    after = fold_affine(graph)
    assert_same(graph, after)
    assert after.shape(after.outputs[0]) == (1, 3, 6)


def test_a_convolution_with_another_reader_is_left_alone() -> None:
    def shared(x: Tensor, m: nn.Module) -> Any:
        y = m(x)
        return y * 2 + torch.sigmoid(y)

    def output(x: Tensor, m: nn.Module) -> tuple[Tensor, Tensor]:
        y = m(x)
        return y, y * 2

    for forward in (shared, output, lambda x, m: (y := m(x)) + y, lambda x, m: (y := m(x)) * y):
        assert_leaves_alone(fold_affine, graph_of(forward, conv()))


def test_a_folded_result_with_two_readers_can_not_fold_again() -> None:
    def forward(x: Tensor, m: nn.Module) -> Any:
        y = m(x) * 2
        return y * 3 + torch.sigmoid(y)

    graph = graph_of(forward, conv())
    after = fold_affine(graph)
    assert Counter(ops(after)) == {"conv2d": 1, "mul": 1, "sigmoid": 1, "add": 1}
    assert_same(graph, after)


def test_nothing_folds_through_an_activation() -> None:
    graph = graph_of(lambda x, m: F.relu(m(x)) * 2 + 1, conv())
    assert ops(fold_affine(graph)) == ["conv2d", "relu", "mul", "add"]
    fused = fuse_activations(graph)
    assert ops(fold_affine(fused)) == ["conv2d", "mul", "add"]
    assert_same(graph, fold_affine(fused))


def test_a_shared_weight_is_scaled_for_one_reader_only() -> None:
    layer = conv()
    graph = graph_of(lambda x, m: m(m(x) * 2) + m(x), layer)
    after = fold_affine(graph)
    assert "mul" not in ops(after)
    assert_same(graph, after)


def test_chains_of_constants_merge() -> None:
    graph = graph_of(lambda x: torch.sigmoid(x) * 2 * 3 + 1 - 4)
    after = fold_affine(graph)
    assert ops(after) == ["sigmoid", "mul", "add"]
    assert_same(graph, after)


def test_chains_that_enlarge_merge_only_when_the_shape_is_kept() -> None:
    graph = graph_of(lambda x, c: (x[:, :1] + c) + 2, c=torch.randn(4, 1, 1))
    after = fold_affine(graph)
    assert ops(after) == ["slice", "add"]
    assert_same(graph, after)
    grows = graph_of(lambda x, c: (x[:, :1] + 2) + c, c=torch.randn(4, 1, 1))
    assert_same(grows, fold_affine(grows))


def test_a_fused_activation_of_the_last_stays() -> None:
    graph = fuse_activations(graph_of(lambda x, m: F.relu6(m(x) * 2), conv()))
    after = fold_affine(graph)
    assert [node.attrs.activation for node in after.nodes if isinstance(node.attrs, Fusable)] == [
        "relu6"
    ]
    assert_same(graph, after)


# -------------------------------------------------------------------------- activations


@pytest.mark.parametrize(
    ("activation", "name"),
    [(F.relu, "relu"), (F.relu6, "relu6"), (F.hardtanh, "relu_n1_to_1"),
     (lambda x: x.clamp(min=0), "relu")],
)  # fmt: skip
def test_activations_fuse_into_what_they_clip(
    activation: Callable[[Tensor], Tensor], name: str
) -> None:
    bodies: dict[str, Callable[..., Tensor]] = {
        "conv2d": lambda x, m: m(x),
        "add": lambda x, m: x + x[:, :1],
        "sub": lambda x, m: x - x[:, :1],
        "mul": lambda x, m: x * x[:, :1],
        "div": lambda x, m: x / (x[:, :1].abs() + 1),
        "max_pool2d": lambda x, m: F.max_pool2d(x, 2),
        "avg_pool2d": lambda x, m: F.avg_pool2d(x, 2),
    }
    for op, body in bodies.items():
        graph = graph_of(lambda x, m, body=body: activation(body(x, m)), conv())
        after = fuse_activations(graph)
        last = after.nodes[-1]
        assert (last.op, getattr(last.attrs, "activation", None)) == (op, name)
        assert_same(graph, after)


@pytest.mark.parametrize("activation", [F.relu, F.relu6])
def test_an_activation_behind_something_else_stays(activation: Callable[[Tensor], Tensor]) -> None:
    graphs = (
        graph_of(activation),
        graph_of(lambda x: activation(torch.tanh(x))),
        graph_of(lambda x, m: activation(m(x)), nn.ConvTranspose2d(4, 4, 2)),
        graph_of(lambda x: activation(x.mean(1))),
        graph_of(lambda x, m: (activation(y := m(x)), y), conv()),
        graph_of(lambda x, m: activation(y := m(x)) + y, conv()),
    )
    for graph in graphs:
        assert_leaves_alone(fuse_activations, graph)


def test_a_second_activation_stays_but_for_a_relu() -> None:
    clipped = graph_of(lambda x, m: F.relu6(F.hardtanh(m(x))), conv())
    after = fuse_activations(clipped)
    assert ops(after) == ["conv2d", "clip"]
    assert_same(clipped, after)
    rectified = graph_of(lambda x, m: F.relu(F.relu6(m(x))), conv())
    assert ops(fuse_activations(rectified)) == ["conv2d"]
    assert_same(rectified, fuse_activations(rectified))


def test_relu6_is_not_dropped_on_what_is_not_negative() -> None:
    graph = graph_of(lambda x: F.relu6(torch.exp(x)))
    assert_leaves_alone(fuse_activations, graph)
    assert ops(fuse_activations(graph_of(lambda x: F.relu(torch.exp(x)) + 1))) == ["exp", "add"]


def test_relu_is_pulled_through_a_concatenation() -> None:
    graph = graph_of(
        lambda x, a, b: F.relu(torch.cat((a(x), F.max_pool2d(F.relu(b(x)), 3, 1, 1)), 1)),
        conv(), conv(),
    )  # fmt: skip
    after = fuse_activations(graph)
    assert Counter(ops(after)) == {"conv2d": 2, "max_pool2d": 1, "concat": 1}
    assert_same(graph, after)


def test_relu6_is_pulled_through_a_concatenation_into_every_part() -> None:
    graph = graph_of(lambda x, a, b: F.relu6(torch.cat((a(x), b(x)), 1)), conv(), conv())
    after = fuse_activations(graph)
    assert ops(after) == ["conv2d", "conv2d", "concat"]
    assert_same(graph, after)


@pytest.mark.parametrize(
    "forward",
    [
        lambda x, a, b: F.relu(torch.cat((a(x), x), 1)),
        lambda x, a, b: F.relu(torch.cat((y := a(x), y), 1)),
        lambda x, a, b: F.relu(torch.cat((y := a(x), b(y)), 1)),
        lambda x, a, b: (F.relu(z := torch.cat((a(x), b(x)), 1)), z),
        lambda x, a, b: F.relu6(torch.cat((a(x), torch.sigmoid(x)), 1)),
        lambda x, a, b: F.relu(torch.cat((a(x), torch.ones(1, 1, 9, 7) * -1), 1)),
    ],
)
def test_relu_stays_behind_a_concatenation_of_anything_else(forward: Callable[..., Any]) -> None:
    assert_leaves_alone(fuse_activations, graph_of(forward, conv(), conv()))


def test_a_dropped_relu_leaves_its_readers_to_the_producer() -> None:
    def forward(x: Tensor) -> Tensor:
        y = F.relu(F.max_pool2d(torch.exp(x), 2))
        return F.relu6(y) + y

    graph = graph_of(forward)
    after = fuse_activations(graph)
    assert Counter(ops(after)) == {"exp": 1, "max_pool2d": 1, "clip": 1, "add": 1}
    assert_same(graph, after)


def test_two_outputs_never_become_one() -> None:
    graph = graph_of(lambda x: (y := torch.exp(x), F.relu(y), F.relu(y)))
    assert_leaves_alone(fuse_activations, graph)
    single = graph_of(lambda x: F.relu(torch.exp(x)))
    assert ops(fuse_activations(single)) == ["exp"]


@pytest.mark.parametrize(
    ("forward", "expected"),
    [
        (lambda x: torch.sigmoid(x) * torch.exp(x), True),
        (lambda x: torch.sigmoid(x) - 1, False),
        (lambda x: torch.sigmoid(x) * -1, False),
        (lambda x: torch.sigmoid(x) + 1, True),
        (lambda x: F.pad(torch.exp(x), (1, 1), value=-1.0), False),
        (lambda x: F.pad(torch.exp(x), (1, 1)), True),
        (lambda x: torch.cat((torch.exp(x), x), 1), False),
        (lambda x: torch.maximum(torch.exp(x), x), True),
        (lambda x: torch.minimum(torch.exp(x), x), False),
        (lambda x: torch.exp(x).clamp(-1, 5), True),
        (lambda x: torch.exp(x).clamp(max=-1), False),
        (lambda x: F.hardtanh(x), False),
        (lambda x: F.avg_pool2d(torch.exp(x), 2), True),
        (lambda x: F.conv2d(torch.exp(x), torch.ones(1, 4, 1, 1)), True),
        (lambda x: F.conv2d(torch.exp(x), torch.ones(1, 4, 1, 1), torch.tensor([-1.0])), False),
        (lambda x: torch.abs(x).permute(0, 2, 3, 1)[:, :2].sum(1), True),
    ],
)
def test_what_is_never_negative(forward: Callable[..., Tensor], expected: bool) -> None:
    graph = graph_of(forward)
    found = graph.outputs[0] in non_negative(graph)
    assert found == expected
    if found:
        assert outputs(graph)[0].min() >= 0


def test_integers_count_as_the_numbers_they_mean() -> None:
    quant = QuantParams(np.array([0.1], np.float32), np.array([50]))
    values = {"x": Value("x", (2,)), "c": Value("c", (2,), "int8", quant)}
    graph = Graph("g", ("x",), ("c",), (), values, {"c": np.array([0, 60], np.int8)})
    assert non_negative(graph) == frozenset()
    above = Graph("g", ("x",), ("c",), (), values, {"c": np.array([50, 60], np.int8)})
    assert non_negative(above) == {"c"}


# ---------------------------------------------------------------------------- precision


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
