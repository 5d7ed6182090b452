"""Weight rounding that lets later weights make up for the errors of earlier ones.

Optimal brain quantization with a fixed order (GPTQ, arXiv 2210.17323, algorithm 1), on the covariance
of each layer's inputs. The mean error goes into the bias (arXiv 1906.04721, section 4.2), exactly,
which is why the covariance and not the raw second moment weighs the errors. What each is worth:
``python -m benchmarks.rounding``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edgezoo.graph.graph import Graph, Node, QuantParams, dequantized
from edgezoo.quantization.assemble import Rounded, weight_grid
from edgezoo.quantization.moments import Moments, layer_shape
from edgezoo.quantization.qparams import SYMMETRIC_HIGH, to_grid

Array = np.ndarray[Any, np.dtype[Any]]

BLOCK = 64
DAMPING = 0.05  # of the mean variance; the paper's 0.01 is a little worse on Lite0
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
    covariance = moments.covariance()
    if covariance is None:
        integers = to_grid(weight, quant)
    else:
        real = weight.astype(np.float32).reshape(groups, -1, inputs)
        steps = compensated_rounding(real, quant.scale.reshape(groups, -1), covariance.numpy())
        integers = steps.reshape(weight.shape).astype(np.int8)
    error = (weight - dequantized(integers, quant)).reshape(groups, -1, inputs)
    shift = np.einsum("goi,gi->go", error, moments.mean().numpy().astype(np.float64))
    return Rounded(integers, quant, bias.astype(np.float64) + shift.reshape(-1))


def compensated_rounding(weight: Array, scales: Array, covariance: Array) -> Array:
    """Round ``weight`` (groups, outputs, inputs) to whole steps of ``scales`` (groups, outputs).

    Inputs are taken in the order of falling variance; after each, the columns still open move by
    ``-error * U[i, j] / U[i, i]`` with U the upper Cholesky factor of the inverse ``covariance``
    (groups, inputs, inputs). Returns steps in [-127, 127] as float32.
    """
    order = np.argsort(-np.diagonal(covariance, axis1=1, axis2=2), axis=1, kind="stable")
    groups = np.arange(len(order))[:, None, None]
    upper = _inverse_factor(covariance[groups, order[:, :, None], order[:, None, :]])
    columns = np.broadcast_to(order[:, None, :], weight.shape)
    left = np.take_along_axis(weight / scales[:, :, None], columns, 2)
    steps = np.empty_like(left)
    size = weight.shape[2]
    for start in range(0, size, BLOCK):
        stop = min(start + BLOCK, size)
        errors = _round_block(left[:, :, start:stop], upper, start, steps)
        if stop < size:
            spread = torch.from_numpy(errors) @ torch.from_numpy(upper[:, start:stop, stop:])
            left[:, :, stop:] -= spread.numpy()
    result = np.empty_like(steps)
    np.put_along_axis(result, columns, steps, 2)
    return result


def _round_block(block: Array, upper: Array, start: int, steps: Array) -> Array:
    """Round the columns of one block in turn; returns their errors over ``U[i, i]``."""
    errors = np.empty_like(block)
    for i in range(block.shape[2]):
        column, row = block[:, :, i], upper[:, start + i, start : start + block.shape[2]]
        rounded = np.clip(np.rint(column), -SYMMETRIC_HIGH, SYMMETRIC_HIGH)
        steps[:, :, start + i] = rounded
        error = (column - rounded) / row[:, i, None]
        errors[:, :, i] = error
        block[:, :, i + 1 :] -= error[:, :, None] * row[:, None, i + 1 :]
    return errors


def _inverse_factor(covariance: Array) -> Array:
    """Return U, upper, with ``U.T @ U`` the inverse of the damped covariance, float32.

    With R R^T the covariance and R upper, U is the inverse of R; R is the Cholesky factor of the
    covariance with its axes reversed, reversed again.
    """
    factor = _cholesky(torch.from_numpy(covariance.astype(np.float64)).flip(1, 2)).flip(1, 2)
    identity = torch.eye(factor.shape[1]).expand_as(factor)
    inverse = torch.linalg.solve_triangular(factor.float(), identity, upper=True)
    return np.asarray(inverse.numpy())


def _cholesky(covariance: Tensor) -> Tensor:
    """Return the lower factor of the damped covariance.

    Inputs that hardly vary leave a covariance of rounding errors, not positive definite: their
    damping grows tenfold until it is.
    """
    variance = torch.diagonal(covariance, dim1=1, dim2=2)
    damping = DAMPING * variance.abs().mean(1) + 1e-12
    while True:
        extra = damping[:, None].expand_as(variance)
        factor, failed = torch.linalg.cholesky_ex(covariance + torch.diag_embed(extra))
        if not bool(failed.any()):
            lower: Tensor = factor
            return lower
        damping = torch.where(failed > 0, 10 * damping, damping)
