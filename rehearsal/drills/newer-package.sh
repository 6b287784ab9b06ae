#!/bin/bash
# newer-package.sh PACKAGE: offers this machine's apt a newer version of an installed package, in a directory. Its files
# and its maintainer scripts are the installed ones. Prints the version. A kernel's update, which asks for a reboot, is
# pretended beside it.
set -euo pipefail

package=$1
archive=/opt/rehearsal-archive
work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT
mkdir -p "$archive" "$work/DEBIAN"

dpkg-query --listfiles "$package" | while read -r file; do
    [ ! -e "$file" ] || echo "$file"
done | tar --create --no-recursion --files-from=- 2>/dev/null | tar --extract --directory "$work"
for part in preinst postinst prerm postrm triggers; do
    [ ! -e "/var/lib/dpkg/info/$package.$part" ] || cp "/var/lib/dpkg/info/$package.$part" "$work/DEBIAN/$part"
done
dpkg-query --show --showformat '${Conffiles}\n' "$package" | awk 'NF { print $1 }' >"$work/DEBIAN/conffiles"
# without the fields that dpkg keeps about an installation
dpkg-query --status "$package" | awk '
    /^[^ ]/ { kept = !/^(Status|Conffiles):/ }
    /^Version:/ { $0 = $0 "+rehearsal" }
    kept' >"$work/DEBIAN/control"

dpkg-deb --build -Znone "$work" "$archive/$package.deb" >/dev/null
{
    dpkg-deb --field "$archive/$package.deb"
    echo "Filename: ./$package.deb"
    echo "Size: $(stat --format=%s "$archive/$package.deb")"
    echo "SHA256: $(sha256sum "$archive/$package.deb" | cut -d ' ' -f 1)"
} >"$archive/Packages"
echo "deb [trusted=yes] file:$archive ./" >/etc/apt/sources.list.d/rehearsal.list
: >/run/reboot-required
dpkg-deb --field "$archive/$package.deb" Version
