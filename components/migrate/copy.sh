#!/bin/bash
# Makes TARGET, a directory on a mounted volume, equal to the directory SOURCE, with owners, modes, times, links and
# extended attributes. Prints what differs afterwards, compared by checksum, a path a line: what changed meanwhile.
# CHECK, where it is set, even to nothing: of the files that an earlier run has copied, only these paths, one a line,
# are compared by checksum, and the others by size and time.
# It goes on where it was interrupted, and refuses a TARGET with files that it did not bring. What was changed on the
# volume in between is not lost: files newer by 2 s or more stay and are printed, others are kept in
# .ha-wordpress/replaced.
set -euo pipefail

fail() {
    echo "$1" >&2
    exit 1
}

[ -d "$SOURCE" ] && [ ! -L "$SOURCE" ] || fail "$SOURCE is not a directory of this machine."
[[ $TARGET/ != "$SOURCE"/* ]] || fail "$TARGET is inside of $SOURCE itself."
[ "$(findmnt --noheadings --output FSTYPE --target "$TARGET")" = fuse.glusterfs ] ||
    fail "$TARGET is not on a GlusterFS volume."

state=$TARGET/.ha-wordpress
origin="moved from $(hostname):$SOURCE"
if [ "$(cat "$state/copying" 2>/dev/null || true)" != "$origin" ]; then
    found=$(find "$TARGET" -mindepth 1 -path "$state" -prune -o -print -quit)
    [ -z "$found" ] || fail "The volume holds files that $SOURCE did not bring, such as $found. Nothing was changed."
    mkdir -p "$state"
    echo "$origin" >"$state/copying"
fi

# Labels of SELinux and attributes of a brick are a machine's own. 24: a file went away before its turn.
# -1 compares times by the nanosecond. By default rsync compares the seconds only, and takes a file for unchanged that
# was written again within one second to the same size (rsync(1), --modify-window; since 3.1.3). GlusterFS keeps the
# nanoseconds; on a TARGET that rounds them, every file would be printed.
tree() {
    rsync --archive --hard-links --acls --xattrs --sparse --numeric-ids --8-bit-output --modify-window=-1 \
        --filter='-x system.*' --filter='-x trusted.*' --filter='-x security.selinux' \
        --delete --exclude=/.ha-wordpress --ignore-missing-args "$@" "$SOURCE/" "$TARGET/" || [ $? -eq 24 ]
}
# with that window, --update leaves a file on the volume only if it is newer by 2 s (generator.c of rsync 3.2.7)
copy() {
    tree --update --partial-dir="$state/partial" --backup --backup-dir=.ha-wordpress/replaced "$@" ||
        fail "$SOURCE was not copied. Where an operation is not supported: a volume takes access control lists only when
it is mounted with acl, and file capabilities never; setfacl --remove-all and setcap -r take them off."
}
# a line is what differs (rsync(1), --itemize-changes), and the path
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
    copy --checksum --files-from=<(suspects)
    {
        differing
        differing --checksum --files-from=<(suspects)
    } | sort -u
fi
rm -rf "$state/partial"
