"""The rewrites for integer kernels compute the same, and reach one partition."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import torch
from torch import nn

from edgezoo.converters.capture import capture
from edgezoo.converters.formats import ENTRIES
from edgezoo.graph.graph import check
from edgezoo.graph.interpreter import compile_graph
from edgezoo.graph.passes import optimize
from edgezoo.quantization.calibrate import quantize
from edgezoo.quantization.expand import expand_hardswish

SHAPE = (1, 3, 12, 12)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.Hardswish(), nn.Conv2d(8, 8, 1), nn.Hardswish()
    ).eval()


def test_it_is_the_definition() -> None:
    graph = optimize(capture(network(), SHAPE))
    expanded = expand_hardswish(graph)
    check(expanded)
    assert Counter(node.op for node in expanded.nodes) == {"conv2d": 2, "add": 2, "mul": 4}
    x = 4 * torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))
    before, after = (compile_graph(g, dtype=torch.float64).run(x)[0] for g in (graph, expanded))
    assert torch.allclose(before, after, atol=1e-6)  # 1/6 is a float32 constant


def test_nothing_to_do_is_the_same_graph() -> None:
    graph = optimize(capture(nn.Conv2d(3, 4, 1).eval(), SHAPE))
    assert expand_hardswish(graph) is graph


def test_the_integer_file_is_one_partition(tmp_path: Path) -> None:
    graph = optimize(capture(network(), SHAPE))
    random = np.random.default_rng(0)
    inputs = [random.normal(size=SHAPE).astype(np.float32) for _ in range(6)]
    result = quantize(graph, inputs[:4], inputs[4:])
    path = tmp_path / "net.tflite"
    ENTRIES["tflite"].write(result.graph, "float32", path)
    inspection = ENTRIES["tflite"].load(path).inspect()
    assert inspection.partitions == 1
    assert "HARD_SWISH" not in inspection.ops
