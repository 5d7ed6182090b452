"""What a device is, from the texts that it gives: properties, cpuinfo, meminfo, core tree.

Phones name themselves in many ways. ``ro.soc.model`` exists from Android 12 on; before, Qualcomm put
its chip into cpuinfo's "Hardware", MediaTek into ``ro.mediatek.platform``, Samsung into
``ro.hardware.chipname``, and ``ro.board.platform`` holds a code name ("kona") or a chip.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from edgezoo.devices.cores import clusters_of, parse_cores
from edgezoo.measurement import DeviceInfo, Provenance

SIMULATED = "ro.edgezoo.simulated"  # set by edgezoo's own simulated phone
EMULATORS = ("goldfish", "ranchu", "cutf_cvm", "vbox86", "windows_x86_64")
CHIP_PROPERTIES = ("ro.hardware.chipname", "ro.mediatek.platform", "ro.chipname")
# x86 has "model name"; Arm boards name the board ("Model") or the chip ("Hardware").
CPU_KEYS = ("model name", "Hardware", "Model", "Processor")


def device_of(parts: Mapping[str, str], serial: str) -> DeviceInfo:
    """Return the device that answered with ``parts`` (see ``survey``): a phone or a Linux board."""
    properties = parse_properties(parts.get("properties", ""))
    tree = parse_tree(parts.get("cores", ""))
    cpuinfo = parts.get("cpuinfo", "")
    clusters = clusters_of(tree)
    # Some kernels have room for more cores than there are.
    cores = len(parse_cores(tree.get("present", "") or tree.get("possible", "")))
    cores = cores or sum(len(cluster.cores) for cluster in clusters)
    governors = {value for path, value in tree.items() if path.endswith("/scaling_governor")}
    machine = parts.get("system", "").split()
    return DeviceInfo(
        name=_name(properties) or parts.get("host", "").strip() or serial,
        kind=_kind(properties),
        cpu=chip(properties, cpuinfo) or parts.get("board", "").strip() or "unknown",
        cores=cores or len(re.findall(r"(?m)^processor\s*:", cpuinfo)) or 1,
        memory_mib=memory_mib(parts.get("meminfo", "")),
        os=_system(properties, parts),
        governor="+".join(sorted(governors)) or None,
        load_1min=load(parts.get("load", "")),
        serial=serial,
        clusters=clusters,
        abis=_abis(properties) or tuple(machine[-1:]),
        fingerprint=properties.get("ro.build.fingerprint") or None,
        emulator=_kind(properties) == "simulated" and not properties.get(SIMULATED),
    )


def parse_properties(text: str) -> Mapping[str, str]:
    """Return what ``getprop`` prints; a value may run over several lines."""
    return dict(re.findall(r"(?ms)^\[([^\]\n]+)\]: \[(.*?)\]\r?$", text))


def parse_tree(text: str) -> Mapping[str, str]:
    """Return lines of the form ``path=value``."""
    pairs = (line.partition("=") for line in text.splitlines())
    return {path.strip(): value.strip() for path, separator, value in pairs if separator}


def chip(properties: Mapping[str, str], cpuinfo: str) -> str:
    """Return the name of the SoC or processor as precisely as the device tells it, else nothing."""
    maker, model = properties.get("ro.soc.manufacturer", ""), properties.get("ro.soc.model", "")
    platform = properties.get("ro.board.platform", "")
    if model and model.lower() != "unknown":
        name = f"{'' if maker.lower() == 'unknown' else maker} {model}".strip()
        return name if not platform or platform.lower() in name.lower() else f"{name} ({platform})"
    named = next((properties[key] for key in CHIP_PROPERTIES if properties.get(key)), "")
    pairs = (line.partition(":") for line in cpuinfo.splitlines())
    found = {key.strip(): value.strip() for key, _, value in pairs}
    told = next((found[key] for key in CPU_KEYS if found.get(key)), "")
    # "Qualcomm Technologies, Inc SM8150" says more than the code name "msmnile".
    return named or (told if re.search(r"\d", told) else "") or platform or told


def memory_mib(meminfo: str) -> int:
    """Return the total of /proc/meminfo in MiB, 0 where it is not told."""
    total = re.search(r"(?m)^MemTotal:\s*(\d{1,12}) kB", meminfo)
    return int(total[1]) >> 10 if total else 0


def load(loadavg: str) -> float | None:
    """Return the first number of /proc/loadavg."""
    found = re.match(r"\s*(\d+\.\d+)", loadavg)
    return float(found[1]) if found else None


def _kind(properties: Mapping[str, str]) -> Provenance:
    """Return ``simulated`` for emulators too: their numbers are of the computer they run on."""
    emulated = "1" in (properties.get("ro.kernel.qemu"), properties.get("ro.boot.qemu"))
    if properties.get(SIMULATED) or emulated or properties.get("ro.hardware") in EMULATORS:
        return "simulated"
    return "phone" if _release(properties) else "host"


def _name(properties: Mapping[str, str]) -> str:
    maker = properties.get("ro.product.manufacturer", "")
    model = properties.get("ro.product.model", "")
    if model.lower().startswith(maker.lower()):
        return model
    return f"{maker[:1].upper()}{maker[1:]} {model}".strip()


def _release(properties: Mapping[str, str]) -> str:
    return properties.get("ro.build.version.release", "")


def _system(properties: Mapping[str, str], parts: Mapping[str, str]) -> str:
    if _release(properties):
        level = properties.get("ro.build.version.sdk", "")
        return f"Android {_release(properties)}" + (f" (API {level})" if level else "")
    return system_of(parts.get("release", ""), parts.get("system", "")) or "unknown"


def system_of(os_release: str, kernel: str) -> str:
    """Return distribution and kernel: "Debian GNU/Linux 12 (bookworm), Linux 6.1.0 x86_64"."""
    pretty = re.search(r'(?m)^PRETTY_NAME="?([^"\n]*)', os_release)
    parts = (pretty[1] if pretty else "", " ".join(kernel.split()))
    return ", ".join(part for part in parts if part)


def _abis(properties: Mapping[str, str]) -> tuple[str, ...]:
    listed = properties.get("ro.product.cpu.abilist") or ",".join(
        properties.get(f"ro.product.cpu.{key}", "") for key in ("abi", "abi2")
    )
    return tuple(abi for abi in listed.split(",") if abi)
