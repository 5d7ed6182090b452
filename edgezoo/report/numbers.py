"""Numbers as text, the same text in HTML and in Markdown; every function also takes inf and nan."""

from __future__ import annotations

import math

from edgezoo.measurement import Throughput

NOT_A_NUMBER = "not a number"
ABSENT = "–"


def significant(value: float, digits: int = 3) -> str:
    """``value`` with ``digits`` significant digits, without exponents: 12.3, 0.0482, 1,234."""
    if not math.isfinite(value):
        return _not_finite(value)
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")  # 9.996 rounds up to one digit more
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(rounded))))
    return f"{value:,.{decimals}f}"


def megabytes(size_bytes: int) -> str:
    """Bytes in MB of 10^6 bytes."""
    return f"{significant(size_bytes / 1e6)} MB"


def milliseconds(value_ms: float) -> str:
    """A latency with three significant digits."""
    return f"{significant(value_ms)} ms"


def millijoules(value_mj: float) -> str:
    """An energy with three significant digits."""
    return f"{significant(value_mj)} mJ"


def images_per_second(throughput: Throughput | None) -> str:
    """A rate with three significant digits: 1,230 images/s."""
    return ABSENT if throughput is None else f"{significant(throughput.images_per_s)} images/s"


def mebibytes(value_mib: float) -> str:
    """Memory in MiB of 2^20 bytes."""
    return f"{significant(value_mib)} MiB"


def decibels(value_db: float) -> str:
    """An SQNR; infinite means that not one value differs."""
    return f"{value_db:.1f} dB" if math.isfinite(value_db) else f"{_not_finite(value_db)} dB"


def relative_error(value: float) -> str:
    """A ratio of error to signal: 1.9e-6, 0.21."""
    if not math.isfinite(value):
        return _not_finite(value)
    if value == 0 or value >= 0.01:
        return significant(value, 2)
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def percent(fraction: float) -> str:
    """0.933 as 93.3 %; exactly 1 as 100 %, so that 0.9999 is seen to be less."""
    if not math.isfinite(fraction):
        return _not_finite(fraction)
    return f"{100 * fraction:.0f} %" if fraction in (0, 1) else f"{100 * fraction:.1f} %"


def count(value: int | None) -> str:
    """Thousands separated by commas."""
    return ABSENT if value is None else f"{value:,}"


def times(ratio: float) -> str:
    """A factor: 2.23×."""
    return f"{significant(ratio)}×"


def binomial_interval(fraction: float, samples: int) -> tuple[float, float]:
    """95 % interval of a proportion: Wilson's score interval (JASA 22, 1927)."""
    z = 1.959964
    centre = (fraction + z * z / (2 * samples)) / (1 + z * z / samples)
    spread = math.sqrt(fraction * (1 - fraction) / samples + z * z / (4 * samples * samples))
    half = spread * z / (1 + z * z / samples)
    return max(0.0, centre - half), min(1.0, centre + half)


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return NOT_A_NUMBER
    return "∞" if value > 0 else "−∞"
