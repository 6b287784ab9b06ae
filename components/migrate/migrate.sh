#!/bin/bash
# Copies the content of the directory SOURCE into TARGET, a directory on a mounted volume, once. COPY: the text of
# copy.sh. With ASIDE=yes the old tree is then renamed to SOURCE.orig-<date>.
set -euo pipefail

state=$TARGET/.ha-wordpress
origin="moved from $(hostname):$SOURCE"

# record LINE: prints a line of the record: 1, where the files came from; 2, the new name of the old tree.
record() {
    { sed -n "$1p" "$state/code" || true; } 2>/dev/null
}

if [ "$(record 1)" != "$origin" ]; then
    # copy.sh refuses it unless a volume is mounted there
    mkdir -p "$TARGET"
    for pass in 1 2 3; do
        differs=$(run_script "$COPY")
        [ -n "$differs" ] || break
    done
    [ -z "$differs" ] || fail \
        "After $pass passes these are not the same in $SOURCE and $TARGET: they change, or are newer there." \
        "$(head -n 20 <<<"$differs")" \
        "Nothing was renamed. Stop what writes to them, and run this again: it resumes."
    printf '%s\n%s\n' "$origin" "$SOURCE.orig-$(date +%F-%H%M%S)" >"$state/copying"
    mv "$state/copying" "$state/code"
fi

aside=$(record 2)
# shellcheck disable=SC2153 # a parameter
if [ "$ASIDE" = yes ] && [ ! -e "$aside" ] && [ -e "$SOURCE" ]; then
    mv --no-target-directory "$SOURCE" "$aside"
fi
