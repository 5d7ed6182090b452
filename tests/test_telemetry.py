"""ONNX Runtime sends nothing and leaves nothing behind when edgezoo loads it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LOAD = (
    "import edgezoo, onnxruntime, os\n"
    "from onnx import TensorProto, helper\n"
    "value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1])\n"
    "graph = helper.make_graph([helper.make_node('Relu', ['x'], ['y'])], 'g', [value('x')], [value('y')])\n"
    "model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid('', 17)])\n"
    "onnxruntime.InferenceSession(model.SerializeToString()).run(None, {'x': [1.0]})\n"
    "print(os.environ['ORT_DISABLE_TELEMETRY'])\n"
)


@pytest.mark.parametrize(("given", "used"), [({}, "1"), ({"ORT_DISABLE_TELEMETRY": "0"}, "0")])
def test_it_is_off_unless_it_is_asked_for(
    tmp_path: Path, given: Mapping[str, str], used: str
) -> None:
    kept = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    own = {"HOME": str(tmp_path), "TMPDIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    environment = {**kept, **own, "PYTHONPATH": str(ROOT), **given}
    # Its makers' service is not to be reached from here either way.
    environment |= {"CI": "true", "https_proxy": "http://127.0.0.1:9"} if used == "0" else {}
    done = subprocess.run(
        [sys.executable, "-c", LOAD], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout.strip()) == (0, used), done.stderr
    if used == "1":
        assert list(tmp_path.iterdir()) == []
