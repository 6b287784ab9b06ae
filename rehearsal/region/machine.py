"""A machine of the rehearsal: systemd-nspawn with a real init, a real cloud-init and disks of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import InitVar, dataclass
from pathlib import Path

from rehearsal.region.disk import Disk
from rehearsal.region.endpoint import Endpoint
from rehearsal.region.network import Network
from rehearsal.system.cgroups import Cgroup
from rehearsal.system.devices import Device
from rehearsal.system.overlay import overlay
from rehearsal.system.processes import init_below
from rehearsal.system.shell import ToolError, run

REBOOT = 133
"""Exit status of systemd-nspawn --keep-unit when the machine asked for a reboot (systemd's nspawn.c)."""

BOOT_LIMIT = 60
"""Seconds within which a machine must have an init; a host that is not overloaded needs a fraction of one."""

SHUTDOWN_LIMIT = 30
"""Seconds that a machine may take for an orderly shutdown."""

CAPABILITIES = "CAP_NET_ADMIN,CAP_IPC_LOCK"
"""What a machine may beside systemd-nspawn's own set: its network, and memory that stays out of swap (Varnish). Not in
the set: modules, raw devices, the host's clock and log.
"""
UNUSED = "CAP_AUDIT_CONTROL,CAP_IPC_OWNER,CAP_LEASE,CAP_NET_BROADCAST,CAP_SYS_TTY_CONFIG"
"""What systemd-nspawn would give beside that, and no service of a machine needs."""

PLUG_IN = """\
mknod -m 660 "/dev/$1" b "$2" "$3"
[ -z "$4" ] || { mkdir -p /dev/disk/by-id; ln -sf "/dev/$1" "/dev/disk/by-id/$4"; }
"""
"""Does what udev would for a disk that appears while the machine runs."""

UNPLUG = """\
umount -l "/dev/$1"
rm -f "/dev/$1"
[ -z "$2" ] || rm -f "/dev/disk/by-id/$2"
"""

HERE = Path(__file__).parent
DISK_SCRIPTS = {
    HERE / "disks-generator.sh": "etc/systemd/system-generators/rehearsal-disks",
    HERE / "disk-names.sh": "usr/local/lib/rehearsal/disk-names",
}
"""Scripts that every machine has, and their paths on it."""


@dataclass(frozen=True)
class Attachment:
    """A disk as a machine sees it: the kernel's device name, and the name below /dev/disk/by-id, if it has one."""

    disk: Disk
    device: str
    by_id: str = ""


@dataclass(kw_only=True, eq=False)
class Machine:
    """A machine that can be booted, from its first boot to its termination."""

    directory: Path
    """Directory of its root file system and its console log."""
    image: InitVar[Path]
    """The tree that its root file system starts from; the machine does not write to it."""
    name: str
    """The operator's name for it."""
    hostname: str
    seed: InitVar[dict[str, bytes]]
    """The files of cloud-init's NoCloud data source."""
    network: Network
    endpoint: Endpoint
    cgroup: Cgroup

    def __post_init__(self, image: Path, seed: dict[str, bytes]) -> None:
        self.root = overlay(self.directory, image)
        self.attachments: list[Attachment] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.RLock()
        self.write_seed(seed)
        for source, path in DISK_SCRIPTS.items():
            script = self.root / path
            script.parent.mkdir(parents=True, exist_ok=True)
            script.write_bytes(source.read_bytes())
            script.chmod(0o755)

    def write_seed(self, seed: dict[str, bytes]) -> None:
        """Write files for cloud-init. Modules that ran once for this instance do not run again at the next boot."""
        directory = self.root / "var/lib/cloud/seed/nocloud"
        directory.mkdir(parents=True, exist_ok=True)
        for name, content in seed.items():
            (directory / name).write_bytes(content)
            # in a cloud, user data comes from the metadata service, and cloud-init keeps it for root alone
            (directory / name).chmod(0o600)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def power_on(self) -> None:
        """Boot the machine, unless it runs."""
        with self._lock:
            if self.running:
                return
            self.network.plug(self.endpoint, configured=False)
            self._write_disk_names()
            self._allow_disks()
            binds = [f"--bind={at.disk.device}:/dev/{at.device}" for at in self.attachments]
            with (self.directory / "console.log").open("ab") as console:
                self._process = subprocess.Popen(
                    [
                        *self.cgroup.exec_prefix(), "systemd-nspawn", "--quiet", "--register=no", "--keep-unit",
                        f"--directory={self.root}", f"--machine={self.endpoint.name}", f"--hostname={self.hostname}",
                        f"--network-namespace-path={self.endpoint.namespace}", "--resolv-conf=off", "--timezone=off",
                        "--link-journal=no", f"--capability={CAPABILITIES}", f"--drop-capability={UNUSED}",
                        "--bind=/dev/fuse", *binds, "--boot",
                    ],
                    stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True,
                    env={**os.environ, "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"},
                )  # fmt: skip
            threading.Thread(target=self._follow, args=(self._process,), daemon=True).start()

    def power_off(self) -> None:
        """Cut the power: no peer sees a connection close, and what is not on a disk is lost.

        The links go down first, because the kernel closes the sockets of processes that it kills. The file systems on
        the disks are shut down next, so that no cached write reaches them.
        """
        with self._lock:
            process, self._process = self._process, None
            if process is not None:
                self.network.cut(*self.endpoint.ports)
                with contextlib.suppress(ProcessLookupError):
                    for mount in self._disk_mounts(process):
                        run("xfs_io", "-x", "-c", "shutdown", mount)
                    os.kill(self._init(process), signal.SIGKILL)
                process.kill()
                process.wait(timeout=30)
            self.network.unplug(self.endpoint)

    def shut_down(self) -> None:
        """Ask the init for an orderly shutdown (systemd(1), SIGRTMIN+4), and cut the power after `SHUTDOWN_LIMIT`."""
        process = self._process
        if process is not None:
            os.kill(self._init(process), signal.SIGRTMIN + 4)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=SHUTDOWN_LIMIT)
            self.power_off()

    def reboot(self) -> None:
        """Ask the machine's init for an orderly reboot (systemd(1), SIGRTMIN+5)."""
        process = self._process
        if process is None:
            raise ToolError(f"{self.hostname} cannot reboot: it is not running; power it on")
        os.kill(self._init(process), signal.SIGRTMIN + 5)

    def destroy(self) -> None:
        """Terminate the machine and delete its root file system; its attached disks stay."""
        self.power_off()
        run("umount", self.root)
        run("rm", "-rf", self.directory)
        self.cgroup.remove()

    def attach(self, attachment: Attachment) -> None:
        """Plug a disk in; the machine may run."""
        with self._lock:
            self.attachments.append(attachment)
            self._write_disk_names()
            self._allow_disks()
            if self._process is not None:
                number = attachment.disk.device.stat().st_rdev
                numbers = (str(os.major(number)), str(os.minor(number)))
                self.enter("sh", "-ec", PLUG_IN, "sh", attachment.device, *numbers, attachment.by_id)

    def detach(self, disk: Disk) -> None:
        """Unplug a disk; a file system that is still mounted from it fails, as in a cloud."""
        with self._lock:
            detached = next(at for at in self.attachments if at.disk is disk)
            self.attachments.remove(detached)
            self._write_disk_names()
            if self._process is not None:
                for mount in self._disk_mounts(self._process, detached):
                    run("xfs_io", "-x", "-c", "shutdown", mount)
                self.enter("sh", "-c", UNPLUG, "sh", detached.device, detached.by_id)
            self._allow_disks()

    def enter(self, *command: str, stdin: str | None = None, timeout: float = 30) -> str:
        """Run a command inside as root, without network or SSH, and return its standard output; `timeout` in seconds.

        Raises `ToolError` when the command fails, takes longer, or the machine does not run.
        """
        return run(*self.exec_prefix(), *command, stdin=stdin, timeout=timeout)

    def exec_prefix(self) -> list[str]:
        """Command prefix: run inside the machine, as root.

        --no-fork, because a forked nsenter stops when its child is stopped, which happens to every process when the
        machine shuts down. The machine would then wait forever for the child to be reaped.
        """
        if self._process is None:
            raise ToolError(f"no command can run on {self.hostname}: it is not running; power it on")
        init = self._init(self._process)
        return [
            "nsenter", f"--target={init}", "--mount", "--uts", "--ipc", "--net", "--pid", "--no-fork",
            f"--root=/proc/{init}/root", "--wdns=/", "sh", "-c", '"$@"; exit $?', "sh",
        ]  # fmt: skip

    def _init(self, process: subprocess.Popen[bytes]) -> int:
        """Process id, on the host, of the machine's init; waits until it is systemd in its own tree (sd_booted(3))."""
        end = time.monotonic() + BOOT_LIMIT
        while True:
            with contextlib.suppress(ProcessLookupError):
                init = init_below(process.pid)
                if Path(f"/proc/{init}/root/run/systemd/system").is_dir():
                    return init
            if process.poll() is not None or time.monotonic() > end:
                raise ProcessLookupError(f"{self.hostname} has no init: see {self.directory / 'console.log'}")
            time.sleep(0.01)

    def _follow(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for the machine's end, and boot it again when it asked for a reboot."""
        status = process.wait()
        with self._lock:
            if self._process is process:
                self._process = None
                if status == REBOOT:
                    self.power_on()

    def _allow_disks(self) -> None:
        """Let the machine open its own disks, and no other disk of this host."""
        self.cgroup.allow_devices(Device.block(at.disk.device) for at in self.attachments)

    def _write_disk_names(self) -> None:
        """Write the list of disks that disk-names.sh reads."""
        lines = "".join(f"{at.device} {at.by_id}\n" for at in self.attachments)
        (self.root / "etc/rehearsal-disks").write_text(lines)

    def _disk_mounts(self, process: subprocess.Popen[bytes], only: Attachment | None = None) -> Iterator[Path]:
        """Mount points of the machine's disks, or of one of them, as paths on the host."""
        disks = [only] if only else self.attachments
        numbers = {f"{os.major(n)}:{os.minor(n)}" for n in (at.disk.device.stat().st_rdev for at in disks)}
        init = self._init(process)
        for line in Path(f"/proc/{init}/mountinfo").read_text().splitlines():
            fields = line.split()
            if fields[2] in numbers:
                yield Path(f"/proc/{init}/root{fields[4]}")
