"""Numbers that papers and authors' READMEs print about the networks, each row beside its source.

Rounded as printed. A multiply-accumulate counts 1; ``latency_ms`` keys name the device. Where the
source counts differently from edgezoo (ShuffleNet's classifier, the Lite README), the exact counts
of the registry differ by a few percent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Published = Mapping[str, Any]  # Any: numbers, a source string and a mapping of latencies

_SHUFFLENET = "arXiv 1707.01083v2"
_MEGVII = "github.com/megvii-model/ShuffleNet-Series ShuffleNetV1 README"
_MNASNET = "arXiv 1807.11626"
_MNASNET_README = "github.com/tensorflow/tpu models/official/mnasnet README"
_EFFICIENTNET = "arXiv 1905.11946v1 Table 2"
_LITE_README = "github.com/tensorflow/tpu models/official/efficientnet/lite README"

# Top-1 error in percent, Table 2, for groups 1, 2, 3, 4, 8.
_SHUFFLENET_ERRORS: Mapping[str, tuple[float, ...]] = {
    "x1_0": (33.6, 32.7, 32.6, 32.8, 32.4),
    "x0_5": (45.1, 44.4, 43.2, 41.6, 42.3),
    "x0_25": (57.1, 56.8, 55.0, 54.2, 52.7),
}
# What the other tables and megvii's README add: multiply-accumulates, Snapdragon 820 latency (one
# thread, 224x224), top-5, parameters.
_SHUFFLENET_EXTRA: Mapping[str, Published] = {
    "g1_x1_0": {"macs": 143e6, "source": f"{_SHUFFLENET} Tables 1, 2"},
    "g2_x1_0": {"macs": 140e6, "source": f"{_SHUFFLENET} Tables 1, 2"},
    "g3_x1_0": {
        "macs": 137e6,
        "latency_ms": {"snapdragon_820_1_thread": 37.8},
        "source": f"{_SHUFFLENET} Tables 1, 2, 8",
    },
    "g4_x1_0": {"macs": 133e6, "source": f"{_SHUFFLENET} Tables 1, 2"},
    "g8_x1_0": {"macs": 137e6, "source": f"{_SHUFFLENET} Tables 1, 2"},
    "g3_x0_5": {
        "macs": 38e6,
        "latency_ms": {"snapdragon_820_1_thread": 15.2},
        "source": f"{_SHUFFLENET} Tables 2, 8",
    },
    "g3_x1_5": {"top1": 71.5, "macs": 292e6, "source": f"{_SHUFFLENET} Table 5"},
    "g3_x2_0": {
        "top1": 73.7,
        "macs": 524e6,
        "latency_ms": {"snapdragon_820_1_thread": 108.8},
        "source": f"{_SHUFFLENET} Tables 5, 8",
    },
    "g8_x1_5": {"top1": 71.0, "top5": 89.6, "params": 4.3e6, "macs": 290e6, "source": _MEGVII},
    "g8_x2_0": {"top1": 72.9, "top5": 90.8, "params": 6.5e6, "macs": 522e6, "source": _MEGVII},
}

# Multiplier: top-1, top-5, parameters (M), multiply-accumulates (M), Pixel 1 latency (ms).
_MNASNET_A1 = {
    "x1_4": (77.2, 93.5, 6.1, 591.5, 135.0),
    "x0_75": (73.3, 91.3, 2.9, 226.7, 61.0),
    "x0_5": (68.9, 88.4, 2.1, 105.2, 32.0),
    "x0_35": (64.1, 85.1, 1.7, 63.2, 22.0),
}
_MNASNET_ROWS: Mapping[str, Published] = {
    "mnasnet_a1_x1_0": {
        "top1": 75.2,
        "top5": 92.5,
        "params": 3.9e6,
        "macs": 312e6,
        "latency_ms": {"pixel1_big_core": 78.0},
        "source": f"{_MNASNET} Table 1",
    },
    "mnasnet_b1_x1_0": {"params": 4.4e6, "macs": 315e6, "source": f"{_MNASNET} Table 2"},
    "mnasnet_small": {
        "top1": 66.0,
        "params": 2.0e6,
        "macs": 68e6,
        "latency_ms": {"pixel1_big_core": 23.2},
        "source": f"{_MNASNET} Table 4",
    },
}
_MNASNET_B1_TORCHVISION = {  # multiplier: top-1, top-5
    "x0_5": (67.734, 87.490),
    "x0_75": (71.180, 90.496),
    "x1_3": (76.506, 93.522),
}

# Top-1, top-5, parameters (M), multiply-accumulates (G).
_EFFICIENTNET_ROWS = {
    "b0": (76.3, 93.2, 5.3, 0.39),
    "b1": (78.8, 94.4, 7.8, 0.70),
    "b2": (79.8, 94.9, 9.2, 1.0),
    "b3": (81.1, 95.5, 12.0, 1.8),
    "b4": (82.6, 96.3, 19.0, 4.2),
    "b5": (83.3, 96.7, 30.0, 9.9),
    "b6": (84.0, 96.9, 43.0, 19.0),
    "b7": (84.4, 97.1, 66.0, 37.0),
}
_EFFICIENTNET_B8: Published = {
    "params": 87.4e6,
    "macs": 62.5e9,
    "source": "arXiv 2102.06171 Table 3",
}
# Parameters (M), multiply-accumulates (M), top-1, then Pixel 4 ms: CPU (4 threads), GPU, GPU in
# fp16; then of the int8 network: top-1 and CPU ms.
_LITE_ROWS = {
    "lite0": (4.7, 407.0, 75.1, 12.0, 9.0, 6.0, 74.4, 6.5),
    "lite1": (5.4, 631.0, 76.7, 18.0, 12.0, 8.0, 75.9, 9.1),
    "lite2": (6.1, 899.0, 77.6, 26.0, 16.0, 10.0, 77.0, 12.0),
    "lite3": (8.2, 1440.0, 79.8, 41.0, 23.0, 14.0, 79.0, 18.0),
    "lite4": (13.0, 2640.0, 81.5, 76.0, 36.0, 21.0, 80.2, 30.0),
}


def _million(value: float) -> float:
    return round(value * 1e6, 0)


def _shufflenet_rows() -> Iterator[tuple[str, Published]]:
    rows: dict[str, dict[str, Any]] = {}
    for scale, errors in _SHUFFLENET_ERRORS.items():
        for groups, error in zip((1, 2, 3, 4, 8), errors, strict=True):
            row = {"top1": round(100 - error, 1), "source": f"{_SHUFFLENET} Table 2"}
            rows[f"g{groups}_{scale}"] = row
    for key, extra in _SHUFFLENET_EXTRA.items():
        rows[key] = rows.get(key, {}) | dict(extra)
    for key, row in rows.items():
        yield f"shufflenet_v1_{key}", row


def _mnasnet_rows() -> Iterator[tuple[str, Published]]:
    yield from _MNASNET_ROWS.items()
    for scale, (top1, top5, params, macs, latency) in _MNASNET_A1.items():
        yield (
            f"mnasnet_a1_{scale}",
            {
                "top1": top1,
                "top5": top5,
                "params": _million(params),
                "macs": _million(macs),
                "latency_ms": {"pixel1": latency},
                "source": _MNASNET_README,
            },
        )
    for scale, (top1, top5) in _MNASNET_B1_TORCHVISION.items():
        yield (
            f"mnasnet_b1_{scale}",
            {"top1": top1, "top5": top5, "source": "torchvision MNASNet weights"},
        )


def _efficientnet_rows() -> Iterator[tuple[str, Published]]:
    yield "efficientnet_b8", _EFFICIENTNET_B8
    for size, (top1, top5, params, giga_macs) in _EFFICIENTNET_ROWS.items():
        yield (
            f"efficientnet_{size}",
            {
                "top1": top1,
                "top5": top5,
                "params": _million(params),
                "macs": _million(giga_macs * 1e3),
                "source": _EFFICIENTNET,
            },
        )
    for size, (params, macs, top1, cpu, gpu, gpu_fp16, top1_int8, cpu_int8) in _LITE_ROWS.items():
        latency_ms = {
            "pixel4_cpu_4_threads": cpu,
            "pixel4_gpu": gpu,
            "pixel4_gpu_fp16": gpu_fp16,
            "pixel4_cpu_4_threads_int8": cpu_int8,
        }
        yield (
            f"efficientnet_{size}",
            {
                "top1": top1,
                "top1_int8": top1_int8,
                "params": _million(params),
                "macs": _million(macs),
                "latency_ms": latency_ms,
                "source": _LITE_README,
            },
        )


PUBLISHED: Mapping[str, Published] = dict(
    [*_shufflenet_rows(), *_mnasnet_rows(), *_efficientnet_rows()]
)
