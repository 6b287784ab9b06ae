#!/bin/bash
# Moves the directory SOURCE into TARGET, a directory on a mounted volume, once: COPY, the text of copy.sh, copies and
# compares. With ASIDE=yes the old tree is then renamed to SOURCE.orig-<date>.
set -euo pipefail

state=$TARGET/.ha-wordpress
origin="moved from $(hostname):$SOURCE"

# its first line is where the files came from, its second one what the old tree is called
moved() {
    { sed -n "$1p" "$state/code" || true; } 2>/dev/null
}

if [ "$(moved 1)" != "$origin" ]; then
    # mounted, if it is: copy.sh refuses what is not
    mkdir -p "$TARGET"
    for pass in 1 2 3; do
        differs=$(bash -c "$COPY")
        [ -n "$differs" ] || break
    done
    if [ -n "$differs" ]; then
        echo "After $pass passes these are not the same in $SOURCE and $TARGET: they change, or are newer there." >&2
        head -n 20 <<<"$differs" >&2
        echo "Nothing was renamed. Stop what writes to them, and run this again: it goes on from here." >&2
        exit 1
    fi
    printf '%s\n%s\n' "$origin" "$SOURCE.orig-$(date +%F-%H%M%S)" >"$state/copying"
    mv "$state/copying" "$state/code"
fi

aside=$(moved 2)
# shellcheck disable=SC2153 # a parameter
if [ "$ASIDE" = yes ] && [ ! -e "$aside" ] && [ -e "$SOURCE" ]; then
    mv --no-target-directory "$SOURCE" "$aside"
fi
