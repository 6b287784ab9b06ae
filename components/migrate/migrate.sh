#!/bin/bash
# Copies the content of the directory SOURCE into TARGET, a directory on a mounted volume, once. COPY: the text of
# copy.sh. With ASIDE=yes the old tree is then renamed to SOURCE.orig-<date>.
set -euo pipefail

state=$TARGET/.ha-wordpress
origin="moved from $(hostname):$SOURCE"

# the site's own user can write in TARGET
on_volume() {
    confined "$TARGET" /usr "$@"
}

moved() {
    [ "$(on_volume head -n 1 "$state/code" 2>/dev/null)" = "$origin" ]
}

if ! moved; then
    for pass in 1 2 3; do
        differs=$(run_script "$COPY")
        [ -n "$differs" ] || break
    done
    [ -z "$differs" ] || fail \
        "After $pass passes these are not the same in $SOURCE and $TARGET: they change, or are newer there." \
        "$(head -n 20 <<<"$differs")" \
        "Nothing was renamed. Stop what writes to them, and run this again: it resumes."
    on_volume mv --no-target-directory "$state/copying" "$state/code"
fi

# shellcheck disable=SC2153 # a parameter
if [ "$ASIDE" = yes ] && [ -e "$SOURCE" ] && ! compgen -G "$SOURCE.orig-????-??-??-??????" >/dev/null; then
    mv --no-target-directory "$SOURCE" "$SOURCE.orig-$(date +%F-%H%M%S)"
fi
