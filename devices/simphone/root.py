"""The phone's file tree: Android's shell and commands, and how paths there become paths here.

The shell is Debian's ``mksh`` and the commands its ``toybox``, which is what Android itself uses.
Where they are not installed, this machine's shell and commands stand in, and say other things than
a phone would; ``Userland.android`` tells which.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgezoo.devices.simphone.shims import BY_NAME, SHIMS, SHIMS_BESIDE_OTHERS, TOOLS

FOLDERS = (
    "data/local/tmp",
    "data/system/dumpsys",
    "data/system/settings/global",
    "data/property",
    "storage/emulated/0",
    "system/bin",
    "vendor/bin",
    "proc",
    "sys",
    "dev",
    "etc",
    "tmp",
)
HOST_FOLDERS = ("/usr", "/lib", "/lib64")  # where a pushed program finds the C library
WRITABLE = ("/data/local/tmp", "/sdcard", "/storage/emulated/0", "/tmp")
NO_EXEC = ("/sdcard", "/storage/emulated/0")
DISK_KIB = 64 << 20
MOST_LINKS = 40
REWRITTEN = re.compile(
    rb"(?<![\w./-])/(?=(?:data|sdcard|storage|system|vendor|sys)(?:/|\b)"
    rb"|proc/(?:cpuinfo|meminfo|uptime|loadavg|sys/kernel/random/boot_id)\b)"
)


@dataclass(frozen=True, slots=True)
class Userland:
    """The shell and the commands that the phone is furnished with."""

    shell: str
    toybox: str | None

    @property
    def android(self) -> bool:
        """Tell whether both are Android's."""
        return self.toybox is not None and Path(self.shell).name.startswith("mksh")


def find_userland() -> Userland:
    """Return Android's shell and commands where installed, else this machine's own."""
    shell = shutil.which("mksh") or shutil.which("sh") or "/bin/sh"
    return Userland(shell, shutil.which("toybox"))


@dataclass(frozen=True, slots=True)
class Tree:
    """A phone's tree in a folder; ``isolated`` where commands see it as their root."""

    root: Path
    isolated: bool

    @property
    def inside(self) -> str:
        """Return the tree's path as the phone's own commands have to write it."""
        return "" if self.isolated else str(self.root)

    def environment(self) -> Mapping[str, str]:
        """Return the environment of the phone's commands."""
        return {
            "PATH": f"{self.inside}/system/bin:{self.inside}/vendor/bin",
            "HOME": f"{self.inside}/data/local/tmp",
            "TMPDIR": f"{self.inside}/data/local/tmp",
            "SHELL": "/system/bin/sh",
            "USER": "shell",
            "ANDROID_ROOT": "/system",
            "ANDROID_DATA": "/data",
            "SIMROOT": self.inside,
        }

    def here(self, path: str, follow: bool = True) -> Path:
        """Return where a path of the phone lies on this machine; links never lead out of the tree.

        Raises ``OSError`` (ELOOP) for links that lead in circles.
        """
        waiting, found, links = path.split("/")[::-1], self.root, 0
        while waiting:
            name = waiting.pop()
            if name in ("", "."):
                continue
            if name == "..":
                found = found.parent if found != self.root else found
                continue
            step = found / name
            if step.is_symlink() and (waiting or follow):
                links += 1
                if links > MOST_LINKS:
                    raise OSError(40, os.strerror(40))
                target = os.readlink(step)
                waiting += target.split("/")[::-1]
                found = self.root if target.startswith("/") else found
                continue
            found = step
        return found

    def rewrite(self, command: bytes) -> bytes:
        """Return a command with the tree's folder in front of the phone's paths, if not isolated."""
        if self.isolated:
            return command
        return REWRITTEN.sub(os.fsencode(self.root) + b"/", command)

    def used_bytes(self) -> int:
        """Return what the files below /data take."""
        total = 0
        for folder, _, names in os.walk(self.root / "data"):
            for name in names:
                try:
                    total += os.lstat(os.path.join(folder, name)).st_size
                except FileNotFoundError:  # a command may remove it meanwhile
                    continue
        return total


def build(folder: Path, userland: Userland, isolated: bool) -> Tree:
    """Build the tree of a new phone in ``folder`` (which must exist) and return it."""
    tree = Tree(folder / "root", isolated)
    for name in FOLDERS:
        (tree.root / name).mkdir(parents=True, exist_ok=True)
    (tree.root / "sdcard").symlink_to("storage/emulated/0")
    (tree.root / "bin").symlink_to("system/bin")
    for name in HOST_FOLDERS:
        path = Path(name)
        if isolated and path.is_symlink():
            (tree.root / name[1:]).symlink_to(os.readlink(path))
        elif isolated and path.is_dir():
            (tree.root / name[1:]).mkdir()
    _furnish(tree, userland)
    (tree.root / "data/system/disk_kib").write_text(f"{DISK_KIB}\n")
    (tree.root / "data/system/fault").write_text("")
    return tree


def host_folders() -> tuple[str, ...]:
    """Return the host's folders that an isolated phone shows read-only."""
    return tuple(
        name for name in HOST_FOLDERS if Path(name).is_dir() and not Path(name).is_symlink()
    )


def _furnish(tree: Tree, userland: Userland) -> None:
    """Put the shell, the commands and Android's own scripts into /system/bin."""
    binaries = tree.root / "system/bin"
    shutil.copy2(os.path.realpath(userland.shell), binaries / "sh")
    applets: set[str] = set()
    if userland.toybox is not None:
        shutil.copy2(os.path.realpath(userland.toybox), binaries / "toybox")
        listed = subprocess.run(
            [userland.toybox], capture_output=True, timeout=30, check=True, stdin=subprocess.DEVNULL
        )
        applets = set(listed.stdout.decode(errors="replace").split())
    for name in TOOLS.split():
        host = shutil.which(name)
        if name in SHIMS or (name in BY_NAME and not tree.isolated):
            continue
        if name in applets:
            (binaries / name).symlink_to("toybox")
        elif host is not None:
            (binaries / name).symlink_to(os.path.realpath(host))
    scripts = SHIMS if tree.isolated else {**SHIMS, **SHIMS_BESIDE_OTHERS}
    for name, text in scripts.items():
        script = binaries / name
        script.write_text(f"#!{tree.inside}/system/bin/sh\n{text.lstrip()}")
        script.chmod(0o755)


def writable(path: str) -> bool:
    """Tell whether Android's ``shell`` user may create files there."""
    whole = os.path.normpath("/" + path.lstrip("/"))
    return any(whole == folder or whole.startswith(folder + "/") for folder in WRITABLE)


def mode_at(path: str, mode: int) -> int:
    """Return the permissions that a pushed file gets; on shared storage nothing can be executed."""
    whole = os.path.normpath("/" + path.lstrip("/"))
    permissions = stat.S_IMODE(mode) & 0o777
    return permissions & ~0o111 if whole.startswith(NO_EXEC) else permissions
