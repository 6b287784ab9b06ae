#!/bin/bash
# Puts WordPress's code into ROOT, once: from the local tar archive IMPORT with the sum IMPORT_SHA256, or from the
# archive at ARCHIVE_URL with the sum ARCHIVE_SHA256, or from Debian's package. A copy that was interrupted goes on;
# a site that is there is left alone.
set -euo pipefail

state=$ROOT/.ha-wordpress
source=debian
[ -z "$ARCHIVE_URL" ] || source="archive $ARCHIVE_SHA256"
[ -z "$IMPORT" ] || source="import $IMPORT_SHA256"

if [ -e "$state/code" ]; then
    if [ -n "$IMPORT" ] && [ "$(cat "$state/code")" != "$source" ]; then
        echo "site.import.files: $ROOT holds a site already ($(cat "$state/code")); take the setting out." >&2
        exit 1
    fi
    rm -f "$IMPORT"
    # root's where the site's files were moved in (components/migrate); the bans beside it stay root's alone
    chown www-data:www-data "$state" "$state/code"
    exit 0
fi
if [ ! -e "$state/copying" ] && [ -e "$ROOT/wp-load.php" ]; then
    echo "$ROOT holds a site that this program did not put there, and was left as it is." >&2
    exit 1
fi

# The files are small and each costs several round trips on the volume: many at a time, and as www-data, so that they
# need no change of owner afterwards.
www() {
    setpriv --reuid www-data --regid www-data --clear-groups "$@"
}

work=$(mktemp -d)
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
        if ! sha256sum --check --status <<<"$ARCHIVE_SHA256  $work.tar.gz"; then
            echo "What $ARCHIVE_URL gives has not the sum $ARCHIVE_SHA256; nothing was taken from it." >&2
            exit 1
        fi
        tar --extract --file "$work.tar.gz" --directory "$work" --no-same-owner
        ;;
    *)
        # its links lead into other packages
        links=-L
        pack=--dereference
        unpack=--touch
        ln -s /usr/share/wordpress "$work/wordpress"
        ;;
esac
chown -Rh www-data:www-data "$work"
code=$(dirname "$(find -L "$work" -maxdepth 3 -name wp-load.php -print -quit)")
if [ ! -e "$code/wp-load.php" ]; then
    echo "The source of the site's files ($source) has no wp-load.php within its first directories: not WordPress." >&2
    exit 1
fi

# without wp-config.php: ours is written by the next step, and nobody else's is wanted
files() {
    find "$links" . ! -type d ! -path ./wp-config.php "$@"
}
# root has made it where somebody was banned before (components/fail2ban)
install -d -o www-data -g www-data "$state"
www mkdir -p "$ROOT/wp-content/uploads"
www touch "$state/copying"
cd "$code"
find "$links" . -type d -print0 | sort -z | (cd "$ROOT" && www xargs -0 mkdir -p)
# not cp(1), which asks for every file before it makes it; records so large that most files are written in one piece
# shellcheck disable=SC2016 # the variables are those of the shell that xargs starts
files -print0 | www env ROOT="$ROOT" PACK="$pack" UNPACK="$unpack" xargs -0 -P 8 -n 100 bash -o pipefail -c '
    tar --create --blocking-factor=256 "$PACK" -- "$@" |
        tar --extract --blocking-factor=256 --no-same-owner "$UNPACK" --directory "$ROOT"
' bash

missing=$(comm -23 <(files | sort) <(cd "$ROOT" && find . ! -type d | sort))
if [ -n "$missing" ]; then
    echo "These files did not arrive in $ROOT:" "${missing:0:500}" >&2
    exit 1
fi
echo "$source" | www tee "$state/code" >/dev/null
www rm "$state/copying"
rm -f "$IMPORT"
