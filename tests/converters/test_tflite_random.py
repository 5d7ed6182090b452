"""Random graphs in LiteRT against the interpreter: layouts and passes that no case thought of."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgezoo.converters.tflite.runner import TfliteRunner
from edgezoo.converters.tflite.writer import tflite_bytes
from edgezoo.graph.graph import Graph
from edgezoo.graph.interpreter import compile_graph
from edgezoo.graph.passes import optimize
from edgezoo.graph.passes.precision import round_constants
from tests.graph.random_graphs import random_graph

SEEDS = range(240)
# float32 against float64 through up to a dozen ops; 2e-6 is the worst of these seeds
TOLERANCE = 1e-5


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_graph_gives_the_same(seed: int) -> None:
    graph = random_graph(seed, 3 + seed % 10)
    x = torch.randn(graph.shape("input"), generator=torch.Generator().manual_seed(seed))
    reference = [np.atleast_1d(array.numpy()) for array in exact(graph, x)]
    for rewritten in (round_constants(graph), optimize(graph)):
        outputs = TfliteRunner(tflite_bytes(rewritten)).run(x.numpy())
        for expected, output in zip(reference, outputs, strict=True):
            assert output.shape == expected.shape
            assert np.abs(output - expected).max() <= TOLERANCE * max(1.0, np.abs(expected).max())


def exact(graph: Graph, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    with torch.inference_mode():
        return compile_graph(graph, dtype=torch.float64).run(x)
