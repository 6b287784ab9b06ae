"""A machine of the rehearsal: systemd-nspawn with a real init, a real cloud-init and disks of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rehearsal.region.disk import Disk
from rehearsal.region.network import Host, Network
from rehearsal.system.cgroups import Cgroup
from rehearsal.system.overlay import overlay
from rehearsal.system.processes import init_below
from rehearsal.system.shell import ToolError, run

REBOOT = 133
"""How systemd-nspawn --keep-unit ends when the machine asked for a reboot (systemd's nspawn.c)."""

BOOT_LIMIT = 60
"""Seconds until a machine has an init; it is there after a fraction of one, on a machine that is not overloaded."""

PLUG_IN = """\
mknod -m 660 "/dev/$1" b "$2" "$3"
[ -z "$4" ] || { mkdir -p /dev/disk/by-id; ln -sf "/dev/$1" "/dev/disk/by-id/$4"; }
"""
"""What udev would do for a disk that appears while the machine runs."""

DISKS_GENERATOR = Path(__file__).parent / "disks-generator.sh"


@dataclass(frozen=True)
class Attachment:
    """A disk as the machine sees it: the kernel's device, and the name that the cloud gives it, if it gives one."""

    disk: Disk
    device: str
    by_id: str = ""


class Machine:
    """One machine, from its first boot to its termination.

    `directory`: where its root file system and console log live; `image`: the tree that it starts from, never
    written to; `name`: what the operator calls it; `seed`: the files of cloud-init's NoCloud data source.
    """

    def __init__(
        self,
        directory: Path,
        image: Path,
        name: str,
        hostname: str,
        seed: dict[str, bytes],
        network: Network,
        host: Host,
        cgroup: Cgroup,
    ) -> None:
        self.directory, self.name, self.hostname, self.network, self.host, self.cgroup = (
            directory,
            name,
            hostname,
            network,
            host,
            cgroup,
        )
        self.root = overlay(directory, image)
        self.attachments: list[Attachment] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.RLock()
        self.write_seed(seed)
        generator = self.root / "etc/systemd/system-generators/rehearsal-disks"
        generator.parent.mkdir(parents=True, exist_ok=True)
        generator.write_bytes(DISKS_GENERATOR.read_bytes())
        generator.chmod(0o755)

    def write_seed(self, seed: dict[str, bytes]) -> None:
        """Give cloud-init its data; what it has run once for this instance it does not run again."""
        directory = self.root / "var/lib/cloud/seed/nocloud"
        directory.mkdir(parents=True, exist_ok=True)
        for name, content in seed.items():
            (directory / name).write_bytes(content)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def power_on(self) -> None:
        """Boot, or boot again."""
        with self._lock:
            if self.running:
                return
            self.network.plug(self.host, configured=False)
            self._write_disk_names()
            binds = [f"--bind={at.disk.device}:/dev/{at.device}" for at in self.attachments]
            with (self.directory / "console.log").open("ab") as console:
                self._process = subprocess.Popen(
                    [
                        *self.cgroup.exec_prefix(), "systemd-nspawn", "--quiet", "--register=no", "--keep-unit",
                        f"--directory={self.root}", f"--machine={self.host.name}", f"--hostname={self.hostname}",
                        f"--network-namespace-path={self.host.namespace}", "--resolv-conf=off", "--timezone=off",
                        "--link-journal=no", "--capability=all", "--bind=/dev/fuse", *binds, "--boot",
                    ],
                    stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True,
                    env={**os.environ, "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"},
                )  # fmt: skip
            threading.Thread(target=self._follow, args=(self._process,), daemon=True).start()

    def power_off(self) -> None:
        """Lose power: the links go first, so that no peer hears a goodbye; then what no disk holds is gone."""
        with self._lock:
            process, self._process = self._process, None
            if process is not None:
                self.network.cut(*self.host.ports)
                with contextlib.suppress(ProcessLookupError):
                    for mount in self._disk_mounts(process):
                        run("xfs_io", "-x", "-c", "shutdown", mount)
                    os.kill(self._init(process), signal.SIGKILL)
                process.kill()
                process.wait(timeout=30)
            self.network.unplug(self.host)

    def shut_down(self) -> None:
        """Ask the machine's init for an orderly end, and take the power when it has not come within 30 s."""
        process = self._process
        if process is not None:
            os.kill(self._init(process), signal.SIGRTMIN + 4)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=30)
            self.power_off()

    def reboot(self) -> None:
        """Ask the machine's init for an orderly reboot (systemd(1), SIGRTMIN+5)."""
        process = self._process
        if process is None:
            raise ToolError(f"{self.hostname} is not running")
        os.kill(self._init(process), signal.SIGRTMIN + 5)

    def destroy(self) -> None:
        """Terminate the machine; its root file system goes with it, its attached disks do not."""
        self.power_off()
        run("umount", self.root)
        run("rm", "-rf", self.directory)
        self.cgroup.remove()

    def attach(self, attachment: Attachment) -> None:
        """Plug a disk in, while the machine runs or before."""
        with self._lock:
            self.attachments.append(attachment)
            self._write_disk_names()
            if self._process is not None:
                number = attachment.disk.device.stat().st_rdev
                numbers = (str(os.major(number)), str(os.minor(number)))
                self.enter("sh", "-ec", PLUG_IN, "sh", attachment.device, *numbers, attachment.by_id)

    def detach(self, disk: Disk) -> None:
        """Unplug a disk; a file system that is still mounted from it is lost to the machine, as in a cloud."""
        with self._lock:
            gone = next(at for at in self.attachments if at.disk is disk)
            self.attachments.remove(gone)
            self._write_disk_names()
            if self._process is not None:
                for mount in self._disk_mounts(self._process, gone):
                    run("xfs_io", "-x", "-c", "shutdown", mount)
                self.enter(
                    "sh",
                    "-c",
                    'umount -l "/dev/$1"; rm -f "/dev/$1"; [ -z "$2" ] || rm -f "/dev/disk/by-id/$2"',
                    "sh",
                    gone.device,
                    gone.by_id,
                )

    def enter(self, *command: str, stdin: str | None = None, timeout: float = 30) -> str:
        """Run a command inside, as root, by the side door: no network, no SSH."""
        return run(*self.exec_prefix(), *command, stdin=stdin, timeout=timeout)

    def exec_prefix(self) -> list[str]:
        """The words to put before a command that shall run inside.

        Not nsenter's own fork: it stops when its child is stopped, as every process is when a machine shuts down,
        and the machine's end then waits for ever for the child to be reaped.
        """
        if self._process is None:
            raise ToolError(f"{self.hostname} is not running")
        leader = self._init(self._process)
        return [
            "nsenter", f"--target={leader}", "--mount", "--uts", "--ipc", "--net", "--pid", "--no-fork",
            f"--root=/proc/{leader}/root", "--wdns=/", "sh", "-c", '"$@"; exit $?', "sh",
        ]  # fmt: skip

    def _init(self, process: subprocess.Popen[bytes]) -> int:
        """The machine's first process, as this side numbers it, once it is systemd in its own tree (sd_booted(3))."""
        end = time.monotonic() + BOOT_LIMIT
        while True:
            with contextlib.suppress(ProcessLookupError):
                leader = init_below(process.pid)
                if Path(f"/proc/{leader}/root/run/systemd/system").is_dir():
                    return leader
            if process.poll() is not None or time.monotonic() > end:
                raise ProcessLookupError(f"{self.hostname} has no init: see {self.directory / 'console.log'}")
            time.sleep(0.01)

    def _follow(self, process: subprocess.Popen[bytes]) -> None:
        """Boot the machine again when it ended because it asked for a reboot."""
        ended = process.wait()
        with self._lock:
            if self._process is process:
                self._process = None
                if ended == REBOOT:
                    self.power_on()

    def _write_disk_names(self) -> None:
        listed = "".join(f"{at.device} {at.by_id}\n" for at in self.attachments)
        (self.root / "etc/rehearsal-disks").write_text(listed)

    def _disk_mounts(self, process: subprocess.Popen[bytes], only: Attachment | None = None) -> Iterator[Path]:
        """Where the machine has its disks mounted, as paths of this side."""
        disks = [only] if only else self.attachments
        numbers = {f"{os.major(n)}:{os.minor(n)}" for n in (at.disk.device.stat().st_rdev for at in disks)}
        leader = self._init(process)
        for line in Path(f"/proc/{leader}/mountinfo").read_text().splitlines():
            fields = line.split()
            if fields[2] in numbers:
                yield Path(f"/proc/{leader}/root{fields[4]}")
