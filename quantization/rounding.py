"""Weight rounding that lets later weights make up for the errors of earlier ones.

Optimal brain quantization with a fixed order (GPTQ, arXiv 2210.17323, algorithm 1), on the covariance
of each layer's inputs. The mean error goes into the bias (arXiv 1906.04721, section 4.2), exactly,
which is why the covariance and not the raw second moment weighs the errors.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from edgezoo.graph.graph import Graph, Node, QuantParams, dequantized
from edgezoo.quantization.assemble import Rounded, weight_grid
from edgezoo.quantization.moments import Moments, layer_shape
from edgezoo.quantization.qparams import SYMMETRIC_HIGH

BLOCK = 64
DAMPING = 0.01  # of the mean variance, as in the paper
ROUNDED = frozenset({"conv2d", "linear"})


def round_layers(
    graph: Graph, moments: Mapping[str, Moments], grids: Mapping[str, QuantParams]
) -> dict[str, Rounded]:
    """Return every layer's weight rounded against its inputs' moments, by output name."""
    nodes = [node for node in graph.nodes if node.output in moments]
    return {node.output: round_layer(graph, node, moments[node.output], grids) for node in nodes}


def round_layer(
    graph: Graph, node: Node, moments: Moments, grids: Mapping[str, QuantParams]
) -> Rounded:
    """Return one layer's rounded weight, and its bias with the mean error put in."""
    weight, bias = (np.asarray(graph.constants[name]) for name in node.inputs[1:])
    quant = weight_grid(node, weight, bias, float(grids[node.inputs[0]].scale[0]))
    groups, inputs = layer_shape(graph, node)
    real = torch.from_numpy(weight.astype(np.float32)).reshape(groups, -1, inputs)
    scales = torch.from_numpy(quant.scale).reshape(groups, -1)
    steps = compensated_rounding(real, scales, moments.covariance())
    integers = steps.reshape(weight.shape).to(torch.int8).numpy()
    error = torch.from_numpy(weight - dequantized(integers, quant)).reshape(groups, -1, inputs)
    shift = torch.einsum("goi,gi->go", error, moments.mean().double()).reshape(-1).numpy()
    return Rounded(integers, quant, bias.astype(np.float64) + shift)


def compensated_rounding(weight: Tensor, scales: Tensor, covariance: Tensor) -> Tensor:
    """Round ``weight`` (groups, outputs, inputs) to whole steps of ``scales`` (groups, outputs).

    Inputs are taken in the order of falling variance; after each, the columns still open move by
    ``-error * U[i, j] / U[i, i]`` with U the upper Cholesky factor of the inverse covariance.
    Returns steps in [-127, 127] as float.
    """
    order = torch.argsort(torch.diagonal(covariance, dim1=1, dim2=2), descending=True, dim=1)
    upper = _inverse_factor(_permuted(covariance, order))
    columns = order.unsqueeze(1).expand_as(weight)
    open_ = torch.gather(weight, 2, columns) / scales.unsqueeze(2)
    steps = torch.empty_like(open_)
    size = weight.shape[2]
    for start in range(0, size, BLOCK):
        stop = min(start + BLOCK, size)
        block, factor = open_[:, :, start:stop], upper[:, start:stop, start:stop]
        errors = torch.empty_like(block)
        for i in range(stop - start):
            column = block[:, :, i]
            rounded = column.round().clamp_(-SYMMETRIC_HIGH, SYMMETRIC_HIGH)
            steps[:, :, start + i] = rounded
            errors[:, :, i] = (column - rounded) / factor[:, i, i].unsqueeze(1)
            block[:, :, i + 1 :] -= errors[:, :, i : i + 1] * factor[:, i : i + 1, i + 1 :]
        open_[:, :, stop:] -= errors @ upper[:, start:stop, stop:]
    return torch.empty_like(steps).scatter_(2, columns, steps)


def _permuted(matrix: Tensor, order: Tensor) -> Tensor:
    rows = torch.gather(matrix, 1, order.unsqueeze(2).expand_as(matrix))
    return torch.gather(rows, 2, order.unsqueeze(1).expand_as(matrix))


def _inverse_factor(covariance: Tensor) -> Tensor:
    """Return the upper Cholesky factor of the damped inverse, in float32 computed from float64."""
    damped = covariance.double()
    variance = torch.diagonal(damped, dim1=1, dim2=2)
    extra = DAMPING * variance.mean(1, keepdim=True) + 1e-12
    damped = damped + torch.diag_embed(extra.expand_as(variance))
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
    return torch.linalg.cholesky(inverse, upper=True).float()
