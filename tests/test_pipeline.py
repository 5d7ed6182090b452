"""The verbs from Python, on small networks; the command line's tests cover what users can do wrong."""

import json
from inspect import isfunction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import edgezoo
from edgezoo.errors import ArtifactError, ModelNotFoundError, UsageError, VerificationError
from edgezoo.types import Format

BOTH: tuple[Format, ...] = ("tflite", "onnx")


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(8, 5),
    )  # fmt: skip


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(11):
        coarse = generator.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((50, 50), Image.Resampling.BICUBIC)
        picture.save(folder / f"{number}.png")
    return folder


@pytest.mark.parametrize(
    ("shape", "module"),
    [
        ((2, 12), nn.Sequential(nn.Linear(12, 4), nn.ReLU())),
        ((1, 7, 12), nn.Sequential(nn.Linear(12, 4), nn.Tanh())),
        ((3, 3, 16, 16), network()),
    ],
    ids=["rank 2", "rank 3", "batch 3"],
)
def test_inputs_of_any_rank(tmp_path: Path, shape: tuple[int, ...], module: nn.Module) -> None:
    made = edgezoo.convert(module, input=shape, to=BOTH, out=tmp_path).artifacts
    for artifact in made:
        # Eight random inputs, rounded up to whole batches.
        assert artifact.comparison.samples == -(-8 // shape[0]) * shape[0]
        assert artifact.comparison.sqnr_db > 100


def test_photos_fill_whole_batches(tmp_path: Path, photos: Path) -> None:
    """Eleven photos are three batches of three; two kept out of calibration are repeated."""
    shape, out = (3, 3, 16, 16), tmp_path / "made"
    floats = edgezoo.convert(network(), input=shape, to=BOTH, samples=photos, out=out).artifacts
    integers = edgezoo.quantize(network(), input=shape, to=BOTH, samples=photos, out=out).artifacts
    assert [artifact.comparison.samples for artifact in (*floats, *integers)] == [9, 9, 3, 3]
    assert [artifact.comparison.held_out for artifact in integers] == [True, True]


def test_progress_and_reuse(tmp_path: Path) -> None:
    told: list[str] = []
    first = edgezoo.convert(network(), input=(1, 3, 16, 16), out=tmp_path, progress=told.append)
    steps = ["loaded", "capturing", "writing", "verifying"]
    assert [message.split()[0] for message in told] == steps
    told.clear()
    again = edgezoo.convert(network(), input=(1, 3, 16, 16), out=tmp_path, progress=told.append)
    assert [message.split()[0] for message in told] == ["loaded"]
    assert again.artifacts[0].sha256 == first.artifacts[0].sha256
    assert again.artifacts[0].reused


def test_a_misspelt_name_makes_no_folder(tmp_path: Path) -> None:
    for verb in (edgezoo.convert, edgezoo.quantize, edgezoo.run):
        with pytest.raises(ModelNotFoundError, match="shufflenet_v1"):
            verb("shuflenet_v1", samples=tmp_path, out=tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_verify_names_every_bad_file(tmp_path: Path) -> None:
    """Files of one network; their last layer is negated and the hash made to fit."""
    out, shape = tmp_path / "made", (1, 3, 64, 64)
    name = "shufflenet_v1_g3_x0_25"
    made = edgezoo.convert(name, weights="random", input=shape, to=BOTH, out=out).artifacts
    paths = [artifact.path for artifact in made]
    assert len(edgezoo.verify(paths).artifacts) == 2
    assert edgezoo.verify(paths[0]).artifacts[0].comparison == made[0].comparison
    for path in paths:
        _negate_last_layer(path)
    with pytest.raises(VerificationError) as caught:
        edgezoo.verify(paths)
    assert str(caught.value).count("the difference jumps at classifier.0") == 2


def _negate_last_layer(path: Path) -> None:
    from edgezoo import artifacts
    from edgezoo.models.resolve import load_model

    loaded = load_model("shufflenet_v1_g3_x0_25", weights="random")
    weights = loaded.module.state_dict()["classifier.0.weight"].numpy()
    content = path.read_bytes()
    assert content.count(weights.tobytes()) == 1
    path.write_bytes(content.replace(weights.tobytes(), (-weights).tobytes()))
    manifest = artifacts.read_manifest(path)
    artifacts.write_json(
        artifacts.manifest_path(path), {**manifest, "sha256": artifacts.file_sha256(path)}
    )


def test_a_module_object_cannot_be_built_again_and_says_so(tmp_path: Path) -> None:
    (artifact,) = edgezoo.convert(network(), input=(1, 3, 16, 16), out=tmp_path).artifacts
    with pytest.raises(ArtifactError, match=r"module object .*Sequential.* convert the network by"):
        edgezoo.verify(artifact.path)


def test_onnx_has_no_integer_inputs(tmp_path: Path, photos: Path) -> None:
    out = tmp_path / "made"
    with pytest.raises(UsageError, match="ONNX files take and give float32"):
        edgezoo.quantize(
            network(), input=(1, 3, 16, 16), to=BOTH, samples=photos, out=out, io_dtype="int8"
        )
    assert not out.exists()


def test_few_photos_all_calibrate_but_those_compared_on(tmp_path: Path, photos: Path) -> None:
    for extra in sorted(photos.iterdir())[3:]:
        extra.unlink()
    (artifact,) = edgezoo.quantize(
        network(), input=(1, 3, 16, 16), samples=photos, out=tmp_path / "made"
    ).artifacts
    facts = json.loads(artifact.manifest.read_text())["quantization"]
    assert (facts["calibration_photos"], facts["evaluation_photos"]) == (2, 1)
    assert artifact.comparison.held_out


def test_a_report_on_a_changed_file_is_refused(tmp_path: Path) -> None:
    (artifact,) = edgezoo.convert(network(), input=(1, 3, 16, 16), out=tmp_path).artifacts
    edgezoo.write_report(tmp_path)
    artifact.path.write_bytes(artifact.path.read_bytes() + b"x")
    with pytest.raises(ArtifactError, match="was changed after it was written"):
        edgezoo.write_report(tmp_path)


def test_no_verb_is_shadowed_by_a_module(tmp_path: Path) -> None:
    edgezoo.convert(network(), input=(1, 3, 16, 16), out=tmp_path)
    edgezoo.write_report(tmp_path)
    verbs = [name for name in edgezoo.__all__ if name not in ("Plan", "Sweep")]
    assert [name for name in verbs if not isfunction(getattr(edgezoo, name))] == []
