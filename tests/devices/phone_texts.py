"""What phones say about themselves, in the form of public dumps (written anew, shortened).

Forms: getprop of a Nexus 5 (github.com/flutter/flutter/issues/4009), clusters of a Snapdragon 7+ Gen 2
(github.com/Dr-Noob/cpufetch/issues/253), thermalservice of a Galaxy S22
(github.com/pytorch/executorch/issues/11301) and of a Shield, whose cached values were old
(github.com/bryanroscoe/shield_optimizer/issues/6), dumpsys power of Android 8 and 9
(github.com/xamarin/Xamarin.Forms/issues/13243, github.com/openatx/uiautomator2/issues/444).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from edgezoo.measurement import Cluster


@dataclass(frozen=True)
class Dump:
    properties: str
    cores: Mapping[str, tuple[tuple[int, ...], int]]  # policy: cores, kHz
    cpuinfo: str
    memory_kb: int
    # what must be read out of it
    name: str
    cpu: str
    os: str
    abis: tuple[str, ...]
    clusters: tuple[Cluster, ...]

    @property
    def parts(self) -> Mapping[str, str]:
        lines = [f"possible=0-{max(max(cores) for cores, _ in self.cores.values())}"]
        for policy, (cores, khz) in self.cores.items():
            lines += [
                f"cpufreq/{policy}/related_cpus={' '.join(map(str, cores))}",
                f"cpufreq/{policy}/cpuinfo_max_freq={khz}",
                f"cpufreq/{policy}/scaling_governor=schedutil",
            ]
        return {
            "properties": self.properties,
            "cores": "\n".join(lines),
            "cpuinfo": self.cpuinfo,
            "meminfo": f"MemTotal:       {self.memory_kb} kB\nMemFree:  12 kB\n",
            "load": "3.25 2.9 2.1 2/2200 9999\n",
        }


ARM_CORE = (
    "processor\t: 0\nBogoMIPS\t: 38.40\nFeatures\t: fp asimd evtstrm aes\nCPU part\t: 0xd46\n"
)

DUMPS: Mapping[str, Dump] = {
    "Google, Android 14": Dump(
        "[ro.board.platform]: [zuma]\n[ro.build.fingerprint]: [google/husky/husky:14/X/1:user/k]\n"
        "[ro.build.version.release]: [14]\n[ro.build.version.sdk]: [34]\n"
        "[ro.product.cpu.abilist]: [arm64-v8a]\n[ro.product.manufacturer]: [Google]\n"
        "[ro.product.model]: [Pixel 8 Pro]\n[ro.soc.manufacturer]: [Google]\n"
        "[ro.soc.model]: [Tensor G3]\n[persist.sys.note]: [two\nlines]\n",
        {
            "policy0": ((0, 1, 2, 3), 1704000),
            "policy4": ((4, 5, 6, 7), 2367000),
            "policy8": ((8,), 2914000),
        },
        ARM_CORE,
        11_900_000,
        "Google Pixel 8 Pro",
        "Google Tensor G3 (zuma)",
        "Android 14 (API 34)",
        ("arm64-v8a",),
        (
            Cluster((0, 1, 2, 3), 1704),
            Cluster((4, 5, 6, 7), 2367),
            Cluster((8,), 2914),
        ),
    ),
    "Qualcomm in a Samsung, Android 13": Dump(
        "[ro.board.platform]: [taro]\r\n[ro.build.version.release]: [13]\r\n"
        "[ro.build.version.sdk]: [33]\r\n[ro.hardware]: [qcom]\r\n"
        "[ro.product.cpu.abilist]: [arm64-v8a,armeabi-v7a,armeabi]\r\n"
        "[ro.product.manufacturer]: [samsung]\r\n[ro.product.model]: [SM-S901U]\r\n"
        "[ro.soc.manufacturer]: [QTI]\r\n[ro.soc.model]: [SM8450]\r\n",
        {
            "policy0": ((0, 1, 2, 3), 1785600),
            "policy4": ((4, 5, 6), 2496000),
            "policy7": ((7,), 2995200),
        },
        ARM_CORE,
        7_400_000,
        "Samsung SM-S901U",
        "QTI SM8450 (taro)",
        "Android 13 (API 33)",
        ("arm64-v8a", "armeabi-v7a", "armeabi"),
        (Cluster((0, 1, 2, 3), 1786), Cluster((4, 5, 6), 2496), Cluster((7,), 2995)),
    ),
    "Qualcomm, Android 10, chip in cpuinfo": Dump(
        "[ro.board.platform]: [msmnile]\n[ro.build.version.release]: [10]\n"
        "[ro.build.version.sdk]: [29]\n[ro.product.cpu.abilist]: [arm64-v8a,armeabi-v7a]\n"
        "[ro.product.manufacturer]: [Xiaomi]\n[ro.product.model]: [MI 9]\n",
        {
            "policy0": ((0, 1, 2, 3), 1785600),
            "policy4": ((4, 5, 6), 2419200),
            "policy7": ((7,), 2841600),
        },
        ARM_CORE + "\nHardware\t: Qualcomm Technologies, Inc SM8150\n",
        5_600_000,
        "Xiaomi MI 9",
        "Qualcomm Technologies, Inc SM8150",
        "Android 10 (API 29)",
        ("arm64-v8a", "armeabi-v7a"),
        (Cluster((0, 1, 2, 3), 1786), Cluster((4, 5, 6), 2419), Cluster((7,), 2842)),
    ),
    "MediaTek, two policies of one speed": Dump(
        "[ro.board.platform]: [mt6785]\n[ro.mediatek.platform]: [MT6785]\n"
        "[ro.build.version.release]: [11]\n[ro.product.cpu.abi]: [arm64-v8a]\n"
        "[ro.product.manufacturer]: [Redmi]\n[ro.product.model]: [Redmi Note 8 Pro]\n",
        {
            "policy0": ((0, 1, 2), 2000000),
            "policy3": ((3, 4, 5), 2000000),
            "policy6": ((6, 7), 2050000),
        },
        ARM_CORE,
        5_800_000,
        "Redmi Note 8 Pro",
        "MT6785",
        "Android 11",
        ("arm64-v8a",),
        (Cluster((0, 1, 2, 3, 4, 5), 2000), Cluster((6, 7), 2050)),
    ),
    "Exynos, Android 9": Dump(
        "[ro.board.platform]: [exynos5]\n[ro.hardware.chipname]: [exynos9820]\n"
        "[ro.build.version.release]: [9]\n[ro.build.version.sdk]: [28]\n"
        "[ro.product.cpu.abilist]: [arm64-v8a]\n[ro.product.manufacturer]: [samsung]\n"
        "[ro.product.model]: [SM-G973F]\n",
        {"policy0": ((0, 1, 2, 3), 1950000), "policy4": ((4, 5, 6, 7), 2730000)},
        ARM_CORE,
        7_600_000,
        "Samsung SM-G973F",
        "exynos9820",
        "Android 9 (API 28)",
        ("arm64-v8a",),
        (Cluster((0, 1, 2, 3), 1950), Cluster((4, 5, 6, 7), 2730)),
    ),
    "an old one, 32 bits, Android 5": Dump(
        "[ro.board.platform]: [msm8974]\n[ro.build.version.release]: [5.1]\n"
        "[ro.build.version.sdk]: [22]\n[ro.product.cpu.abi]: [armeabi-v7a]\n"
        "[ro.product.cpu.abi2]: [armeabi]\n[ro.product.manufacturer]: [LGE]\n"
        "[ro.product.model]: [Nexus 5]\n",
        {"policy0": ((0, 1, 2, 3), 2265600)},
        "Processor\t: ARMv7 Processor rev 0 (v7l)\n" + ARM_CORE,
        1_900_000,
        "LGE Nexus 5",
        "ARMv7 Processor rev 0 (v7l)",
        "Android 5.1 (API 22)",
        ("armeabi-v7a", "armeabi"),
        (Cluster((0, 1, 2, 3), 2266),),
    ),
}

THERMAL_S22 = """\
IsStatusOverride: false
ThermalEventListeners:
\tcallbacks: 2
\tkilled: false
\tbroadcasts count: -1
Thermal Status: 0
Cached temperatures:
\tTemperature{mValue=35.8, mType=3, mName=SKIN, mStatus=0}
\tTemperature{mValue=99.0, mType=0, mName=CPU, mStatus=0}
HAL Ready: true
HAL connection:
\tThermalHAL 2.0 connected: yes
Current temperatures from HAL:
\tTemperature{mValue=33.1, mType=2, mName=BATTERY, mStatus=0}
\tTemperature{mValue=35.8, mType=3, mName=SKIN, mStatus=0}
\tTemperature{mValue=41.3, mType=0, mName=CPU, mStatus=0}
\tTemperature{mValue=87.0, mType=8, mName=soc, mStatus=0}
\tTemperature{mValue=-40.0, mType=1, mName=GPU, mStatus=0}
Current cooling devices from HAL:
\tCoolingDevice{mValue=0, mType=2, mName=cpu0}
Temperature static thresholds from HAL:
\tTemperatureThreshold{mType=3, mName=SKIN, mHotThrottlingThresholds=[NaN, 39.0]}
"""

ZONES = """\
modem0-pa0-usr=-40000
soc=87
vbat=4161000
battery=30000
cpu-1-7-usr=44800
gpuss-0-usr=41500
pm8150-bcl-lvl0=0
cpu-broken=
"""

BATTERY = """\
Current Battery Service state:
  AC powered: false
  USB powered: true
  Wireless powered: false
  Max charging current: 500000
  status: 2
  health: 2
  present: true
  level: 46
  scale: 50
  voltage: 4231
  temperature: 291
  technology: Li-ion
LLB CAL: 20220101
  temperature: 999
"""

POWER_8 = """\
POWER MANAGER (dumpsys power)

Power Manager State:
  mWakefulness=Awake
  mIsPowered=true
  mLowPowerModeEnabled=true
  mBatteryLevelLow=false
Display Power: state=ON
"""

POWER_13 = """\
  mWakefulness=Dozing
Display Power: state=DOZE
  mDecoupleHalAutoSuspendModeFromDisplayConfig=false
Battery saver policy (*NOTE* they only apply when battery saver is ON):
Battery saver state machine:
  Enabled=false
    Full=false
"""
