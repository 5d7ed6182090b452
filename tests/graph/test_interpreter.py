"""The interpreter is the oracle of everything else: its own oracle is torch and the formula."""

from __future__ import annotations

import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from edgezoo.converters.capture import capture
from edgezoo.graph.graph import INTEGER_RANGES, Graph, QuantParams, Value
from edgezoo.graph.interpreter import compile_graph, fake_quantized
from edgezoo.graph.ops import OPS, infer_shape
from tests.graph.case import Case
from tests.graph.cases import CASES
from tests.graph.modules import Apply, InvertedResidual

each_case = pytest.mark.parametrize("case", CASES, ids=str)


def grid(scale: float, zero_point: int) -> QuantParams:
    return QuantParams(np.array([scale], np.float32), np.array([zero_point], np.int64))


@each_case
def test_computes_what_the_module_computes(case: Case) -> None:
    graph = case.graph()
    for program in (compile_graph(graph), compile_graph(graph, dtype=torch.float64)):
        for expected, found in zip(case.expected(), program.run(case.inputs()), strict=True):
            assert found.dtype == program.dtype
            scale = expected.abs().max()
            assert (found - expected).abs().max() <= 5e-6 * scale  # float32 sums in another order


def test_float64_is_float64_all_the_way() -> None:
    case = next(case for case in CASES if case.name == "inverted_residual")
    module = case.module().double()
    x = case.inputs().double()
    expected = module(x)
    (found,) = compile_graph(case.graph(), dtype=torch.float64).run(x)
    # only the squeeze's reciprocals and such could be narrower
    assert (found - expected).abs().max() <= 1e-12 * expected.abs().max()


@each_case
def test_the_shape_rule_is_the_execution(case: Case) -> None:
    graph = case.graph()
    shapes: dict[str, tuple[int, ...]] = {}

    def observe(value: Value, tensor: Tensor) -> None:
        shapes[value.name] = tuple(tensor.shape)

    compile_graph(graph).run(case.inputs(), observe=observe)
    assert shapes == {
        name: value.shape for name, value in graph.values.items() if name not in graph.constants
    }
    for node in graph.nodes:
        inputs = [graph.shape(name) for name in node.inputs]
        assert infer_shape(node.op, node.attrs, inputs) == graph.shape(node.output)


def test_intermediates_are_freed_after_their_last_reader() -> None:
    graph = capture(Apply(lambda x: torch.exp(torch.sin(torch.cos(x)) + x)).eval(), (1, 3))
    alive: list[weakref.ref[Tensor]] = []
    most = 0

    def observe(value: Value, tensor: Tensor) -> None:
        nonlocal most
        alive.append(weakref.ref(tensor))
        most = max(most, sum(reference() is not None for reference in alive))

    compile_graph(graph).run(torch.randn(1, 3), observe=observe)
    assert len(graph.nodes) == 4
    assert most == 3  # the input, which is read again, and a node with its input


def test_an_output_that_is_read_again_is_kept() -> None:
    graph = capture(Apply(lambda x: (y := torch.exp(x), torch.sin(y) + y)).eval(), (1, 3))
    x = torch.randn(1, 3)
    first, second = compile_graph(graph).run(x)
    assert torch.equal(first, x.exp())
    assert torch.equal(second, x.exp().sin() + x.exp())


def test_a_program_runs_many_times() -> None:
    program = compile_graph(capture(InvertedResidual().eval(), (1, 4, 6, 6)))
    x = torch.randn(1, 4, 6, 6)
    (first,), (second,) = program.run(x), program.run(x)
    assert torch.equal(first, second)


def test_the_number_of_inputs_is_checked() -> None:
    program = compile_graph(capture(Apply(torch.exp).eval(), (1, 3)))
    with pytest.raises(ValueError, match="zip"):
        program.run()


def test_every_op_has_its_attributes_type() -> None:
    for name, op in OPS.items():
        assert op.name == name
        for case in CASES:
            for node in case.graph().nodes:
                if node.op == name:
                    assert type(node.attrs) is op.attrs


# ------------------------------------------------------------------------ fake quantization

scales = st.floats(1e-4, 10)
zero_points = st.integers(-128, 127)


@given(scales, zero_points, st.lists(st.floats(-1000, 1000, width=32), min_size=1, max_size=20))
def test_fake_quantization_is_the_formula(
    scale: float, zero_point: int, numbers: list[float]
) -> None:
    quant = grid(scale, zero_point)
    x = torch.tensor(numbers)
    found = fake_quantized(x.clone(), quant).numpy().astype(np.float64)
    exact_scale = float(quant.scale[0])
    low, high = INTEGER_RANGES["int8"]
    position = x.numpy().astype(np.float64) / exact_scale
    steps = np.clip(np.round(position) + zero_point, low, high) - zero_point
    # x * (1/s) in float32 may fall on the other side of a tie; nowhere else
    near_tie = np.abs(np.abs(position - np.floor(position)) - 0.5) < 1e-4 * np.maximum(
        1, np.abs(position)
    )
    expected = steps * exact_scale
    off = np.abs(found - expected)
    assert np.all(off <= 1e-6 * np.abs(expected) + 1e-12 + near_tie * 1.001 * exact_scale)


@given(scales, zero_points)
def test_grid_points_stay_and_the_ends_clip(scale: float, zero_point: int) -> None:
    quant = grid(scale, zero_point)
    steps = torch.arange(-128 - zero_point, 128 - zero_point, dtype=torch.float64)
    points = steps * float(quant.scale[0])
    assert torch.equal(fake_quantized(points.clone(), quant), points)
    far = torch.tensor([-1e9, 1e9], dtype=torch.float64)
    assert fake_quantized(far, quant).tolist() == [points[0].item(), points[-1].item()]


@given(scales, zero_points, st.lists(st.floats(-1000, 1000, width=32), min_size=1, max_size=20))
def test_the_differentiable_form_gives_the_same(
    scale: float, zero_point: int, numbers: list[float]
) -> None:
    quant = grid(scale, zero_point)
    plain = torch.tensor(numbers)
    found = fake_quantized(plain.clone().requires_grad_(), quant).detach()
    position = plain.double() / float(quant.scale[0])
    near_tie = (
        (position - position.floor() - 0.5).abs() < 1e-3 * position.abs().clamp(min=1)
    ).double()
    off = (found - fake_quantized(plain.clone(), quant)).abs()
    assert torch.all(off <= near_tie * 1.01 * scale + 1e-4 * plain.abs())


def quantized_product(graph: Graph) -> Graph:
    """Put input and output of a graph on grids."""
    name = graph.outputs[0]
    values = {
        **graph.values,
        "input": replace(graph.values["input"], quant=grid(0.05, 0)),
        name: replace(graph.values[name], quant=grid(0.1, -128)),
    }
    return replace(graph, values=values)


def test_gradients_pass_straight_through_where_nothing_clips() -> None:
    graph = quantized_product(capture(Apply(lambda x: x * 3).eval(), (1, 4)))
    x = torch.tensor([[-1.0, 0.31, 2.0, 100.0]], requires_grad=True)
    (y,) = compile_graph(graph).run(x)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    # the output's grid starts at 0 and the input's ends at 6.35: both ends stop the gradient
    assert gradient.tolist() == [[0.0, 3.0, 3.0, 0.0]]
    assert y.tolist() == [
        [0.0, pytest.approx(0.9), pytest.approx(6.0), pytest.approx(19.05, abs=0.06)]
    ]


def test_values_are_rounded_unless_told_otherwise() -> None:
    graph = quantized_product(capture(Apply(lambda x: x * 3).eval(), (1, 2)))
    x = torch.tensor([[0.333, 0.04]])
    (rounded,) = compile_graph(graph).run(x)
    assert torch.allclose(rounded, torch.tensor([[1.0, 0.2]]))  # 0.35 * 3 = 1.05, to even
    (exact,) = compile_graph(graph, fake_quantize=False).run(x)
    assert torch.allclose(exact, x * 3)


def test_a_callers_tensor_is_never_changed() -> None:
    graph = quantized_product(capture(Apply(lambda x: x * 3).eval(), (1, 2)))
    x = torch.tensor([[0.333, 0.04]])
    compile_graph(graph).run(x)
    assert x.tolist() == [[pytest.approx(0.333), pytest.approx(0.04)]]


def test_integer_constants_are_read_as_real_numbers() -> None:
    graph = capture(Apply(lambda x, c: x + c, c=torch.zeros(2)).eval(), (1, 2))
    (name,) = graph.constants
    quant = grid(0.5, 3)
    stored = np.array([[5, -1]], np.int8)
    graph = replace(
        graph,
        values={**graph.values, name: Value(name, (1, 2), "int8", quant)},
        constants={name: stored},
    )
    (y,) = compile_graph(graph).run(torch.zeros(1, 2))
    assert y.tolist() == [[1.0, -2.0]]
