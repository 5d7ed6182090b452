"""Capture keeps every network's function, names what it cannot take, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgezoo.converters import capture as capture_module
from edgezoo.converters.aten import HANDLERS
from edgezoo.converters.aten.table import handles
from edgezoo.converters.capture import capture
from edgezoo.errors import CaptureError, UnsupportedOpError
from edgezoo.graph.interpreter import compile_graph
from edgezoo.graph.ops import OPS
from tests.graph.case import Case
from tests.graph.cases import CASES
from tests.graph.modules import Apply, StandardizedConv

# In float64 only the constants computed at capture are rounded (to 24 bits, 6e-8 each).
TOLERANCE = 1e-6

# In the table for other releases of torch: 2.13 writes these ops in another way.
OTHER_RELEASES = {"aten.relu6.default"}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_same_function(case: Case) -> None:
    with torch.no_grad():
        result = case.module().double()(case.inputs().double())
    expected = (result,) if isinstance(result, Tensor) else result
    outputs = compile_graph(case.graph(), dtype=torch.float64).run(case.inputs())
    assert len(outputs) == len(expected)
    for output, reference in zip(outputs, expected, strict=True):
        assert output.shape == reference.shape
        assert (output - reference).abs().max() <= TOLERANCE * reference.abs().max()


def test_cases_reach_every_op() -> None:
    reached = {node.op for case in CASES for node in case.graph().nodes}
    assert reached == set(OPS) - {"requantize"}  # which only the quantizer makes


class Recorder(dict[str, Any]):
    """A table that remembers what was looked up."""

    def __init__(self, table: dict[str, Any]) -> None:
        super().__init__(table)
        self.reached: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.reached.add(key)
        return super().get(key, default)


def test_cases_reach_every_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(HANDLERS)
    monkeypatch.setattr(capture_module, "HANDLERS", recorder)
    for case in CASES:
        capture(case.module(), case.input_shape)
    assert set(HANDLERS) - recorder.reached == OTHER_RELEASES


def test_two_handlers_of_one_operation() -> None:
    with pytest.raises(ValueError, match=r"aten\.relu\.default is handled twice"):
        handles("relu.default")(lambda b, x: x)


def test_names_are_the_modules() -> None:
    module = nn.Sequential()
    module.add_module("stem", nn.Conv2d(4, 6, 3))
    module.add_module("act", nn.ReLU())
    graph = capture(module.eval(), (1, 4, 9, 7), name="tiny")
    assert graph.name == "tiny"
    assert [(node.output, node.source) for node in graph.nodes] == [
        ("stem", "stem"),
        ("act", "act"),
    ]
    assert graph.nodes[0].inputs == ("input", "stem.weight", "stem.bias")


def test_weights_are_not_copied() -> None:
    module = nn.Conv2d(4, 6, 3).eval()
    graph = capture(module, (1, 4, 9, 7))
    assert np.shares_memory(graph.constants["weight"], module.weight.detach().numpy())


def test_shared_weights_are_stored_once() -> None:
    graph = next(case for case in CASES if case.name == "conv_shared").graph()
    first, _, second = graph.nodes
    assert first.inputs[1] == second.inputs[1]


def test_weight_standardization_is_constant() -> None:
    graph = capture(StandardizedConv(4, 6, 3).eval(), (1, 4, 9, 7))
    assert [node.op for node in graph.nodes] == ["conv2d"]


def test_no_grad_and_disabled_autocast_are_entered() -> None:
    def blocks(x: Tensor) -> Tensor:
        with torch.no_grad():
            y = x * 2
        with torch.autocast("cpu", enabled=False):
            return y + 1

    graph = capture(Apply(blocks).eval(), (1, 3))
    assert [node.op for node in graph.nodes] == ["mul", "add"]


class Wrapped(nn.Module):
    """Calls a function, under a path that messages can name."""

    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Any:
        return self.function(x)


def test_unsupported_operations_are_named_together() -> None:
    module = nn.Sequential()
    module.add_module("spectrum", Wrapped(lambda x: torch.fft.fft(x).real))
    module.add_module("middle", nn.ReLU())
    module.add_module("sums", Wrapped(lambda x: torch.cumsum(x, 1)))
    module.add_module("again", Wrapped(lambda x: torch.cumsum(x, 2) + x.sort(1)[0]))
    with pytest.raises(UnsupportedOpError) as caught:
        capture(module.eval(), (1, 4, 9, 7))
    message = str(caught.value)
    assert "aten.fft_fft.default in spectrum" in message
    assert "aten.cumsum.default in sums, again" in message
    assert "aten.sort.default in again" in message


@pytest.mark.parametrize(
    ("function", "operation"),
    [
        (lambda x: x.masked_fill(x > 0, 0.0), "aten.gt.Scalar"),
        (lambda x: x.double() * 2, "aten.to.dtype"),
        (lambda x: F.conv2d(x, x[:, :, :3, :3]), "aten.conv2d.default"),
        (lambda x: F.adaptive_max_pool2d(x, (4, 3)), "aten.adaptive_max_pool2d.default"),
        (lambda x: F.max_pool2d(x, 2, return_indices=True)[1], "max_pool2d_with_indices"),
        (lambda x: x * x.max(1, keepdim=True)[1], "max"),
        (lambda x: F.interpolate(x, scale_factor=1.3), "aten.upsample_nearest2d.vec"),
        (lambda x: F.elu(x, alpha=0.5), "aten.elu.default"),
        (lambda x: F.softplus(x, threshold=1), "aten.softplus.default"),
    ],
)
def test_forms_that_are_not_supported(function: Callable[[Tensor], Any], operation: str) -> None:
    with pytest.raises(UnsupportedOpError, match=operation):
        capture(Apply(function).eval(), (1, 4, 9, 7))


def test_overwritten_part_that_nobody_reads_again() -> None:
    def halves(x: Tensor) -> Tensor:
        first, second = (x * 2).chunk(2, 1)
        return torch.cat((F.relu(first, inplace=True), second), 1)

    module = Apply(halves).eval()
    x = torch.randn(1, 4, 9, 7)
    (output,) = compile_graph(capture(module, (1, 4, 9, 7))).run(x)
    assert torch.equal(output, module(x))


class TwoInputs(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y


class Counter(nn.Module):
    """Overwrites a buffer at every call."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))
        self.calls: Tensor

    def forward(self, x: Tensor) -> Tensor:
        self.calls.add_(1)
        return x * self.calls


def branching(x: Tensor) -> Tensor:
    return x * 2 if x.sum() > 0 else x


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (Apply(branching).eval(), "data-dependent"),
        (TwoInputs().eval(), "missing a required argument.*must take one tensor"),
        (nn.Conv2d(3, 4, 3).eval(), "1x4x9x7"),
        (nn.Conv2d(4, 4, 3), r"model\.eval"),
        (Apply(lambda x: None).eval(), "returns None"),
        (Apply(lambda x: (x * 2, 3)).eval(), "returns 3"),
        (Apply(lambda x: ()).eval(), "no tensor"),
        (Apply(lambda x: x.nonexistent).eval(), "nonexistent"),
        (Counter().eval(), "overwrites calls"),
    ],
)
def test_modules_that_cannot_be_captured(module: nn.Module, words: str) -> None:
    with pytest.raises(CaptureError, match=words) as caught:
        capture(module, (1, 4, 9, 7))
    assert "\n" not in str(caught.value)
    assert all(float(buffer.abs().sum()) == 0 for buffer in module.buffers())


def test_dict_outputs_keep_their_order() -> None:
    module = Apply(lambda x: {"double": x * 2, "mean": x.mean((2, 3))}).eval()
    graph = capture(module, (1, 4, 9, 7))
    assert [graph.shape(name) for name in graph.outputs] == [(1, 4, 9, 7), (1, 4)]
