"""The functions that every step may call, run by bash on files of the test."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from components.machine.remote import PRELUDE

TEXT = PRELUDE.read_text().replace("/var/lib/ha-wordpress", "${STATE-/dev/null}")
"""The prelude, which keeps its own files in the directory STATE; a test without STATE must leave nothing pending."""


def run(script: str, *, prelude: str = TEXT, **params: object) -> subprocess.CompletedProcess[str]:
    """The result of a script after the prelude, with parameters in its environment."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"} | {name: str(value) for name, value in params.items()}
    return subprocess.run(
        ["bash", "-c", f"{prelude}\n{script}"],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        timeout=20,
    )


def printed(script: str, *, prelude: str = TEXT, **params: object) -> str:
    """The output of a script that must succeed, and print nothing on standard error."""
    done = run(script, prelude=prelude, **params)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def identity(file: Path) -> tuple[int, int, int]:
    """Inode, time and mode of a file: a write or a replacement changes at least one of them."""
    found = file.stat()
    return found.st_ino, found.st_mtime_ns, found.st_mode


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a directory" / "file.conf"


def test_fail_prints_its_lines_on_standard_error_and_ends_the_step() -> None:
    done = run("fail 'what is wrong' 'what to do'; echo continued")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "what is wrong\nwhat to do\n")


def test_fail_with_journal_prints_what_the_units_logged() -> None:
    done = run("journalctl() { echo \"$@\"; }; fail_with_journal 'it does not run:' nginx varnish; echo continued")
    expected = "it does not run:\n--no-pager --lines=20 --unit=nginx --unit=varnish\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", expected)


def test_wait_until_repeats_a_command_until_it_succeeds(tmp_path: Path) -> None:
    third = 'third() { echo >>"$FILE"; [ "$(wc -l <"$FILE")" -eq 3 ]; }; wait_until 10 third; wc -l <"$FILE"'
    assert printed(third, FILE=tmp_path / "count").strip() == "3"


def test_wait_until_fails_when_the_time_is_over() -> None:
    assert printed('wait_until 1 false || echo "over after $SECONDS s"') in ("over after 1 s\n", "over after 2 s\n")
    assert run("wait_until 1 false; echo continued").stdout == ""


@pytest.mark.parametrize("text", ["", "line\n", "no newline", "two\n\n", "it's $HOME `id` \\ %s\n"])
def test_a_file_gets_exactly_the_text_and_the_mode(file: Path, text: str) -> None:
    script = 'write_if_changed "$FILE" 640 "$TEXT" reload; echo "${reload-}"'
    assert printed(script, FILE=file, TEXT=text, STATE=file.parent.with_name("state")) == "yes\n"
    assert file.read_text() == text
    assert file.stat().st_mode & 0o7777 == 0o640
    assert list(file.parent.iterdir()) == [file]


def test_a_file_that_holds_the_text_is_not_written_again(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("line\n")
    before = identity(file)
    script = 'write_if_changed "$FILE" 600 $\'line\\n\' reload; echo "${reload-no}"'
    assert printed(script, FILE=file) == "no\n"
    assert identity(file) == before


def test_a_step_ends_where_a_file_cannot_be_written(file: Path) -> None:
    file.parent.write_text("not a directory")
    done = run('write_if_changed "$FILE" 644 text reload; echo continued', FILE=file)
    assert done.returncode != 0
    assert done.stdout == ""


def test_a_check_that_succeeds_prints_nothing_and_keeps_the_files(file: Path) -> None:
    assert printed('write_if_changed "$FILE" 644 new; run_or_undo echo fine', FILE=file) == ""
    assert file.read_text() == "new"


def test_a_check_that_fails_puts_the_files_back_and_ends_the_step(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("old\n\n")
    file.chmod(0o600)
    created = file.with_name("created.conf")
    script = """
        write_if_changed "$FILE" 644 new
        write_if_changed "$CREATED" 644 new
        refuse() { cat "$FILE"; echo ' is refused' >&2; return 3; }
        run_or_undo refuse
        echo continued
    """
    done = run(script, FILE=file, CREATED=created)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "new is refused\n")
    assert file.read_text() == "old\n\n"
    assert file.stat().st_mode & 0o7777 == 0o600
    assert not created.exists()


def test_a_removed_file_is_put_back_if_it_was_remembered(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("old\n")
    assert run('remember "$FILE"; rm "$FILE"; run_or_undo false', FILE=file).returncode == 1
    assert file.read_text() == "old\n"


class Service:
    """A stand-in for a service: its configuration file, and the text that it has loaded."""

    def __init__(self, directory: Path) -> None:
        self.file, self.loaded, self.state = (directory / name for name in ("file", "loaded", "state"))
        self.file.write_text("old")
        self.loaded.write_text("old")

    def step(self, text: str, before: str = "", load: str = 'cp "$FILE" "$LOADED"', after: str = "") -> int:
        """The exit status of a step that writes the text and loads it; `before`, `load`, `after`: its commands."""
        script = f"""
            write_if_changed "$FILE" 644 "$TEXT" reload_it
            {before}
            load() {{ {load}; }}
            apply reload_it load
            {after}
        """
        return run(script, FILE=self.file, LOADED=self.loaded, STATE=self.state, TEXT=text).returncode

    @property
    def now(self) -> tuple[str, str]:
        """The text of its file, and the text that it has loaded."""
        return self.file.read_text(), self.loaded.read_text()


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path)


def test_what_a_killed_run_wrote_is_loaded_by_the_next_one(service: Service) -> None:
    assert service.step("new", before="kill -KILL $$") == -9
    assert service.now == ("new", "old")
    assert service.step("new") == 0
    assert service.now == ("new", "new")


def test_a_file_that_a_killed_run_had_just_replaced_is_loaded_by_the_next_one(service: Service) -> None:
    service.step("old")
    killed = 'mv() { command mv "$@"; kill -KILL $$; }; write_if_changed "$FILE" 644 new reload_it'
    assert run(killed, FILE=service.file, STATE=service.state).returncode == -9
    assert service.now == ("new", "old")
    assert service.step("new") == 0
    assert service.now == ("new", "new")


def test_what_could_not_be_loaded_is_loaded_by_the_next_run(service: Service) -> None:
    assert service.step("new", load="false") == 1
    assert service.step("new") == 0
    assert service.now == ("new", "new")


def test_what_is_loaded_is_not_loaded_again(service: Service) -> None:
    assert service.step("new") == 0
    assert service.step("new", load="echo again >>$LOADED") == 0
    assert service.now == ("new", "new")


def test_another_step_loads_what_a_killed_one_wrote_for_the_same_service(service: Service) -> None:
    service.step("new", before="kill -KILL $$")
    printed('load() { cp "$FILE" "$LOADED"; }; apply reload_it load',
            FILE=service.file, LOADED=service.loaded, STATE=service.state)  # fmt: skip
    assert service.now == ("new", "new")


def test_nothing_is_pending_after_a_check_that_failed(service: Service) -> None:
    assert service.step("refused", before="run_or_undo false") == 1
    assert service.step("old", load="echo again >>$LOADED") == 0
    assert service.now == ("old", "old")


def test_what_a_killed_run_wrote_stays_pending_after_a_check_that_failed(service: Service) -> None:
    service.step("new", before="kill -KILL $$")
    assert service.step("refused", before="run_or_undo false") == 1
    assert service.now == ("new", "old")
    assert service.step("new") == 0
    assert service.now == ("new", "new")


def test_a_file_that_is_loaded_is_not_put_back_by_a_later_check(service: Service) -> None:
    assert service.step("new", after="run_or_undo false") == 1
    assert service.now == ("new", "new")
    assert service.step("old") == 0
    assert service.now == ("old", "old")


def test_only_units_that_are_not_enabled_are_enabled() -> None:
    systemctl = 'systemctl() { [ "$1" != is-enabled ] || { [ "$3" = nginx ]; return; }; echo "$@"; }'
    assert printed(f"{systemctl}; enable_units nginx varnish keepalived") == (
        "enable --quiet varnish\nenable --quiet keepalived\n"
    )


FSTAB = "# static\nUUID=1 / ext4 defaults 0 1\nold:/wp /var/www/html glusterfs defaults 0 0\ntmpfs /tmp tmpfs 0 0\n"


def set_fstab_line(fstab: Path, mountpoint: Path | str, line: str) -> str:
    """The output of `set_fstab_line` on a file in the place of /etc/fstab, with a stand-in for chattr."""
    script = 'chattr() { echo "chattr $*"; }; set_fstab_line "$MOUNTPOINT" "$LINE"'
    return printed(script, prelude=TEXT.replace("/etc/fstab", str(fstab)), MOUNTPOINT=mountpoint, LINE=line)


def test_a_mountpoint_has_one_line_in_fstab_and_the_others_stay(tmp_path: Path) -> None:
    mountpoint = tmp_path / "html"
    fstab = tmp_path / "fstab"
    fstab.write_text(FSTAB.replace("/var/www/html", str(mountpoint)))
    line = f"new:/wp {mountpoint} glusterfs defaults,_netdev 0 0"
    assert set_fstab_line(fstab, mountpoint, line) == f"chattr +i {mountpoint}\n"
    assert mountpoint.is_dir()
    first, second, _, last = FSTAB.splitlines()
    assert fstab.read_text().splitlines() == [first, second, last, line]
    assert fstab.stat().st_mode & 0o7777 == 0o644


def test_a_line_that_fstab_has_stays_where_it_is(tmp_path: Path) -> None:
    fstab = tmp_path / "fstab"
    fstab.write_text(FSTAB)
    before = identity(fstab)
    assert set_fstab_line(fstab, "/var/www/html", FSTAB.splitlines()[2]) == ""
    assert identity(fstab) == before


def test_a_step_ends_where_fstab_cannot_be_read(tmp_path: Path) -> None:
    fstab = tmp_path / "fstab"
    script = 'chattr() { :; }; set_fstab_line "$MOUNTPOINT" line 2>/dev/null; echo continued'
    done = run(script, prelude=TEXT.replace("/etc/fstab", str(fstab)), MOUNTPOINT=tmp_path / "html")
    assert done.returncode != 0
    assert done.stdout == ""
    assert not fstab.exists()


def test_a_directory_that_is_mounted_already_is_not_made_immutable(tmp_path: Path) -> None:
    fstab = tmp_path / "fstab"
    fstab.write_text("")
    assert set_fstab_line(fstab, "/proc", "proc /proc proc defaults 0 0") == ""


@pytest.mark.parametrize(("kind", "expected"), [("fuse.glusterfs", "yes"), ("xfs", "no"), ("", "no")])
def test_only_a_glusterfs_mount_counts(kind: str, expected: str) -> None:
    script = 'findmnt() { echo "$KIND"; }; if is_glusterfs_mount /srv; then echo yes; else echo no; fi'
    assert printed(script, KIND=kind) == f"{expected}\n"


class Unavailable(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(503)
        self.end_headers()
        self.wfile.write(b"body")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Unavailable) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def test_the_status_of_an_answer_is_printed_without_its_body(url: str) -> None:
    assert printed('http_status "$URL"', URL=url) == "503"


def test_no_answer_has_the_status_000_and_does_not_end_the_step() -> None:
    assert printed("http_status http://127.0.0.1:1/; echo ' continued'") == "000 continued\n"


def test_another_script_runs_with_the_functions_and_its_parameters(file: Path) -> None:
    script = r"""
        local_value=outer
        SOURCE='a b' run_script 'set -euo pipefail
            echo "$SOURCE ${local_value-unset}"
            write_if_changed "$FILE" 644 new
            run_or_undo true'
        echo "${SOURCE-unset}"
    """
    assert printed(script, FILE=file) == "a b unset\nunset\n"
    assert file.read_text() == "new"


def test_another_script_that_fails_ends_the_step() -> None:
    done = run("run_script \"fail 'it went wrong'\"; echo continued")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "it went wrong\n")
