"""The machine image is made again when Debian's archive or the packages change."""

import datetime
from pathlib import Path

import pytest

from rehearsal.setup import cache, image

RELEASE = "Origin: Debian\nDate: {day} Nov 2026 00:12:41 UTC\nValid-Until: Sat, 28 Nov 2026 00:12:41 UTC\n"
FRIDAY, SATURDAY = RELEASE.format(day="Fri, 20"), RELEASE.format(day="Sat, 21")


class Archive:
    """A mirror in a directory, read by `file:` URLs, and a count of the images made from it."""

    def __init__(self, place: Path) -> None:
        self.place, self.made = place, 0

    def publish(self, release: str) -> None:
        suite = self.place / "dists" / "trixie"
        suite.mkdir(parents=True, exist_ok=True)
        (suite / "InRelease").write_text(release)

    def make(self, key: str, packages: list[str]) -> Path:
        """Make an empty image, in the place of mmdebstrap."""
        self.made += 1
        release = (self.place / "dists" / "trixie" / "InRelease").read_text()
        made = cache.DIRECTORY / f"{key}-{image.archive_date(release)}"
        (made / "archive").mkdir(parents=True)
        (made / "archive" / "sources.list").write_text(f"deb file://{self.place}/ trixie main\n")
        return made


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    made = Archive(tmp_path / "mirror")
    monkeypatch.setattr(cache, "DIRECTORY", tmp_path / "cache")
    monkeypatch.setattr(image, "_make", made.make)
    made.publish(FRIDAY)
    return made


def test_an_image_of_todays_archive_is_used_again(archive: Archive) -> None:
    assert image.ensure() == image.ensure()
    assert archive.made == 1


def test_a_later_archive_makes_a_new_image_and_removes_the_old(archive: Archive) -> None:
    old = image.ensure()
    archive.publish(SATURDAY)
    new = image.ensure()
    assert new.nodes.parent.name.endswith("2026-11-21")
    assert not old.nodes.parent.exists()


def test_an_image_that_a_machine_runs_from_stays(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    old = image.ensure()
    monkeypatch.setattr(image, "_in_use", lambda path: path == old.nodes.parent)
    archive.publish(SATURDAY)
    image.ensure()
    assert old.nodes.parent.exists()


def test_without_the_archive_the_newest_image_is_used(archive: Archive) -> None:
    made = image.ensure()
    (archive.place / "dists" / "trixie" / "InRelease").unlink()
    assert image.ensure() == made


def test_another_package_makes_another_image(archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = image.ensure()
    (tmp_path / "varnish.yaml").write_text("#cloud-config\npackages: [varnish]\n")
    monkeypatch.setattr(image, "CLOUD_INIT", tmp_path)
    assert image.ensure() != first


def test_packages_keep_the_order_of_the_parts_and_come_once(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("#cloud-config\npackages: [php-fpm, curl, php]\n")
    (tmp_path / "a.yaml").write_text("#cloud-config\npackages: [xfsprogs, curl]\n")
    (tmp_path / "base.yaml").write_text("#cloud-config\nlocale: C.UTF-8\n")
    assert image.named_packages(tmp_path) == ["xfsprogs", "curl", "php-fpm", "php"]


def test_the_archives_date_is_its_own_day() -> None:
    assert image.archive_date(FRIDAY) == datetime.date(2026, 11, 20)


def test_a_release_without_a_date_is_refused() -> None:
    with pytest.raises(ValueError, match="without a date"):
        image.archive_date("Origin: Debian\n")


def test_the_image_comes_from_the_hosts_own_mirrors() -> None:
    lines = [
        "deb file:/mirror/debian/ bookworm main",
        "deb file:/mirror/debian/ bookworm-updates main",
        "deb file:/mirror/debian-security/ bookworm-security main",
        "deb file:/mirror/debian/ bookworm-backports main",
    ]
    assert image.suite_lines(lines, "bookworm") == [
        "deb file:/mirror/debian/ trixie main",
        "deb file:/mirror/debian/ trixie-updates main",
        "deb file:/mirror/debian-security/ trixie-security main",
    ]
