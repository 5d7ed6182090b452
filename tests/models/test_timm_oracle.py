"""Outputs against timm run beside, with random weights copied over, at two input sizes each."""

from types import ModuleType

import pytest
import torch
from torch import nn

from edgezoo.models.registry import get_model

SMALL = (
    ("mnasnet_a1_x0_5", "semnasnet_050"),
    ("mnasnet_a1_x0_75", "semnasnet_075"),
    ("mnasnet_b1_x0_5", "mnasnet_050"),
    ("mnasnet_b1_x1_4", "mnasnet_140"),
    ("mnasnet_small", "mnasnet_small"),
    ("efficientnet_b0", "efficientnet_b0"),
    ("tf_efficientnet_b1", "tf_efficientnet_b1"),
    ("efficientnet_lite1", "efficientnet_lite1"),
    ("tf_efficientnet_lite0", "tf_efficientnet_lite0"),
    ("dm_nfnet_f0", "dm_nfnet_f0"),
    ("nfnet_f0", "nfnet_f0"),
    ("nfnet_l0", "nfnet_l0"),
    ("eca_nfnet_l0", "eca_nfnet_l0"),
    ("nf_resnet50", "nf_resnet50"),
)
BIG = (
    ("efficientnet_b2", "efficientnet_b2"),
    ("tf_efficientnet_b3", "tf_efficientnet_b3"),
    ("efficientnet_b4", "efficientnet_b4"),
    ("tf_efficientnet_b5", "tf_efficientnet_b5"),
    ("tf_efficientnet_b7", "tf_efficientnet_b7"),
    ("efficientnet_b8", "efficientnet_b8"),
    ("tf_efficientnet_lite2", "tf_efficientnet_lite2"),
    ("efficientnet_lite3", "efficientnet_lite3"),
    ("tf_efficientnet_lite4", "tf_efficientnet_lite4"),
    ("dm_nfnet_f1", "dm_nfnet_f1"),
    ("dm_nfnet_f2", "dm_nfnet_f2"),
    ("nfnet_f1", "nfnet_f1"),
    ("eca_nfnet_l1", "eca_nfnet_l1"),
    ("eca_nfnet_l3", "eca_nfnet_l3"),
    ("nf_resnet101", "nf_resnet101"),
)
# An even and an odd side: SAME padding is asymmetric at stride 2 on even maps only.
SIDES = (64, 97)


@pytest.mark.parametrize(
    ("ours", "theirs"), [*SMALL, *(pytest.param(*pair, marks=pytest.mark.slow) for pair in BIG)]
)
def test_equals_timm(timm: ModuleType, ours: str, theirs: str) -> None:
    torch.manual_seed(0)
    reference = timm.create_model(theirs).double().eval()
    for name, buffer in reference.named_buffers():  # fresh statistics would hide a wrong order
        if name.endswith("running_mean"):
            buffer.normal_(0.0, 0.1)
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5)
    for name, parameter in reference.named_parameters():
        if name.endswith("gain"):  # 0 at the end of a fresh branch, which would hide all of it
            nn.init.uniform_(parameter, 0.5, 1.5)
        elif name.endswith("bias"):
            nn.init.normal_(parameter, 0.0, 0.1)
    module = get_model(ours).build().double().eval()
    module.load_state_dict(reference.state_dict())
    for side in SIDES:
        images = torch.randn(2, 3, side, side, dtype=torch.float64)
        with torch.no_grad():
            expected, actual = reference(images), module(images)
        # The same operations in float64; 1e-9 leaves room for another order of additions only.
        assert float((actual - expected).abs().max() / expected.abs().max()) <= 1e-9
