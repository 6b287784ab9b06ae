#!/bin/bash
# Makes TARGET, a directory on a mounted volume, equal to the directory SOURCE, with owners, modes, times, links and
# extended attributes. Then compares both by checksum, and prints the paths that differ, one a line: those that changed
# meanwhile. CHECK, if it is set, lists paths, one a line, and may be empty: only these are then compared by checksum,
# and all other files, which an earlier run has copied, by size and time.
# It resumes a copy that was interrupted, and refuses a TARGET with files that it did not copy there. Files that were
# changed on the volume in between are not lost: those newer by 2 s or more stay and are printed, the others are kept in
# .ha-wordpress/replaced.
# Root needs its rights for the owners. As the site's own user can write in TARGET, root works there only confined.
set -euo pipefail

[ -d "$SOURCE" ] && [ ! -L "$SOURCE" ] ||
    fail "$SOURCE is not a directory of this machine. Correct the setting."
[[ $TARGET/ != "$SOURCE"/* ]] ||
    fail "$TARGET is inside of $SOURCE itself. Choose a directory outside of it."
[ "$(findmnt --noheadings --output FSTYPE --target "$TARGET")" = fuse.glusterfs ] ||
    fail "$TARGET is not on a GlusterFS volume. Mount one there, and run this again."

state=$TARGET/.ha-wordpress
origin="moved from $(hostname):$SOURCE"
[ ! -L "$state" ] || fail "$state is a link. Nothing was changed. Remove it, and run this again."

on_volume() {
    confined "$TARGET" "$SOURCE" "$@"
}

if [ "$(on_volume cat "$state/copying" 2>/dev/null || true)" != "$origin" ]; then
    found=$(find "$TARGET" -mindepth 1 -path "$state" -prune -o -print -quit)
    [ -z "$found" ] ||
        fail "The volume holds files that did not come from $SOURCE, such as $found. Nothing was changed." \
            "Move them elsewhere, or choose another directory."
    # shellcheck disable=SC2016 # the variables are those of the confined shell
    on_volume sh -euc '
        mkdir -p "$2"
        chown --no-dereference --reference="$1" "$2"
        rm -f "$2/copying"
        echo "$3" >"$2/copying"
    ' sh "$TARGET" "$state" "$origin"
fi

# Labels of SELinux and attributes of a brick belong to one machine. Status 24: a file vanished before it was copied.
# -1 compares times by the nanosecond. By default rsync compares whole seconds, and misses a file that was rewritten
# with the same size within one second (rsync(1), --modify-window; since 3.1.3). GlusterFS keeps the
# nanoseconds; on a TARGET that rounds them, every file would be printed.
tree() {
    on_volume rsync --archive --hard-links --acls --xattrs --sparse --numeric-ids --8-bit-output --modify-window=-1 \
        --filter='-x system.*' --filter='-x trusted.*' --filter='-x security.selinux' \
        --delete --exclude=/.ha-wordpress --ignore-missing-args "$@" "$SOURCE/" "$TARGET/" || [ $? -eq 24 ]
}
# with that window, --update leaves a file on the volume only if it is newer by 2 s (generator.c of rsync 3.2.7)
copy() {
    tree --update --partial-dir="$state/partial" --backup --backup-dir=.ha-wordpress/replaced "$@" ||
        fail "$SOURCE was not copied. Correct the cause, and run this again: it resumes." \
            "If an operation is not supported: a volume takes access control lists only when it is mounted with acl," \
            "and file capabilities never; setfacl --remove-all and setcap -r remove them."
}
# differing [OPTION...]: prints the paths that differ; rsync(1) prints the kind of each difference first.
differing() {
    tree --dry-run --out-format='%i %n' "$@" | sed -E 's/^[^ ]+ +//'
}

copy
if [ -z "${CHECK+set}" ]; then
    differing --checksum
else
    suspects() {
        sed '/^$/d; s,^,./,' <<<"$CHECK"
    }
    suspects | copy --checksum --files-from=-
    {
        differing
        suspects | differing --checksum --files-from=-
    } | sort -u
fi
on_volume rm -rf "$state/partial"
