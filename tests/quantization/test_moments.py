"""What a layer multiplies its weights with, against torch's own unfolding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgezoo.converters.capture import capture
from edgezoo.graph.attrs import Conv2d
from edgezoo.graph.graph import Graph, Node
from edgezoo.graph.passes.padding import merge_padding
from edgezoo.quantization.moments import Moments, MomentWatch, layer_shape, sample_patches
from tests.graph.modules import Apply

CONVOLUTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "strided": {"stride": (2, 1)},
    "padded": {"padding": (1, 2)},
    "dilated": {"dilation": (1, 2)},
    "grouped": {"groups": 2},
    "depthwise": {"groups": 4},
    "all": {"stride": 2, "padding": 2, "dilation": 2, "groups": 2},
}


def covariance_of(moments: Moments) -> Tensor:
    covariance = moments.covariance()
    assert covariance is not None
    return covariance


def layer(size: tuple[int, int] = (7, 6), batch: int = 2, **options: Any) -> tuple[Graph, Node]:
    module = nn.Conv2d(4, 8, (3, 2), **options)
    uneven = Apply(lambda x, m: m(F.pad(x, (0, 1, 2, 0))), module).eval()
    graph = merge_padding(capture(uneven, (batch, 4, *size)))
    assert [node.op for node in graph.nodes] == ["conv2d"]
    return graph, graph.nodes[0]


def unfolded(graph: Graph, node: Node, x: Tensor) -> Tensor:
    """Return all patches (n, positions, groups, inputs) in the order of the weight's axes."""
    assert isinstance(node.attrs, Conv2d)
    top, bottom, left, right = node.attrs.padding
    groups, inputs = layer_shape(graph, node)
    columns = F.unfold(
        F.pad(x, (left, right, top, bottom)),
        graph.shape(node.inputs[1])[2:],
        node.attrs.dilation,
        0,
        node.attrs.stride,
    )
    return columns.transpose(1, 2).reshape(len(x), -1, groups, inputs)


@pytest.mark.parametrize("name", CONVOLUTIONS)
@pytest.mark.parametrize("size", [(7, 6), (40, 33)])
def test_patches_are_those_of_unfold(name: str, size: tuple[int, int]) -> None:
    graph, node = layer(size, **CONVOLUTIONS[name])
    x = torch.randn(2, 4, *size)
    everything = unfolded(graph, node, x)
    for layout in (x, x.contiguous(memory_format=torch.channels_last)):
        patches = sample_patches(graph, node, layout, torch.Generator().manual_seed(0))
        assert patches.shape[1:] == everything.shape[2:]
        of_each = patches.reshape(2, -1, *patches.shape[1:])
        for picture, known in zip(of_each, everything, strict=True):
            found = (picture.flatten(1)[:, None] == known.flatten(1)[None]).all(2).any(1)
            assert found.all()


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_a_small_picture_is_taken_whole(name: str) -> None:
    graph, node = layer((4, 4), **CONVOLUTIONS[name])
    x = torch.randn(2, 4, 4, 4)
    everything = unfolded(graph, node, x)
    patches = sample_patches(graph, node, x, torch.Generator().manual_seed(0))
    if everything.shape[1] <= 12:
        assert torch.equal(patches, everything.flatten(0, 1))
    # the product with the weights is the convolution itself
    weight = torch.from_numpy(np.asarray(graph.constants[node.inputs[1]]))
    groups, inputs = layer_shape(graph, node)
    products = torch.einsum("npgi,goi->npgo", everything, weight.reshape(groups, -1, inputs))
    assert isinstance(node.attrs, Conv2d)
    top, bottom, left, right = node.attrs.padding
    expected = F.conv2d(
        F.pad(x, (left, right, top, bottom)), weight, None, node.attrs.stride, 0,
        node.attrs.dilation, groups,
    )  # fmt: skip
    assert torch.allclose(products.flatten(2).transpose(1, 2), expected.flatten(2), atol=1e-5)


def test_rows_of_a_linear_layer() -> None:
    graph = capture(nn.Linear(5, 3).eval(), (1, 6, 5))
    x = torch.randn(1, 6, 5)
    patches = sample_patches(graph, graph.nodes[0], x, torch.Generator())
    assert torch.equal(patches, x.reshape(6, 1, 5))


@pytest.mark.parametrize(("groups", "inputs"), [(1, 12), (3, 7), (40, 9)])
def test_moments_are_numpys(groups: int, inputs: int) -> None:
    random = np.random.default_rng(0)
    mixing = random.normal(size=(groups, inputs, inputs))
    patches = np.einsum("pgi,gij->pgj", random.normal(size=(600, groups, inputs)), mixing) + 2
    moments = Moments(0, torch.zeros(groups, inputs), torch.zeros(groups, inputs, inputs))
    for part in np.array_split(patches.astype(np.float32), 7):
        moments.add(torch.from_numpy(part))
    assert moments.count == 600
    assert np.allclose(moments.mean().numpy(), patches.mean(0), atol=1e-4)
    for _ in range(2):  # reading changes nothing
        found = covariance_of(moments).numpy()
        for g in range(groups):
            expected = np.cov(patches[:, g].T, bias=True)
            assert np.allclose(found[g], expected, atol=2e-3 * np.diag(expected).max())
    moments.add(torch.from_numpy(patches[:10].astype(np.float32)))  # and may go on after a reading
    both = np.concatenate((patches, patches[:10]))
    expected = np.cov(both[:, 0].T, bias=True)
    assert np.allclose(
        covariance_of(moments).numpy()[0], expected, atol=2e-3 * np.diag(expected).max()
    )


def test_a_constant_input_has_no_variance() -> None:
    moments = Moments(0, torch.zeros(1, 8), torch.zeros(1, 8, 8))
    for _ in range(100):
        moments.add(torch.full((64, 1, 8), 123.4))
    assert not covariance_of(moments).any()
    assert moments.mean()[0].tolist() == pytest.approx([123.4] * 8)


def test_the_watch_sees_every_layer_that_reads_a_value() -> None:
    graph = capture(
        Apply(
            lambda x, a, b: a(x) + b(x), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 3, padding=1)
        ).eval(),
        (1, 4, 5, 5),
    )
    layers = [node for node in graph.nodes if node.op == "conv2d"]
    watch = MomentWatch(graph, layers)
    watch.take(graph.values["input"], torch.randn(1, 4, 5, 5))
    assert set(watch.moments) == {node.output for node in layers}
    assert all(moments.count > 0 for moments in watch.moments.values())
    shapes = {covariance_of(moments).shape[-1] for moments in watch.moments.values()}
    assert shapes == {4, 36}


def test_a_layer_too_wide_for_its_products_keeps_its_mean() -> None:
    graph = capture(nn.Linear(3000, 4).eval(), (1, 3000))
    watch = MomentWatch(graph, graph.nodes)
    x = torch.randn(1, 3000) + 2
    watch.take(graph.values["input"], x)
    (moments,) = watch.moments.values()
    assert moments.covariance() is None
    assert torch.equal(moments.mean(), x)
