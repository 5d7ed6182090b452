import subprocess
import sys

import pytest
import torch

from edgezoo.errors import ModelNotFoundError
from edgezoo.models.registry import ALIASES, MODELS, PUBLISHED_ONLY, get_model, list_models
from edgezoo.types import ModelSpec

# Where the printed multiply-accumulates are off the exact count by more than 1 %: rounding in the
# paper, or another counting tool (the READMEs of MnasNet and Lite).
MACS_TOLERANCE = {
    "efficientnet_b0": 0.011,
    "efficientnet_b1": 0.02,
    "efficientnet_b3": 0.016,
    "efficientnet_b4": 0.047,
    "efficientnet_b5": 0.038,
    "efficientnet_b7": 0.021,
    "efficientnet_lite": 0.06,
    "mnasnet_a1": 0.026,
    "shufflenet_v1_g3_x0_5_shallow": 0.041,  # inferred
    "residual_attention_92": 0.013,  # the authors' released graph against their paper
    "shufflenet_v1_g3_x0_5": 0.012,
    "shufflenet_v1_g4_x1_0": 0.011,  # Table 1 leaves the classifier out
    "shufflenet_v1_g8_x1_0": 0.011,
    "shufflenet_v1_g8_x0_5": 0.012,
}

COLUMNS = {
    *("top1", "top5", "top1_int8", "params", "macs", "latency_ms"),
    *(
        "source",
        "note",
        "others",
        "input",
        "training",
        "training_step_ms",
        "top1_after_pretraining",
    ),
}
# Parameters: networks that are inferred from what is printed about them.
PARAMS_TOLERANCE = {
    "residual_attention_cifar_92": 0.05,
    "residual_attention_cifar_236": 0.05,
    "residual_attention_cifar_452": 0.19,  # no mask was found that meets all three
}


def test_names_follow_the_pattern() -> None:
    names = set(MODELS)
    scales = ("x0_25", "x0_5", "x1_0", "x1_5", "x2_0")
    assert {f"shufflenet_v1_g{g}_{s}" for g in (1, 2, 3, 4, 8) for s in scales} <= names
    widths = ("x0_35", "x0_5", "x0_75", "x1_0", "x1_3", "x1_4")
    assert {f"mnasnet_{v}_{w}" for v in ("a1", "b1") for w in widths} <= names
    sizes = [*(f"b{i}" for i in range(9)), "l2", "l2_475", *(f"lite{i}" for i in range(5))]
    assert {f"{p}efficientnet_{s}" for p in ("", "tf_") for s in sizes} <= names
    assert "mnasnet_small" in names
    assert {f"{p}nfnet_f{i}" for p in ("", "dm_") for i in range(8)} <= names
    assert {"nfnet_l0", *(f"eca_nfnet_l{i}" for i in range(4))} <= names
    layers = (50, 101, 152, 200, 288)
    assert {f"{p}nf_resnet{n}" for p in ("", "dm_") for n in layers} <= names
    assert {"shufflenet_v1_g3_x2_0_se", "shufflenet_v1_g3_x0_5_shallow"} <= names
    depths = [f"cifar_{depth}" for depth in (56, 92, 128, 164, 236, 452)]
    kinds = ["56", "92", "next_56", "next_92", *depths]
    assert {f"residual_attention_{kind}" for kind in kinds} <= names


@pytest.mark.parametrize("spec", list_models(), ids=lambda spec: spec.name)
def test_found_by_its_name(spec: ModelSpec) -> None:
    assert get_model(spec.name) is spec
    assert spec.input == (1, 3, spec.preprocessing.size, spec.preprocessing.size)


@pytest.mark.parametrize(
    "name",
    [
        "shufflenet_v1",
        "mnasnet_small",
        "efficientnet_b4",
        "nfnet_l0",
        "residual_attention_cifar_56",
    ],
)
def test_modules_know_their_input(name: str) -> None:
    spec = get_model(name)
    with torch.device("meta"):
        module = spec.build(in_channels=5)
    assert module.default_input == (1, 5, *spec.input[2:])


@pytest.mark.parametrize("name", ["shufflenet_v1", "nfnet_l0", "residual_attention_56"])
@pytest.mark.parametrize(("option", "value"), [("num_classes", -1), ("in_channels", 0)])
def test_impossible_options(name: str, option: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{option}={value} is less than"):
        get_model(name).build(**{option: value})


@pytest.mark.parametrize("alias", ALIASES)
def test_alias_is_the_canonical_network(alias: str) -> None:
    assert alias not in MODELS
    assert get_model(alias) is MODELS[ALIASES[alias]]


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [
        ("efficientnet_light0", "efficientnet_lite0"),
        ("shufflenet", "shufflenet_v1"),
        ("MNASNet-A1", "mnasnet_a1"),
    ],
)
def test_unknown_name_suggests_the_nearest(typed: str, nearest: str) -> None:
    with pytest.raises(ModelNotFoundError, match=nearest) as caught:
        get_model(typed)
    assert repr(typed) in str(caught.value)


def test_nothing_near() -> None:
    with pytest.raises(ModelNotFoundError, match="edgezoo list"):
        get_model("zzz")


@pytest.mark.parametrize(
    "name", [s.name for s in list_models() if s.published and not s.name.startswith("tf_")]
)
def test_published_numbers_agree_with_the_counts(name: str) -> None:
    spec, published = MODELS[name], MODELS[name].published
    rows = (published, *published.get("others", ()))
    assert all(row["source"] and set(row) <= COLUMNS for row in rows)
    near = [t for prefix, t in MACS_TOLERANCE.items() if name.startswith(prefix)]
    for row in rows:
        if "params" in row:
            # Printed with one decimal of a million; from B3 on in whole millions.
            tolerance = PARAMS_TOLERANCE.get(name, 0.025)
            assert spec.params == pytest.approx(row["params"], rel=tolerance, abs=0.051e6)
        if "macs" in row and "input" not in row:
            assert spec.macs == pytest.approx(row["macs"], rel=max(near, default=0.01))


@pytest.mark.parametrize("name", [s.name for s in list_models() if s.published])
def test_discrepancies_are_explained(name: str) -> None:
    """Where a print is off by more than 2 %, a note says why."""
    spec, published = MODELS[name], MODELS[name].published
    rows = [row for row in (published, *published.get("others", ())) if "input" not in row]
    off = [row for row in rows if "macs" in row and abs(row["macs"] / spec.macs - 1) > 0.02]
    assert not off or published["note"]


A1 = [s.name for s in list_models() if s.name.startswith("mnasnet_a1_") and "1_3" not in s.name]


@pytest.mark.parametrize("name", A1)
def test_readme_of_mnasnet_at_every_input_size(name: str) -> None:
    from edgezoo.models.look import model_info

    info = model_info(name)
    rows = [row for row in info.published["others"] if "input" in row]
    assert [row["input"] for row in rows] == [192, 160, 128, 96]
    for row in rows:  # another counting tool, up to 3 % above
        assert 1.0 <= row["macs"] / info.macs_at[row["input"]] <= 1.03
    accuracies = [row["top1"] for row in rows]
    assert accuracies == sorted(accuracies, reverse=True)


def test_printed_typo_is_explained() -> None:
    rows = MODELS["mnasnet_a1_x0_35"].published["others"]
    (row,) = [row for row in rows if row.get("input") == 160]
    assert row["top1"] == 59.3
    assert "52.3" in row["note"]


@pytest.mark.parametrize("name", PUBLISHED_ONLY)
def test_without_architecture_there_is_no_model(name: str) -> None:
    assert name not in MODELS
    with pytest.raises(ModelNotFoundError, match=f"no architecture of {name} was published"):
        get_model(name)


def test_listing_imports_no_torch() -> None:
    code = (
        "import sys; from edgezoo.models.registry import list_models;"
        "from edgezoo.models.look import model_info, table_info;"
        "print(sum(table_info(spec).params > 0 for spec in list_models()));"
        "print(model_info('mnasnet_a2').published['params']);"
        "print([m for m in ('torch', 'numpy', 'PIL', 'safetensors') if m in sys.modules])"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert output.splitlines() == [f"{len(MODELS)}", "4800000.0", "[]"]
