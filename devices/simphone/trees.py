"""The files by which a phone tells what it is and how it does: kernel trees, properties, dumpsys.

``write_profile`` is called once per phone, ``write_boot`` at every boot, ``write_conditions`` when
they change. Files below /proc are written in place, since each is mounted over the kernel's own;
all others are replaced whole.
"""

from __future__ import annotations

import os
import platform
import uuid
from collections.abc import Iterator
from pathlib import Path

from edgezoo.devices.simphone import arm64
from edgezoo.devices.simphone.conditions import SIMULATED, Cluster, Conditions, Profile

CPU = "sys/devices/system/cpu"
GOVERNORS = "conservative powersave performance schedutil"
# Android's limits at which the status becomes 1 to 6, per kind of temperature.
THRESHOLDS = (
    ("CPU", 0, (85.0, 90.0, 95.0, 100.0, 105.0, 110.0)),
    ("SKIN", 3, (39.0, 41.0, 43.0, 45.0, 46.5, 52.0)),
)


def write(path: Path, text: str) -> None:
    """Replace a file whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(text)
    part.replace(path)


def overwrite(path: Path, text: str) -> None:
    """Change a file without making a new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+b", buffering=0) as file:
        file.write(text.encode())
        file.truncate()


def _first_cores(clusters: tuple[Cluster, ...]) -> Iterator[tuple[int, Cluster]]:
    first = 0
    for cluster in clusters:
        yield first, cluster
        first += cluster.cores


def write_profile(root: Path, profile: Profile, serial: str, host_libc: str) -> None:
    """Write what never changes: properties, cores, memory."""
    write(root / "system/cores", f"{profile.cores}\n")
    pairs = sorted(properties(profile, serial, host_libc).items())
    write(root / "system/properties", "".join(f"[{key}]: [{value}]\n" for key, value in pairs))
    write(root / "system/build.prop", "".join(f"{key}={value}\n" for key, value in pairs))
    shell = "/system/bin/sh"
    write(
        root / "etc/passwd", f"root:x:0:0::/:{shell}\nshell:x:2000:2000::/data/local/tmp:{shell}\n"
    )
    write(root / "etc/group", "root:x:0:\nshell:x:2000:\n")
    overwrite(root / "proc/cpuinfo", cpuinfo(profile))
    total = profile.memory_mib * 1024
    lines = (("MemTotal", total), ("MemFree", total // 8), ("MemAvailable", total // 2))
    text = "".join(f"{name + ':':16}{kib:>8} kB\n" for name, kib in lines)
    overwrite(
        root / "proc/meminfo", text + "SwapTotal:             0 kB\nSwapFree:              0 kB\n"
    )
    _write_cores(root / CPU, profile)


def properties(profile: Profile, serial: str, host_libc: str) -> dict[str, str]:
    """Return what ``getprop`` lists; ``ro.edgezoo.*`` say that this is no phone."""
    name = profile.model.lower().replace(" ", "_")
    build = f"SIM{profile.sdk}.1"
    return {
        "ro.board.platform": profile.soc.lower(),
        "ro.build.fingerprint": f"edgezoo/{name}/{name}:{profile.android}/{build}/1:user/release-keys",
        "ro.build.id": build,
        "ro.build.type": "user",
        "ro.build.version.release": profile.android,
        "ro.build.version.sdk": str(profile.sdk),
        "ro.build.version.security_patch": "2024-05-05",
        "ro.debuggable": "0",
        "ro.secure": "1",
        "ro.hardware": "simphone",
        "ro.product.cpu.abi": profile.abi,
        "ro.product.cpu.abilist": profile.abi,
        "ro.product.cpu.abilist64": profile.abi,
        "ro.product.cpu.abilist32": "",
        "ro.product.brand": profile.manufacturer,
        "ro.product.device": name,
        "ro.product.manufacturer": profile.manufacturer,
        "ro.product.model": profile.model,
        "ro.product.name": name,
        "ro.serialno": serial,
        "ro.soc.manufacturer": profile.manufacturer,
        "ro.soc.model": profile.soc,
        "sys.boot_completed": "1",
        SIMULATED: "1",
        "ro.edgezoo.host": platform.machine(),
        "ro.edgezoo.libc": host_libc,
        **profile.properties,
    }


def cpuinfo(profile: Profile) -> str:
    """Return the host's first core, as often as the phone has cores.

    Runtimes read it to choose their kernels, and what they choose must run on this machine.
    """
    if arm64.emulated(profile.abi):
        return arm64.cpuinfo(profile)
    try:
        first = Path("/proc/cpuinfo").read_text(errors="replace").partition("\n\n")[0]
    except OSError:
        first = "processor\t: 0"
    blocks = []
    for core in range(profile.cores):
        lines = []
        for line in first.splitlines():
            key, colon, value = line.partition(":")
            if key.strip() in ("processor", "core id", "apicid", "initial apicid"):
                value = f" {core}"
            elif key.strip() in ("siblings", "cpu cores"):
                value = f" {profile.cores}"
            elif key.strip() == "model name":
                value = f" {profile.soc} (simulated)"
            lines.append(key + colon + value)
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + f"\n\nHardware\t: {profile.soc} (simulated)\n"


def _write_cores(folder: Path, profile: Profile) -> None:
    for name in ("possible", "present", "online"):
        write(folder / name, f"0-{profile.cores - 1}\n")
    write(folder / "kernel_max", f"{profile.cores - 1}\n")
    for first, cluster in _first_cores(profile.clusters):
        policy = folder / f"cpufreq/policy{first}"
        cores = range(first, first + cluster.cores)
        listed = " ".join(map(str, cores)) + "\n"
        span = cluster.highest_khz - cluster.lowest_khz
        steps = [cluster.lowest_khz + span * step // 5 for step in range(6)]
        write(policy / "affected_cpus", listed)
        write(policy / "related_cpus", listed)
        write(policy / "cpuinfo_min_freq", f"{cluster.lowest_khz}\n")
        write(policy / "cpuinfo_max_freq", f"{cluster.highest_khz}\n")
        write(policy / "scaling_min_freq", f"{cluster.lowest_khz}\n")
        write(policy / "scaling_driver", "simulated-cpufreq\n")
        write(policy / "scaling_available_governors", GOVERNORS + "\n")
        write(policy / "scaling_available_frequencies", " ".join(map(str, steps)) + "\n")
        for core in cores:
            one = folder / f"cpu{core}"
            write(one / "online", "1\n")
            write(one / "cpu_capacity", f"{cluster.capacity}\n")
            write(one / "topology/core_id", f"{core}\n")
            write(one / "topology/physical_package_id", "0\n")
            write(one / "topology/core_siblings_list", f"0-{profile.cores - 1}\n")
            write(one / "topology/thread_siblings_list", f"{core}\n")
            (one / "cpufreq").symlink_to(f"../cpufreq/policy{first}")


def write_boot(root: Path) -> None:
    """Write what a boot makes new."""
    overwrite(root / "proc/sys/kernel/random/boot_id", f"{uuid.uuid4()}\n")
    write_uptime(root, 0.0)
    write(root / "data/system/logcat", "--------- beginning of main\n")


def write_uptime(root: Path, seconds: float) -> None:
    """Write how long the phone has been up."""
    overwrite(root / "proc/uptime", f"{seconds:.2f} {seconds:.2f}\n")


def write_conditions(root: Path, profile: Profile, state: Conditions) -> None:
    """Write everything that ``Conditions`` tells."""
    overwrite(
        root / "proc/loadavg", f"{state.load:.2f} {state.load:.2f} {state.load:.2f} 1/612 4242\n"
    )
    for first, cluster in _first_cores(profile.clusters):
        policy = root / CPU / f"cpufreq/policy{first}"
        now_khz = max(int(cluster.highest_khz * state.clock), cluster.lowest_khz)
        write(policy / "scaling_cur_freq", f"{now_khz}\n")
        write(policy / "scaling_max_freq", f"{now_khz}\n")
        write(policy / "scaling_governor", f"{state.governor}\n")
    _write_online(root / CPU, profile.cores, state.offline_cores)
    _write_zones(root, state)
    _write_battery(root, state)
    _write_screen(root, state)
    write(root / "data/system/dumpsys/thermalservice", thermalservice(state))
    settings = root / "data/system/settings"
    write(settings / "global/low_power", f"{int(state.low_power_mode)}\n")
    write(root / "data/system/guarded", "guarded\n" if state.guarded else "")
    for name, value in (
        ("global/stay_on_while_plugged_in", 0),
        ("system/screen_off_timeout", 60_000),
    ):
        if not (settings / name).exists():
            write(settings / name, f"{value}\n")


def _write_online(folder: Path, cores: int, offline: tuple[int, ...]) -> None:
    online = [core for core in range(cores) if core not in offline]
    listed = ",".join(map(str, online)) if offline else f"0-{cores - 1}"
    write(folder / "online", f"{listed}\n")
    for core in range(cores):
        write(folder / f"cpu{core}/online", f"{int(core in online)}\n")


def _write_zones(root: Path, state: Conditions) -> None:
    zones = (
        ("cpu-0-0", state.cpu_celsius),
        ("battery", state.battery_celsius),
        ("skin-therm", state.skin_celsius),
    )
    for number, (kind, celsius) in enumerate(zones):
        zone = root / f"sys/class/thermal/thermal_zone{number}"
        write(zone / "type", f"{kind}\n")
        write(zone / "temp", f"{round(celsius * 1000)}\n")
        write(zone / "mode", "enabled\n")
    # Current phones deny the shell some of them (SELinux), and the shell complains.
    denied = root / f"sys/class/thermal/thermal_zone{len(zones)}"
    for name in ("type", "temp"):
        write(denied / name, "")
        (denied / name).chmod(0)


def _write_battery(root: Path, state: Conditions) -> None:
    tenths, status = round(state.battery_celsius * 10), 2 if state.charging else 3
    voltage_mv = 3500 + state.battery_level * 8
    supply = root / "sys/class/power_supply/battery"
    for name, value in (
        ("capacity", state.battery_level),
        ("temp", tenths),
        ("status", "Charging" if state.charging else "Discharging"),
        ("voltage_now", voltage_mv * 1000),
        ("current_now", state.battery_ua if state.charging else -state.battery_ua),
        ("health", "Good"),
        ("technology", "Li-ion"),
        ("present", 1),
        ("type", "Battery"),
    ):
        write(supply / name, f"{value}\n")
    write(
        root / "data/system/dumpsys/battery",
        "Current Battery Service state:\n"
        "  AC powered: false\n"
        f"  USB powered: {str(state.charging).lower()}\n"
        "  Wireless powered: false\n"
        "  Max charging current: 500000\n"
        "  Max charging voltage: 5000000\n"
        "  Charge counter: 3412000\n"
        f"  status: {status}\n"
        "  health: 2\n"
        "  present: true\n"
        f"  level: {state.battery_level}\n"
        "  scale: 100\n"
        f"  voltage: {voltage_mv}\n"
        f"  temperature: {tenths}\n"
        "  technology: Li-ion\n",
    )


def _write_screen(root: Path, state: Conditions) -> None:
    wakefulness, screen = ("Awake", "ON") if state.screen_on else ("Asleep", "OFF")
    write(
        root / "data/system/dumpsys/power",
        "POWER MANAGER (dumpsys power)\n\nPower Manager State:\n"
        f"  mWakefulness={wakefulness}\n"
        f"  mIsPowered={str(state.charging).lower()}\n"
        f"  mBatteryLevel={state.battery_level}\n"
        f"  mBatterySaverEnabled={str(state.low_power_mode).lower()}\n"
        f"Display Power: state={screen}\n",
    )
    write(
        root / "data/system/dumpsys/display",
        f"DISPLAY MANAGER (dumpsys display)\n  mScreenState={screen}\n",
    )


def thermalservice(state: Conditions) -> str:
    """Return ``dumpsys thermalservice`` as Android 12 and later print it."""
    readings = (
        ("CPU0", 0, state.cpu_celsius),
        ("BATTERY", 2, state.battery_celsius),
        ("SKIN", 3, state.skin_celsius),
    )
    temperatures = "".join(
        f"\tTemperature{{mValue={celsius:.1f}, mType={kind}, mName={name},"
        f" mStatus={state.thermal_status if name == 'SKIN' else 0}}}\n"
        for name, kind, celsius in readings
    )
    thresholds = "".join(
        f"\tTemperatureThreshold{{mType={kind}, mName={name}, mHotThrottlingThresholds="
        f"[NaN, {', '.join(map(str, limits))}]}}\n"
        for name, kind, limits in THRESHOLDS
    )
    return (
        "IsStatusOverride: false\n"
        "ThermalEventListeners:\n\tcallbacks: 1\n\tkilled: false\n\tbroadcasts count: -1\n"
        "ThermalStatusListeners:\n\tcallbacks: 1\n\tkilled: false\n\tbroadcasts count: -1\n"
        f"Thermal Status: {state.thermal_status}\n"
        f"Cached temperatures:\n{temperatures}"
        "HAL Ready: true\nHAL connection:\n\tThermalHAL 2.0 connected: yes\n"
        f"Current temperatures from HAL:\n{temperatures}"
        "Current cooling devices from HAL:\n"
        f"\tCoolingDevice{{mValue={round((1 - state.clock) * 10)}, mType=2, mName=cpu0}}\n"
        f"Temperature static thresholds from HAL:\n{thresholds}"
    )
