#!/bin/bash
# Copies WordPress's code into ROOT, once: from the local tar archive IMPORT with the checksum IMPORT_SHA256, from the
# archive at ARCHIVE_URL with the checksum ARCHIVE_SHA256, or from Debian's package. It resumes a copy that was
# interrupted, and does not change a site that is there. HTACCESS: the text of htaccess.sh, which uses ACCEPTED.
# www-data could make any name in ROOT a link: only www-data itself works there.
set -euo pipefail

state=$ROOT/.ha-wordpress
source=debian
[ -z "$ARCHIVE_URL" ] || source="archive $ARCHIVE_SHA256"
[ -z "$IMPORT" ] || source="import $IMPORT_SHA256"

# make_state: makes $state a directory of www-data.
make_state() {
    as_www_data mkdir -p "$state" || true
    # Root has created it if an address was banned before (components/fail2ban). $PWD is the directory's path without
    # links: it and its content prove that it is not another directory of root's.
    (cd -P "$state" && [ "$PWD" = "$(realpath "$ROOT")/.ha-wordpress" ] && [ -O . ] &&
        [ -z "$(find . -mindepth 1 ! -path './bans*' -print -quit)" ] && chown www-data:www-data .) 2>/dev/null || true
    [ "$(stat --format '%F %U' "$state")" = "directory www-data" ] ||
        fail "$state is not a directory of www-data. Nothing was changed." "Move it elsewhere, and run this again."
}

if [ -e "$state/code" ]; then
    other=$(as_www_data cat "$state/code")
    [ -z "$IMPORT" ] || [ "$other" = "$source" ] ||
        fail "site.import.files: $ROOT holds a site already ($other). Nothing was changed." "Remove the setting."
    rm -f "$IMPORT"
    make_state
    exit 0
fi
if [ ! -e "$state/copying" ] && [ -e "$ROOT/wp-load.php" ]; then
    fail "$ROOT holds a site that this program did not put there. Nothing was changed." \
        "Move it elsewhere, and run this again; site.import.files brings a site in."
fi

download=$(mktemp --directory)
work=$(as_www_data mktemp --directory)
trap 'rm -rf "$work" "$download"' EXIT
# unpack ARCHIVE: unpacks a tar archive, which gzip may have packed, into $work.
unpack() {
    # with both options, gunzip passes on what gzip has not packed
    gunzip --force --stdout "$1" | as_www_data tar --extract --directory "$work" --same-permissions
}
links=-P
pack=--hard-dereference
keep=--same-permissions
case $source in
    import*)
        unpack "$IMPORT"
        ;;
    archive*)
        curl --silent --show-error --fail --location --max-time 300 --output "$download/archive" "$ARCHIVE_URL"
        sha256sum --check --status <<<"$ARCHIVE_SHA256  $download/archive" ||
            fail "The archive at $ARCHIVE_URL does not have the checksum $ARCHIVE_SHA256. Nothing was unpacked." \
                "Correct the URL or the checksum in the settings."
        unpack "$download/archive"
        ;;
    *)
        # the package's links lead into other packages
        links=-L
        pack=--dereference
        keep=--touch
        as_www_data ln -s /usr/share/wordpress "$work/wordpress"
        ;;
esac
code=$(dirname "$(as_www_data find -L "$work" -maxdepth 3 -name wp-load.php -print -quit)")
[ -e "$code/wp-load.php" ] ||
    fail "The source of the site's files ($source) has no wp-load.php in its first directories: it is not WordPress." \
        "Correct it in the settings."

[ -z "$IMPORT" ] || DIRECTORY=$code run_script "$HTACCESS"

# files [ACTION...]: find(1) over all files but wp-config.php, which the next step writes.
files() {
    as_www_data find "$links" . ! -type d ! -path ./wp-config.php "$@"
}
make_state
as_www_data mkdir -p "$ROOT/wp-content/uploads"
as_www_data touch "$state/copying"
cd "$code"
# The files are small and each costs several round trips on the volume: many are copied at a time, and as www-data, so
# that they need no change of owner afterwards.
as_www_data find "$links" . -type d -print0 | sort -z | (cd "$ROOT" && as_www_data xargs -0 mkdir -p)
# Copied by tar(1), because cp(1) looks for every file before it creates it. The records are so large that most files
# are written in one piece.
# shellcheck disable=SC2016 # the variables are those of the shell that xargs starts
files -print0 | as_www_data env ROOT="$ROOT" PACK="$pack" KEEP="$keep" xargs -0 -P 8 -n 100 bash -o pipefail -c '
    tar --create --blocking-factor=256 "$PACK" -- "$@" |
        tar --extract --blocking-factor=256 --no-same-owner "$KEEP" --directory "$ROOT"
' bash

present() {
    (cd "$ROOT" && as_www_data find . -path ./.ha-wordpress -prune -o ! -type d -print)
}
missing=$(comm -23 <(files | sort) <(present | sort))
[ -z "$missing" ] || fail "These files did not arrive in $ROOT; run this again: ${missing:0:500}"
echo "$source" | as_www_data tee "$state/code" >/dev/null
as_www_data rm "$state/copying"
rm -f "$IMPORT"
