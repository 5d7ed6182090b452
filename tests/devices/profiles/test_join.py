"""Profiles of real files joined with their nodes; and what must not be joined."""

from pathlib import Path

import pytest

from edgezoo.devices.processes import run_process
from edgezoo.devices.profiles.join import join, joined
from edgezoo.devices.profiles.kinds import executes
from edgezoo.devices.profiles.nodes import FileNode, read_nodes
from edgezoo.devices.runners.benchmark_profile import parse_profiles
from edgezoo.devices.runners.child import Request
from edgezoo.devices.runners.results import profile_of
from edgezoo.measurement import OpTime, Profile
from edgezoo.plan import Plan
from edgezoo.types import SUFFIXES, Format

FORMAT_OF: dict[str, Format] = {suffix: name for name, suffix in SUFFIXES.items()}
LOGS = Path(__file__).parents[1] / "runners" / "logs"
QUICK = Plan(warmup=1, runs=6)


def test_every_convolution_of_zoo_files_is_joined(zoo_files: tuple[Path, ...]) -> None:
    for path in zoo_files:
        format_ = FORMAT_OF[path.suffix]
        report = run_process(Request(path, format_, QUICK, profile=True))
        assert report.profile is not None, report.message
        profile, nodes = joined(report.profile, path, format_), read_nodes(path, format_)
        weighted = [node for node in nodes if node.macs]
        assert {node.value for node in weighted} <= {op.value for op in profile.ops}, path.name
        assert sum(op.macs or 0 for op in profile.ops) == sum(node.macs or 0 for node in weighted)
        # What ONNX Runtime inserts itself (other layouts) belongs to no node.
        assert profile.joined is not None and profile.joined > 0.6
        assert profile.coverage is not None and 0 < profile.coverage <= 1


def _ops(*words: str) -> Profile:
    return Profile(tuple(OpTime(f"{word}:{i}", word, 1.0) for i, word in enumerate(words)), 1)


def _values(profile: Profile) -> list[str | None]:
    return [op.value for op in profile.ops]


CONV = FileNode("a", "CONV_2D", 10)
NODES = (
    FileNode("q", "QUANTIZE", 0),
    FileNode("p", "PAD", 0),
    CONV,
    FileNode("s", "LOGISTIC", 0),
    FileNode("m", "MUL", 0),
    FileNode("d", "DEPTHWISE_CONV_2D", 5),
    FileNode("sum", "ADD", 0, fused=True),
)
IGEMM, DWCONV = "Convolution (NHWC, QC8) IGEMM", "Convolution (NHWC, QC8) DWConv"


def test_xnnpack_by_order() -> None:
    """It pads within the convolution, makes one table of x * sigmoid(x), clamps after the addition."""
    words = ("Convert (NC)", IGEMM, "Invalid Unary Op", DWCONV, "Add (ND)", "Clamp (NC)")
    profile = join(_ops(*words), NODES)
    assert _values(profile) == ["q", "a", "m", "d", "sum", "sum"]
    assert [op.macs for op in profile.ops] == [0, 10, 0, 5, 0, 0]


def test_nothing_is_joined_by_order_unless_all_weights_agree() -> None:
    assert _values(join(_ops(IGEMM, "Add (ND)"), NODES)) == [None, None]
    assert _values(join(_ops(DWCONV, IGEMM), NODES)) == [None, None]


def test_what_fits_nowhere_stays_unjoined() -> None:
    profile = join(_ops(IGEMM, "Softmax (NC)", DWCONV, "Clamp (NC)"), NODES[:-1])
    assert _values(profile) == ["a", None, "d", None]
    assert profile.joined == 0.5


ONNX = (
    FileNode("c/raw", "Conv", 10, "c/raw", ("x",)),
    FileNode("c", "Relu", 0, "c", ("c/raw",)),
    FileNode("g", "Mul", 0, "g", ("c",)),
    FileNode("e", "Conv", 7, "e", ("g",)),
    FileNode("f", "Add", 0, "f", ("e", "c")),
)


@pytest.mark.parametrize(
    ("name", "op", "value", "macs"),
    [
        ("c/raw", "FusedConv", "c/raw", 10),
        ("c_nchwc", "Conv", "c/raw", 10),  # named after its output, the activation's
        ("c/raw_token_7", "QLinearConv", "c/raw", 10),
        ("g/QuickGeluFusion/", "QuickGelu", "g", 0),
        ("ReorderInput_token_3", "ReorderInput", None, None),
        ("g", "Mul", "g", 0),
    ],
)
def test_names_of_onnxruntime(name: str, op: str, value: str | None, macs: int | None) -> None:
    (found,) = join(Profile((OpTime(name, op, 1.0),), 1), ONNX).ops
    assert (found.value, found.macs) == (value, macs)


def test_an_addition_fused_into_one_of_two_convolutions() -> None:
    """Which one is only known where the other has an operator of its own."""
    ops = (OpTime("c_nchwc", "Conv", 1.0), OpTime("f_nchwc", "Conv", 1.0))
    assert _values(join(Profile(ops, 1), ONNX)) == ["c/raw", "e"]
    assert _values(join(Profile(ops[1:], 1), ONNX)) == [None]


def test_names_that_are_not_unique_say_nothing() -> None:
    twice = (FileNode("a", "Conv", 1, "same"), FileNode("b", "Conv", 2, "same"))
    assert _values(join(Profile((OpTime("same", "Conv", 1.0),), 1), twice)) == [None]


def test_built_in_kernels_tell_their_outputs() -> None:
    """As benchmark_model prints them; a delegate's node also has its output's name."""
    ops = (
        OpTime("[a]:0", "CONV_2D", 1.0),
        OpTime("[d]:7", "TfLiteGpuDelegateV2", 1.0),
    )
    assert _values(join(Profile(ops, 1), NODES)) == ["a", None]


def test_a_genuine_table() -> None:
    """The four operators of the log against the model that it ran (see logs/README.md)."""
    tables = profile_of(
        parse_profiles((LOGS / "profile.txt").read_bytes()), accelerator="xnnpack", whole_ms=502.736
    )
    assert tables is not None
    nodes = (
        FileNode("t", "TRANSPOSE", 0),
        FileNode("conv", "CONV_2D", 1000),
        FileNode("mean", "MEAN", 0),
        FileNode("out", "FULLY_CONNECTED", 10),
    )
    profile = join(tables, nodes)
    assert _values(profile) == ["t", "conv", "mean", "out"]
    assert {op.where for op in profile.ops} == {"xnnpack"}
    assert profile.coverage == pytest.approx(502.583 / 502.736)


def test_an_unreadable_file_leaves_the_profile_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"no model")
    profile = _ops("Conv")
    assert joined(profile, path, "onnx") is profile
    assert joined(profile, tmp_path / "absent.onnx", "onnx") is profile


def test_depthwise_kernels_only_run_depthwise_nodes() -> None:
    assert executes(DWCONV, "DEPTHWISE_CONV_2D") and not executes(DWCONV, "CONV_2D")
