"""Outputs on filled weights against reference implementations, in float64.

The filling draws every tensor from its own name, so both sides hold the same weights without a
file. The expected numbers are the first 8 of 1000 logits of one or two samples, from executing timm
1.0.31, megvii's ShuffleNetV1 (aa91feb) and the Residual Attention Network's Caffe file (fwang91,
bc207a8, with Caffe's rules for pooling and interpolation) on the same filling; ``largest`` is the
largest of all logits. ``names`` are the layers' names that the filling was drawn from, if not ours.
"""

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from edgezoo.models.namings_residual_attention import fwang91_layers
from edgezoo.models.registry import get_model
from edgezoo.models.weights import fit_state_dict


@dataclass(frozen=True)
class Case:
    model: str
    gain: float
    largest: float
    logits: tuple[tuple[float, ...], ...]
    shuffle: str | None = None
    side: int = 224
    names: Callable[[Any], Iterable[tuple[str, str]]] | None = None  # Any: the family's own class


# fmt: off
CASES = (
    Case(
        "shufflenet_v1_g3_x1_0",
        1.0,
        35.81695740778453,
        (
            (
                -21.757023649016674, -1.768493675160273, 2.2967026908278787, 12.82700929353266,
                10.478192399602392, 4.644258646744383, 8.225443352371105, -17.614582612716372,
            ),
            (
                -21.42517097324782, -1.705856176758327, 2.324817128362952, 12.630005626635535,
                10.264661901561375, 4.521070565190984, 8.098247572062022, -17.348849409556408,
            ),
        ),
        shuffle="megvii",
    ),
    Case(
        "mnasnet_a1_x1_0",
        1.6,
        13.024276951560939,
        (
            (
                -3.877491096981733, 1.3250895068795434, -1.9805905476478, 3.972227919580873,
                0.3259146487091167, -7.543371507788708, -2.482399467191727, 4.966201865752616,
            ),
            (
                -3.7221754251033934, 2.0680346421064937, -1.4512091050313953, 3.5261865305931126,
                0.9560884782943093, -8.950090070812086, -2.3711894116209513, 5.114851326730182,
            ),
        ),
    ),
    Case(
        "mnasnet_b1_x1_0",
        1.4,
        24.418353056502514,
        (
            (
                6.457529075054948, -0.1679568556084834, -5.887488996855474, 6.504082458190319,
                7.721005134678293, -5.274684787223624, -12.828147741667745, 0.9087811327474946,
            ),
            (
                6.1766721396863336, 0.2631278990502051, -7.0592279830061955, 7.486727449216397,
                6.834910644814843, -4.306717583501115, -12.710697102053938, 0.33356836907611687,
            ),
        ),
    ),
    Case(
        "efficientnet_b0",
        2.3,
        197.53063307082692,
        (
            (
                16.838183670579774, 11.57803041666968, -88.67179323089216, 23.428442470893255,
                41.50068666357698, -84.61834362484007, -103.74897331039446, 38.02287285479411,
            ),
            (
                23.683633906726687, 0.016416117740025493, -100.6622530532166, 29.322608989205822,
                57.3670569196683, -104.57480479640913, -71.10803584534071, 11.35388532723103,
            ),
        ),
    ),
    Case(
        "tf_efficientnet_b0",
        2.3,
        216.42948380045414,
        (
            (
                64.99249092557467, 55.602254611858605, -107.00693541114049, 24.520526824219544,
                9.517942327356089, -102.33545474551144, -94.8763338904995, 13.57811678916886,
            ),
            (
                30.85227095950777, 20.204345841779254, -87.29920322879181, 7.450845381218619,
                45.4416454338194, -90.20641809306503, -67.64704792233456, 15.596245522722342,
            ),
        ),
    ),
    Case(
        "efficientnet_lite0",
        2.0,
        11.871344181333775,
        (
            (
                0.1621474371909314, 2.157142205885675, -1.8220192185617625, 2.6903142279530696,
                1.2928417172869011, -5.789194114005258, -5.032057752537321, 0.15421825231337483,
            ),
            (
                0.7606696658829601, 1.7651058711966767, -2.1744592536651086, 2.3812058452384637,
                0.9719701598481048, -5.567090152797295, -4.99986900430422, 0.2664801551415068,
            ),
        ),
    ),
    Case(
        "dm_nfnet_f0",
        2.0,
        1.3739280627914363,
        (
            (
                -0.44444844988349824, 0.20930481337587958, 0.07972891581801106, -0.06636615597747905,
                -0.27996236733080215, -0.07473602781825145, 0.15131637395410186, 0.06301583298577648,
            ),
            (
                -0.41319952143078753, 0.19094141790461183, 0.037732566381788346, -0.1011385647409157,
                -0.2833697980045371, -0.08262111970798713, 0.10448095629225523, 0.08053389876009975,
            ),
        ),
        side=192,
    ),
    Case(
        "residual_attention_56",
        0.5,
        1.0693355014645214,
        (
            (
                0.4163356693821734, -0.5012377488539557, 0.37201018746634806, 0.30590098892407935,
                0.13447471268662126, 0.02483440723963211, -0.3337179674465329, 0.04921915081236264,
            ),
        ),
        names=fwang91_layers,
    ),
)
# fmt: on


def fill(name: str, shape: torch.Size, gain: float) -> torch.Tensor:
    draw = np.random.RandomState(zlib.crc32(name.encode()))
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    if name.endswith("running_var"):
        values = draw.uniform(0.5, 1.5, shape)
    elif name.endswith("skipinit_gain"):
        values = draw.uniform(0.5, 1.0, shape)
    elif name.endswith("gain"):
        values = draw.uniform(0.8, 1.2, shape)
    elif len(shape) >= 2:
        values = draw.standard_normal(shape) * np.sqrt(gain / np.prod(shape[1:]))
    elif name.endswith("weight"):
        values = draw.uniform(0.8, 1.2, shape)
    else:
        values = 0.1 * draw.standard_normal(shape)
    # The recipe stores float32, so float64 outputs depend on that rounding.
    return torch.from_numpy(np.asarray(values).astype(np.float32))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.model)
def test_logits(case: Case) -> None:
    options = {"shuffle": case.shuffle} if case.shuffle else {}
    module = get_model(case.model).build(**options).eval()
    names = {} if case.names is None else dict(case.names(module))
    state = {}
    for key, tensor in module.state_dict().items():
        layer, _, leaf = key.rpartition(".")
        name = f"{names.get(layer, layer)}.{leaf}"
        state[name] = fill(name, tensor.shape, case.gain)
    fit_state_dict(module, state, source=case.model)
    draw = np.random.RandomState(zlib.crc32(b"input"))
    shape = (len(case.logits), 3, case.side, case.side)
    images = draw.standard_normal(shape).astype(np.float32)
    with torch.no_grad():
        logits = module.double()(torch.from_numpy(images).double())
    # float64 rounding over some 60 layers stays far below 1e-9 of the largest logit.
    tolerance = 1e-9 * case.largest
    np.testing.assert_allclose(logits[:, :8].numpy(), case.logits, rtol=0, atol=tolerance)
    assert float(logits.abs().max()) == pytest.approx(case.largest, rel=1e-9)
