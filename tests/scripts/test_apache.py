"""apache/apache.sh, on two servers that each run Apache with their own site."""

from __future__ import annotations

import ipaddress
import itertools
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from components.apache.apache import conf
from components.cloud.existing import packages
from components.config.settings import Gluster
from components.gluster.mount import fallback_order, volume_params
from components.gluster.volume import volume_options
from components.machine.etc_hosts import host_name
from components.machine.remote import command_text
from rehearsal.region.machine import Attachment
from rehearsal.region.region import Region
from tests.scripts import params
from tests.scripts.node import COMPONENTS, OUTSIDE, Node

NAMES = ("web1", "web2")
PEERS = [host_name(name) for name in NAMES]
SITE = "/var/www"
BALANCERS = ["10.20.7.9", "127.0.0.1"]
"""Addresses of the balancers; the second one is a server's own, so that a test can send requests from it."""
RECORDS = ".ha-wordpress/servers"
MOVING = "/var/lib/ha-wordpress/apache-moving"

SITE_OF_OWN = r"""
mkdir -p /var/www/html/images
echo 'the page' >/var/www/html/index.html
for i in {1..40}; do echo "picture $i" >/var/www/html/images/$i.jpg; done
chown -R www-data:www-data /var/www/html/images
chmod 640 /var/www/html/images/7.jpg
touch -d '2003-03-03 03:03:03.123456789' /var/www/html/images/5.jpg /var/www/html/images /var/www/html /var/www
"""

AS_BEFORE = r"""
systemctl stop apache2
systemctl disable --quiet --now gluster-mount@var-www.service 2>/dev/null
for mount in /run/ha-wordpress/volume /var/www; do umount --lazy --no-canonicalize $mount 2>/dev/null; done
sed -i '\, /var/www glusterfs ,d' /etc/fstab
chattr -i /var/www
rm -rf /usr/local/sbin/* /run/faked-* /var/www /var/www.orig /var/lib/ha-wordpress
rm -f /etc/apache2/conf-enabled/ha-wordpress.conf
true
"""

EMPTY = r"""
gluster --mode=script volume start var-www 2>/dev/null
mkdir -p /mnt/all
mount -t glusterfs node-web1:/var-www /mnt/all
find /mnt/all -mindepth 1 -delete
umount /mnt/all
"""

FAKE = r"""#!/bin/bash
# acts once, where its arguments are the expected ones
if [[ "$*" == @MATCH@ ]] && [ ! -e /run/faked-@NAME@ ]; then
    touch /run/faked-@NAME@
    @ACTION@
fi
PATH=/usr/sbin:/usr/bin exec @NAME@ "$@"
"""

BREAK = "echo broken by the test >&2; exit 1"
KILL = "kill -KILL 0"
"""Kills the whole step: timeout(1) puts its processes into their own group."""

STAGES = {
    "stopping": ("systemctl", "stop\\ apache2"),
    "renaming": ("mv", "*\\ /var/www\\ /var/www.orig"),
    "making the mountpoint": ("mkdir", "-p\\ /var/www"),
    "locking the mountpoint": ("chattr", "+i\\ /var/www"),
    "writing fstab": ("mv", "*\\ /etc/fstab"),
    "enabling the mount": ("systemctl", "enable*gluster-mount@var-www.service"),
    "mounting": ("systemctl", "start\\ --no-block*"),
    "starting": ("systemctl", "start\\ apache2"),
}


def apache(name: str) -> dict[str, str]:
    return {
        "SITE": SITE,
        "FIRST": "yes" if name == NAMES[0] else "",
        "NODE": name,
        "CONF": conf(BALANCERS),
        "COPY": params.text("migrate/copy.sh"),
        "MOUNT": params.text("gluster/mount.sh"),
        **volume_params("var-www", fallback_order(PEERS, host_name(name))),
    }


STEP = "apache/apache.sh"
OUTAGE_LIMIT = 10.0
"""Seconds for which Apache may be down. A busy machine gets three times that here."""


@pytest.fixture(scope="module")
def machines(region: Region, authority: params.StorageAuthority) -> Iterator[dict[str, Node]]:
    """web1 and web2, which run Apache and hold the two copies of the volume `var-www`."""
    made = {}
    for zone, name in enumerate(NAMES, 5):
        subnet = ipaddress.IPv4Network(f"10.20.{zone}.0/24")
        machine = region.new_machine(
            f"i-{name}",
            name=name,
            hostname=name,
            ports=[region.network.new_port("ens5", subnet, ("sg-all",), public=True)],
            user_data=b"#cloud-config\n{}\n",
            public_keys=[],
        )
        region.new_disk(f"vol-{name}", 2)
        made[name] = Node(name, machine)
        machine.attach(Attachment(region.disks[f"vol-{name}"], "nvme1n1", Path(made[name].disk).name))
        machine.power_on()

    volume = params.VOLUME | {
        "VOLUME": "var-www",
        "REPLICA": "replica 2",
        "BRICKS": " ".join(f"{peer}:{params.BRICK}" for peer in PEERS),
        "OPTIONS": "\n".join(
            f"{option} {value}"
            for option, value in volume_options(
                Gluster(replica=2, accept_split_brain_risk=True), 0, params.NETWORK
            ).items()
        ),
    }

    def prepare(node: Node) -> None:
        node.eventually("systemctl", "is-active", "--quiet", "multi-user.target", within=120)
        # the image contains the software of every site
        node.run("systemctl", "disable", "--quiet", "--now", "nginx")
        node.run("systemctl", "enable", "--quiet", "apache2")
        node.step("cloud/existing/packages.sh", packages.params(["gluster-client", "gluster", "apache"]))
        node.step("machine/etc_hosts.sh", params.hosts(made))
        node.step("gluster/certificate.sh", *authority.issue(host_name(node.name)))
        node.step("gluster/glusterd.sh", params.GLUSTERD)
        node.step("gluster/brick.sh", params.brick(node.disk))

    with ThreadPoolExecutor() as pool:
        list(pool.map(prepare, made.values()))
    made["web1"].step("gluster/peers.sh", {"PEERS": PEERS[1], "OTHERS": "1"})
    made["web2"].step("gluster/peers.sh", {"PEERS": PEERS[0], "OTHERS": "1"})
    made["web1"].step("gluster/volume.sh", volume)
    yield made
    for node in made.values():
        node.machine.power_off()


@pytest.fixture
def servers(machines: dict[str, Node]) -> dict[str, Node]:
    """Both servers as they were before the migration, and an empty volume."""
    for node in machines.values():
        node.run("bash", "-c", AS_BEFORE)
    machines["web1"].run("bash", "-c", EMPTY)
    for node in machines.values():
        node.run("bash", "-euc", SITE_OF_OWN)
        # the tests start it more often than systemd's limit of five times in 10 s allows
        node.run("systemctl", "reset-failed", "apache2")
        node.run("systemctl", "start", "apache2")
    return machines


@pytest.fixture
def server(servers: Mapping[str, Node]) -> Node:
    """The first server."""
    return servers["web1"]


def fake(node: Node, name: str, match: str, action: str) -> None:
    """Put a stand-in in front of a command of the machine."""
    text = FAKE.replace("@NAME@", name).replace("@MATCH@", match).replace("@ACTION@", action)
    node.run("sh", "-c", f"cat >/usr/local/sbin/{name}; chmod 755 /usr/local/sbin/{name}", stdin=text)


def attempt(node: Node, timeout: int = 180) -> subprocess.CompletedProcess[str]:
    """Run the step; it may fail."""
    text = command_text(COMPONENTS / STEP, apache(node.name), timeout=timeout)
    words = [*node.machine.exec_prefix(), "bash", "-c", text]
    return subprocess.run(words, check=False, capture_output=True, text=True, timeout=timeout + 30)


def tree(node: Node, path: str) -> str:
    output = rf"""cd {path}; find . -path ./.ha-wordpress -prune -o -type d -printf '%P d %m %U %G %T@\n' \
        -o -printf '%P %y %m %U %G %T@ %s %l\n' | sort"""
    return node.run("bash", "-c", output)


def page(node: Node, path: str = "/") -> str:
    """The body and the status of a server's answer to a client outside it."""
    url = f"http://{node.machine.endpoint.public}{path}"
    words = ["curl", "--silent", "--max-time", "5", "--write-out", " %{http_code}", url]
    return subprocess.run(words, check=False, capture_output=True, text=True).stdout


def assert_moved(node: Node, before: str) -> None:
    """Assert that Apache serves the volume and that the old tree is kept."""
    assert node.run("findmnt", "--noheadings", "--output", "FSTYPE", "--mountpoint", SITE) == "fuse.glusterfs\n"
    assert node.run("systemctl", "is-active", "apache2") == "active\n"
    assert page(node) == "the page\n 200"
    assert page(node, "/healthz") == "ok\n 200"
    assert tree(node, f"{SITE}.orig") == before
    node.run("systemctl", "is-enabled", "--quiet", "gluster-mount@var-www.service")
    node.run("test", "!", "-e", MOVING)
    node.run("sh", "-c", "! mountpoint --quiet /run/ha-wordpress/volume")


def assert_put_back(node: Node, before: str) -> None:
    """Assert that everything is as before and that Apache serves it."""
    assert page(node) == "the page\n 200"
    assert node.run("systemctl", "is-active", "apache2") == "active\n"
    assert tree(node, SITE) == before
    node.run("sh", "-c", f"test ! -e {SITE}.orig && test ! -e {MOVING} && ! grep -q ' {SITE} ' /etc/fstab")
    node.run("sh", "-c", "! mountpoint --quiet /run/ha-wordpress/volume && ! mountpoint --quiet /var/www")
    node.run("sh", "-c", "! systemctl is-enabled --quiet gluster-mount@var-www.service")
    node.run("sh", "-c", f"echo writable >{SITE}/new && rm {SITE}/new")


class Visitor:
    """A client that asks for the page every 50 ms."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.answered: list[float] = []
        self.other: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Visitor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._over.wait(0.05):
            got = page(self.node)
            if got == "the page\n 200":
                self.answered.append(time.monotonic())
            else:
                self.other.add(got)

    @property
    def outage(self) -> float:
        """The longest time without the page, in seconds."""
        return max(later - earlier for earlier, later in itertools.pairwise(self.answered))


def test_both_servers_serve_the_first_ones_files_and_keep_their_own(servers: Mapping[str, Node]) -> None:
    first, second = servers.values()
    second.run(
        "bash", "-c", "cd /var/www/html; echo 'only here' >own.html; echo other >images/1.jpg; ln -s own.html own"
    )
    before = {name: tree(node, SITE) for name, node in servers.items()}

    with Visitor(first) as visitor:
        first.step(STEP, apache("web1"))
    print(f"Apache was down for {visitor.outage:.2f} s on the first server")  # noqa: T201
    assert visitor.outage < 3 * OUTAGE_LIMIT
    assert visitor.other <= {" 000"}
    assert_moved(first, before["web1"])
    assert tree(first, SITE) == before["web1"]

    with Visitor(second) as visitor:
        done = attempt(second)
    print(f"Apache was down for {visitor.outage:.2f} s on the second server")  # noqa: T201
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(done.stdout.splitlines()) == [
        "only on this server: html/own",
        "only on this server: html/own.html",
        "other content: html/images/1.jpg",
    ]
    assert visitor.outage < 3 * OUTAGE_LIMIT
    assert_moved(second, before["web2"])
    assert page(second, "/own.html").endswith(" 404")

    first.run("sh", "-c", f"echo 'written on the first' >{SITE}/html/new.html")
    assert page(second, "/new.html") == "written on the first\n 200"
    assert page(second, "/.ha-wordpress/code").endswith(" 404")
    for name, node in servers.items():
        node.again(STEP, apache(name))
        assert_moved(node, before[name])


def test_only_a_balancer_says_that_a_visitor_uses_https(server: Node) -> None:
    log = 'GlobalLog /run/scheme.log "%{HTTPS}e"\n'
    server.run("sh", "-c", "cat >/etc/apache2/conf-enabled/zz-scheme.conf; systemctl reload apache2", stdin=log)
    try:
        server.step(STEP, apache("web1"))
        own = server.machine.endpoint.address
        for source, scheme in (("127.0.0.1", "https"), ("127.0.0.1", "http"), (own, "https")):
            header = f"X-Forwarded-Proto: {scheme}"
            server.run("curl", "--silent", "--fail", "--interface", source, "--header", header, f"http://{own}/")
        server.eventually("sh", "-c", "[ $(wc -l </run/scheme.log) -ge 3 ]")
        assert server.run("tail", "--lines=3", "/run/scheme.log").split() == ["on", "-", "-"]
    finally:
        server.run("sh", "-c", "rm /etc/apache2/conf-enabled/zz-scheme.conf /run/scheme.log; systemctl reload apache2")


def test_both_serve_from_the_volume_after_a_reboot(servers: Mapping[str, Node]) -> None:
    first, second = servers.values()
    first.step(STEP, apache("web1"))
    second.step(STEP, apache("web2"))
    second.machine.reboot()
    for awaited in (False, True):
        end = time.monotonic() + 60
        while (page(second, "/healthz") == "ok\n 200") != awaited:
            assert time.monotonic() < end
    assert page(second) == "the page\n 200"
    second.again(STEP, apache("web2"))


@pytest.mark.parametrize("name", NAMES)
def test_a_new_machine_under_an_old_name_serves_the_volume(servers: Mapping[str, Node], name: str) -> None:
    for node in servers.values():
        node.step(STEP, apache(node.name))
    migrated = tree(servers["web1"], SITE)
    new = servers[name]
    new.run("bash", "-c", AS_BEFORE)
    new.run("sh", "-c", "mkdir -p /var/www/html; echo 'a new machine' >/var/www/html/index.html")
    new.run("systemctl", "reset-failed", "apache2")
    new.run("systemctl", "start", "apache2")
    before = tree(new, SITE)

    done = attempt(new)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert_moved(new, before)
    assert tree(new, SITE) == migrated
    new.again(STEP, apache(name))


def test_a_new_machine_is_put_back_where_the_site_fails(servers: Mapping[str, Node]) -> None:
    first, second = servers.values()
    first.step(STEP, apache("web1"))
    first.run("mkdir", "-p", f"{SITE}/{RECORDS}/web2")
    first.run("rm", f"{SITE}/html/index.html")
    first.run("chmod", "700", f"{SITE}/html")
    before = tree(second, SITE)
    assert "Apache answers 403" in second.refuses(STEP, apache("web2"))
    assert_put_back(second, before)


def test_a_server_that_never_served_the_volume_is_compared(servers: Mapping[str, Node]) -> None:
    first, second = servers.values()
    first.step(STEP, apache("web1"))
    second.run("sh", "-c", "echo 'another page' >/var/www/html/index.html")
    before = tree(second, SITE)
    output = second.refuses(STEP, apache("web2"))
    assert "other content: html/index.html" in output
    assert "Putting the old /var/www back" in output
    assert tree(second, SITE) == before


def test_a_server_of_an_earlier_version_is_recorded(server: Node) -> None:
    server.step(STEP, apache("web1"))
    server.run("rm", "-r", f"{SITE}/{RECORDS}")
    server.step(STEP, apache("web1"))
    assert server.run("ls", f"{SITE}/{RECORDS}") == "web1\n"


def test_a_planted_record_leads_root_nowhere(server: Node) -> None:
    server.step(STEP, apache("web1"))
    server.run("rm", "-r", f"{SITE}/{RECORDS}")
    server.run("chown", "www-data:", f"{SITE}/.ha-wordpress")
    server.plant(f"ln -s {OUTSIDE} {SITE}/{RECORDS}")
    assert "File exists" in server.refuses(STEP, apache("web1"))
    assert server.run("ls", OUTSIDE) == "file\n"
    server.run("rm", f"{SITE}/{RECORDS}")
    server.step(STEP, apache("web1"))


@pytest.mark.parametrize("stage", STAGES)
def test_the_old_files_are_back_when_the_move_breaks(server: Node, stage: str) -> None:
    before = tree(server, SITE)
    fake(server, *STAGES[stage], BREAK)
    output = server.refuses(STEP, apache("web1"))
    assert "broken by the test" in output
    assert "Putting the old /var/www back" in output
    assert_put_back(server, before)


@pytest.mark.parametrize("stage", [*STAGES, "ending"])
def test_a_run_after_one_that_was_killed_ends_the_move(server: Node, stage: str) -> None:
    before = tree(server, SITE)
    fake(server, *(STAGES | {"ending": ("rm", MOVING)})[stage], KILL)
    assert attempt(server).returncode != 0
    server.run("test", "-e", MOVING)
    server.step(STEP, apache("web1"))
    assert_moved(server, before)
    assert tree(server, SITE) == before


def test_a_link_that_the_sites_user_planted_leads_root_nowhere(server: Node) -> None:
    fake(server, *STAGES["stopping"], BREAK)
    server.refuses(STEP, apache("web1"))
    state = "/mnt/all/.ha-wordpress"
    server.run(
        "sh", "-euc", f"mount -t glusterfs node-web1:/var-www /mnt/all; chown www-data: {state}; rm {state}/health"
    )
    server.plant(f"ln -s {OUTSIDE}/file {state}/health")
    server.run("umount", "/mnt/all")
    server.step(STEP, apache("web1"))
    assert server.run("cat", f"{OUTSIDE}/file") == "kept\n"
    assert page(server, "/healthz") == "ok\n 200"


def test_a_link_that_the_sites_user_plants_during_the_copy_leads_root_nowhere(server: Node) -> None:
    before = tree(server, SITE)
    server.plant()
    # at the comparison, after the last look for links
    replace = f"(cd /run/ha-wordpress/volume; rm -r .ha-wordpress; ln -s {OUTSIDE} .ha-wordpress; touch -r {SITE} .)"
    fake(server, "unshare", "*--dry-run*", replace)
    assert ".ha-wordpress/health: Directory nonexistent" in server.refuses(STEP, apache("web1"))
    assert server.run("ls", OUTSIDE) == "file\n"
    assert_put_back(server, before)


def test_settings_of_a_killed_run_are_in_force_after_the_next(server: Node) -> None:
    server.step(STEP, apache("web1"))
    one = apache("web1")
    other = one | {"CONF": one["CONF"] + "Redirect /tested /\n"}
    asked = "curl --silent --head http://127.0.0.1/tested | grep -q ' 302 '"
    server.applies_after_kills(STEP, one, other, {"one": f"! {asked}", "other": asked})


def test_what_was_written_to_the_volume_after_a_killed_run_stays(server: Node) -> None:
    fake(server, "rm", MOVING, KILL)
    attempt(server)
    server.run("sh", "-c", f"echo written >{SITE}/html/new.html")
    server.step(STEP, apache("web1"))
    assert page(server, "/new.html") == "written\n 200"


@pytest.mark.parametrize("stage", ["copying", "renaming", "starting"])
def test_the_old_files_are_back_when_the_step_runs_out_of_time(server: Node, stage: str) -> None:
    before = tree(server, SITE)
    fake(server, *(STAGES | {"copying": ("unshare", "*rsync*")})[stage], "sleep 60")
    assert attempt(server, timeout=20).returncode == 124
    assert_put_back(server, before)


def test_the_old_files_are_back_when_no_brick_answers(server: Node) -> None:
    before = tree(server, SITE)
    fake(server, *STAGES["mounting"], "gluster --mode=script volume stop var-www >/dev/null")
    output = server.refuses(STEP, apache("web1"))
    assert f"{SITE} is not a GlusterFS mount" in output
    assert_put_back(server, before)


def test_the_old_files_are_back_when_apache_serves_another_page(server: Node) -> None:
    before = tree(server, SITE)
    fake(server, *STAGES["starting"], f"echo other >{SITE}/html/index.html")
    output = server.refuses(STEP, apache("web1"))
    assert "From the volume, Apache answers 200" in output
    assert_put_back(server, before)


def test_what_changes_until_apache_stops_is_on_the_volume(server: Node) -> None:
    changes = (
        "cd /var/www/html; echo new >new.html; echo later >images/1.jpg; rm images/2.jpg; chmod 600 images/3.jpg; "
        "setfattr -n user.late -v yes images/4.jpg; "
        # the same size, and a time within the same second
        "echo 'Picture 5' >images/5.jpg; touch -d '2003-03-03 03:03:03.123456790' images/5.jpg; cd /"
    )
    fake(server, *STAGES["stopping"], changes)
    with Visitor(server) as visitor:
        server.step(STEP, apache("web1"))
    print(f"Apache was down for {visitor.outage:.2f} s with a last copy")  # noqa: T201
    after = tree(server, f"{SITE}.orig")
    assert "html/new.html" in after
    assert "html/images/2.jpg" not in after
    assert_moved(server, after)
    assert server.run("cat", f"{SITE}/html/images/5.jpg") == "Picture 5\n"
    assert tree(server, SITE) == after
    assert "yes" in server.run("getfattr", "--name", "user.late", f"{SITE}/html/images/4.jpg")


def test_the_old_files_are_back_when_the_last_copy_breaks(server: Node) -> None:
    fake(server, *STAGES["stopping"], "echo late >/var/www/html/new.html; touch /run/stopped")
    fake(server, "unshare", "*rsync*", "if [ -e /run/stopped ]; then exit 12; fi; rm /run/faked-unshare")
    output = server.refuses(STEP, apache("web1"))
    server.run("rm", "/run/stopped")
    assert "Putting the old /var/www back" in output
    assert_put_back(server, tree(server, SITE))


def test_the_second_server_waits_for_the_first_ones_files(servers: Mapping[str, Node]) -> None:
    node = servers["web2"]
    before = tree(node, SITE)
    assert "The first server's files are not on node-web1:/var-www yet" in node.refuses(STEP, apache("web2"))
    assert_put_back(node, before)


PRECONDITIONS = {
    "mkdir /var/www.orig": "/var/www.orig exists already",
    "systemctl stop apache2": "Apache does not answer at http://127.0.0.1/",
    "mkdir /srv/www; mount --bind /srv/www /var/www": "/var/www is a file system of its own",
    "gluster --mode=script volume stop var-www": "cannot be mounted. Nothing was changed",
    "echo 'Redirect / https://www.example.com/' >/etc/apache2/conf-enabled/a.conf; apachectl graceful":
        "/healthz answers 302",
    "echo nonsense >/etc/apache2/conf-enabled/a.conf": "Invalid command 'nonsense'",
    "mv /var/www /srv/www; ln -s /srv/www /var/www": "/var/www is not a directory of this machine",
    "mount -t glusterfs localhost:/var-www /mnt; touch /mnt/theirs; umount /mnt": "The volume holds files that",
}  # fmt: skip

UNDO = """
rm -f /etc/apache2/conf-enabled/a.conf
if mountpoint --quiet /var/www; then umount /var/www; rmdir /srv/www; fi
if [ -L /var/www ]; then rm /var/www; mv /srv/www /var/www; fi
gluster --mode=script volume start var-www
true
"""


@pytest.mark.parametrize("precondition", PRECONDITIONS)
def test_nothing_stops_where_the_move_cannot_succeed(server: Node, precondition: str) -> None:
    server.run("bash", "-euc", precondition)
    started = server.run("systemctl", "show", "--property=MainPID,ActiveState", "apache2")
    output = server.refuses(STEP, apache("web1"))
    assert PRECONDITIONS[precondition] in output
    assert "Putting" not in output
    assert server.run("systemctl", "show", "--property=MainPID,ActiveState", "apache2") == started
    server.run("sh", "-c", f"! grep -q ' {SITE} glusterfs' /etc/fstab; ! mountpoint --quiet /run/ha-wordpress/volume")
    server.run("bash", "-c", UNDO)


def test_selinux_lets_apache_read_the_volume(server: Node) -> None:
    """Stand-ins replace SELinux's commands, because no machine here enforces it."""
    server.run("sh", "-c", "echo '#!/bin/sh\necho Enforcing' >/usr/local/sbin/getenforce")
    server.run("sh", "-c", "echo '#!/bin/sh\ncat /run/sebool' >/usr/local/sbin/getsebool")
    server.run("sh", "-c", "echo '#!/bin/sh\necho \"$2 --> $3\" >/run/sebool; echo $* >>/run/sebools'"
               " >/usr/local/sbin/setsebool")  # fmt: skip
    server.run("sh", "-c", "chmod 755 /usr/local/sbin/*; echo 'httpd_use_fusefs --> off' >/run/sebool")
    server.step(STEP, apache("web1"))
    server.step(STEP, apache("web1"))
    assert server.run("cat", "/run/sebools") == "-P httpd_use_fusefs on\n"
