#!/bin/bash
# Copies WordPress's code into ROOT, once: from the local tar archive IMPORT with the checksum IMPORT_SHA256, from the
# archive at ARCHIVE_URL with the checksum ARCHIVE_SHA256, or from Debian's package. It resumes a copy that was
# interrupted, and does not change a site that is there.
set -euo pipefail

state=$ROOT/.ha-wordpress
source=debian
[ -z "$ARCHIVE_URL" ] || source="archive $ARCHIVE_SHA256"
[ -z "$IMPORT" ] || source="import $IMPORT_SHA256"

if [ -e "$state/code" ]; then
    if [ -n "$IMPORT" ] && [ "$(cat "$state/code")" != "$source" ]; then
        fail "site.import.files: $ROOT holds a site already ($(cat "$state/code")). Nothing was changed." \
            "Remove the setting."
    fi
    rm -f "$IMPORT"
    # components/migrate creates them as root; the bans in the same directory stay root's
    chown www-data:www-data "$state" "$state/code"
    exit 0
fi
if [ ! -e "$state/copying" ] && [ -e "$ROOT/wp-load.php" ]; then
    fail "$ROOT holds a site that this program did not put there. Nothing was changed." \
        "Move it elsewhere, and run this again; site.import.files brings a site in."
fi

work=$(mktemp --directory)
trap 'rm -rf "$work" "$work.tar.gz"' EXIT
links=-P
pack=--hard-dereference
unpack=--same-permissions
case $source in
    import*)
        tar --extract --file "$IMPORT" --directory "$work" --no-same-owner
        ;;
    archive*)
        curl --silent --show-error --fail --location --max-time 300 --output "$work.tar.gz" "$ARCHIVE_URL"
        sha256sum --check --status <<<"$ARCHIVE_SHA256  $work.tar.gz" ||
            fail "The archive at $ARCHIVE_URL does not have the checksum $ARCHIVE_SHA256. Nothing was unpacked." \
                "Correct the URL or the checksum in the settings."
        tar --extract --file "$work.tar.gz" --directory "$work" --no-same-owner
        ;;
    *)
        # the package's links lead into other packages
        links=-L
        pack=--dereference
        unpack=--touch
        ln -s /usr/share/wordpress "$work/wordpress"
        ;;
esac
chown -Rh www-data:www-data "$work"
code=$(dirname "$(find -L "$work" -maxdepth 3 -name wp-load.php -print -quit)")
[ -e "$code/wp-load.php" ] ||
    fail "The source of the site's files ($source) has no wp-load.php in its first directories: it is not WordPress." \
        "Correct it in the settings."

# files [ACTION...]: find(1) over all files but wp-config.php, which the next step writes.
files() {
    find "$links" . ! -type d ! -path ./wp-config.php "$@"
}
# root has created it if an address was banned before (components/fail2ban)
install -d -o www-data -g www-data "$state"
as_www_data mkdir -p "$ROOT/wp-content/uploads"
as_www_data touch "$state/copying"
cd "$code"
# The files are small and each costs several round trips on the volume: many are copied at a time, and as www-data, so
# that they need no change of owner afterwards.
find "$links" . -type d -print0 | sort -z | (cd "$ROOT" && as_www_data xargs -0 mkdir -p)
# Copied by tar(1), because cp(1) looks for every file before it creates it. The records are so large that most files
# are written in one piece.
# shellcheck disable=SC2016 # the variables are those of the shell that xargs starts
files -print0 | as_www_data env ROOT="$ROOT" PACK="$pack" UNPACK="$unpack" xargs -0 -P 8 -n 100 bash -o pipefail -c '
    tar --create --blocking-factor=256 "$PACK" -- "$@" |
        tar --extract --blocking-factor=256 --no-same-owner "$UNPACK" --directory "$ROOT"
' bash

missing=$(comm -23 <(files | sort) <(cd "$ROOT" && find . ! -type d | sort))
[ -z "$missing" ] || fail "These files did not arrive in $ROOT; run this again: ${missing:0:500}"
echo "$source" | as_www_data tee "$state/code" >/dev/null
as_www_data rm "$state/copying"
rm -f "$IMPORT"
