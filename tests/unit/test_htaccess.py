"""wordpress/htaccess.sh: which lines of Apache's .htaccess files it takes for protection."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from components.machine.remote import PRELUDE
from components.wordpress.wordpress import HERE

SCRIPT = PRELUDE.read_text() + (HERE / "htaccess.sh").read_text()

WORDPRESS = """# BEGIN WordPress
<IfModule mod_rewrite.c>
RewriteEngine On
RewriteRule .* - [E=HTTP_AUTHORIZATION:%{HTTP:Authorization}]
RewriteBase /
RewriteRule ^index\\.php$ - [L]
RewriteCond %{REQUEST_FILENAME} !-f
RewriteCond %{REQUEST_FILENAME} !-d
RewriteRule . /index.php [L]
</IfModule>
# END WordPress
"""


def check(root: Path, **params: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "DIRECTORY": str(root), "ACCEPTED": ""} | params
    return subprocess.run(
        ["bash", "-c", SCRIPT], check=False, capture_output=True, text=True, env=environment, timeout=20
    )


@pytest.mark.parametrize(
    "line",
    [
        "Require all denied",
        "  require ip 10.0.0.0/8",
        "Deny from all\r",
        "Allow from 192.0.2.7",
        "AuthType Basic",
        "php_flag engine off",
        "SetHandler none",
        "RemoveHandler .php",
        "RedirectMatch 403 ^/private/",
        "RewriteRule ^private/ - [F,L]",
        "RewriteRule ^private/ - [NC,R=404]",
        "SSLRequireSSL",
    ],
)
def test_a_line_that_protects_is_refused_with_its_path(tmp_path: Path, line: str) -> None:
    private = tmp_path / "wp-content" / "private"
    private.mkdir(parents=True)
    (tmp_path / ".htaccess").write_text(WORDPRESS)
    (private / ".htaccess").write_text(f"# the files of clients\n{line}\n")
    done = check(tmp_path)
    assert done.returncode == 1
    assert f"\nwp-content/private/.htaccess:2:{line.rstrip()}\n" in done.stderr
    assert "set site.import.accept_lost_htaccess: true" in done.stderr
    accepted = check(tmp_path, ACCEPTED="yes")
    assert (accepted.returncode, accepted.stderr) == (0, "")


@pytest.mark.parametrize(
    "text",
    [
        WORDPRESS,
        "Require all granted\nOrder allow,deny\nAllow from all\n",
        "# Deny from all\n",
        "Options -Indexes\nExpiresActive On\nRedirect 301 /old /new\nAddHandler application/x-httpd-php82 .php\n",
    ],
)
def test_a_file_that_protects_nothing_is_accepted(tmp_path: Path, text: str) -> None:
    (tmp_path / ".htaccess").write_text(text)
    done = check(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_other_files_and_links_are_not_read(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / ".htaccess").write_text("Deny from all\n")
    root = tmp_path / "root"
    root.mkdir()
    (root / "linked").symlink_to(outside)
    (root / ".htaccess").symlink_to(outside / ".htaccess")
    (root / "readme.txt").write_text("Deny from all\n")
    assert check(root).returncode == 0


def test_nothing_is_checked_after_the_directory_was_renamed(tmp_path: Path) -> None:
    assert check(tmp_path / "renamed").returncode == 0
