"""A simulated phone: a device-side ADB daemon that the real adb server connects to.

``SimulatedPhone`` is one phone, ``Fleet`` several that are connected to an adb server. What is
measured there is no phone's speed: the phone says so itself in the property ``SIMULATED``.
"""

from edgezoo.devices.simphone.conditions import PROFILES, SIMULATED, Conditions, Profile
from edgezoo.devices.simphone.faults import SITUATIONS, Faults, ProgramFault
from edgezoo.devices.simphone.fleet import Fleet
from edgezoo.devices.simphone.phone import SimulatedPhone

__all__ = [
    "PROFILES",
    "SIMULATED",
    "SITUATIONS",
    "Conditions",
    "Faults",
    "Fleet",
    "Profile",
    "ProgramFault",
    "SimulatedPhone",
]
