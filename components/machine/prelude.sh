#!/bin/bash
# Functions for the steps: remote.py puts this text in front of every step's script. By itself it only sets the
# variables of what an earlier run left pending. It leaves standard input, which carries a step's secrets, to the script.
set -euo pipefail

# the files that this step has replaced: path, mode and old content of each, and the VARIABLE that it was written for;
# the mode of a new file is empty
replaced=()
# Holds a file named VARIABLE from before a service's file changes until the service has loaded it, so that the run after
# one that was killed in between loads it.
pending=/var/lib/ha-wordpress/pending
# the variables that this step has made pending
made_pending=()

# fail LINE...: prints the lines on standard error and ends the step as failed.
fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

# fail_with_journal MESSAGE UNIT...: fails with the message and the last 20 lines that the units have logged.
fail_with_journal() {
    local message=$1
    shift
    fail "$message" "$(journalctl --no-pager --lines=20 "${@/#/--unit=}" 2>&1)"
}

# wait_until SECONDS COMMAND...: repeats the command until it succeeds; returns 1 if it does not in that time.
wait_until() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.2
    done
}

# set_pending VARIABLE: sets VARIABLE to yes, in this run and in every later one until `apply VARIABLE` has succeeded.
set_pending() {
    printf -v "$1" yes
    [ ! -e "$pending/$1" ] || return 0
    made_pending+=("$1")
    mkdir -p "$pending"
    : >"$pending/$1"
}

# remember FILE [VARIABLE]: keeps the file's content and mode for run_or_undo; sets VARIABLE pending, as the caller is
# about to change the file.
remember() {
    local mode='' content=''
    if [ -e "$1" ]; then
        mode=$(stat --format=%a "$1")
        # the full stop protects newlines at the end, which $() would cut off
        content=$(cat "$1" && echo .)
    fi
    replaced+=("$1" "$mode" "$content" "${2-}")
    [ -z "${2-}" ] || set_pending "$2"
}

# write_if_changed FILE MODE TEXT [VARIABLE]: writes the text unless the file holds it; sets VARIABLE pending if it
# writes.
write_if_changed() {
    if printf '%s' "$3" | cmp -s - "$1"; then
        return
    fi
    remember "$1" "${4-}"
    mkdir -p "$(dirname "$1")"
    printf '%s' "$3" | install --mode="$2" /dev/stdin "$1.new"
    mv "$1.new" "$1"
}

# apply VARIABLE COMMAND...: if VARIABLE is pending, runs the command, which puts in force what was written for it.
# Afterwards run_or_undo does not put those files back.
apply() {
    local variable=$1 files=("${replaced[@]}")
    shift
    [ -n "${!variable-}" ] || return 0
    "$@"
    replaced=()
    set -- "${files[@]}"
    while [ $# -gt 0 ]; do
        [ "$4" = "$variable" ] || replaced+=("${@:1:4}")
        shift 4
    done
    rm -f "$pending/$variable"
    unset -v "$variable"
}

# run_or_undo COMMAND...: runs a check of what this step wrote. If it fails, puts the files back, so that a service that
# starts again later does not read what was refused, and fails with the command's output. What this step made pending is
# then not pending any more; what an earlier run left pending still is.
run_or_undo() {
    local output variable
    if output=$("$@" 2>&1); then
        return
    fi
    set -- "${replaced[@]}"
    while [ $# -gt 0 ]; do
        if [ -n "$2" ]; then
            printf '%s' "${3%.}" | install --mode="$2" /dev/stdin "$1"
        else
            rm -f "$1"
        fi
        shift 4
    done
    for variable in "${made_pending[@]}"; do
        rm -f "$pending/$variable"
    done
    fail "$output"
}

# enable_units UNIT...: enables each unit that is not enabled; it asks first, as enabling a service takes a second or
# two on a system with SysV scripts.
enable_units() {
    local unit
    for unit; do
        systemctl is-enabled --quiet "$unit" || systemctl enable --quiet "$unit"
    done
}

# set_fstab_line MOUNTPOINT LINE: makes LINE the only entry for MOUNTPOINT in /etc/fstab. Creates the directory
# MOUNTPOINT; while nothing is mounted there, no file can be created in it.
set_fstab_line() {
    if grep -qxF "$2" /etc/fstab; then
        return
    fi
    # before the line is written, as systemd may mount from then on
    mkdir -p "$1"
    mountpoint --quiet "$1" || chattr +i "$1"
    # a command of its own, because an error of awk inside the next command's argument would not end the step
    local others
    others=$(awk -v mount="$1" '$2 != mount' /etc/fstab)
    write_if_changed /etc/fstab 644 "$others"$'\n'"$2"$'\n'
}

# is_glusterfs_mount PATH: whether a GlusterFS volume is mounted at PATH.
is_glusterfs_mount() {
    [ "$(findmnt --noheadings --output FSTYPE --mountpoint "$1")" = fuse.glusterfs ]
}

# retry_connections_soon: sets the kernel to give up an unanswered connection after 15 s instead of 127 s
# (tcp(7), tcp_syn_retries). GlusterFS tries again only then: a brick that was away for a minute was used again half a
# minute after its return.
retry_connections_soon() {
    local file=/etc/sysctl.d/ha-wordpress.conf
    write_if_changed "$file" 644 'net.ipv4.tcp_syn_retries = 3
' reload_sysctl
    apply reload_sysctl sysctl --quiet --load "$file"
}

# as_www_data COMMAND...: runs the command as the web server's user.
as_www_data() {
    setpriv --reuid www-data --regid www-data --clear-groups "$@"
}

# confined DIRECTORY READABLE COMMAND...: runs the command as root where only DIRECTORY, which it can write, and READABLE
# and /usr, which it can read, exist, under their own names. DIRECTORY may belong to a hostile user: a link that is
# planted there leads nowhere else. No other user may be able to replace DIRECTORY itself.
confined() {
    # shellcheck disable=SC2016 # the variables are those of the shell that unshare starts
    unshare --mount bash -euc '
        root=/run/ha-wordpress/confined
        mkdir -p "$root"
        mount -t tmpfs -o mode=755 tmpfs "$root"
        ln -s usr/bin usr/sbin usr/lib usr/lib64 "$root"
        for readable in /usr "$2"; do
            mkdir -p "$root$readable"
            mount --rbind -o ro "$readable" "$root$readable"
        done
        mkdir -p "$root$1"
        mount --rbind "$1" "$root$1"
        shift 2
        exec chroot "$root" "$@"
    ' bash "$@"
}

# http_status URL: prints the HTTP status, 000 if no answer arrives within 5 s.
http_status() {
    curl --silent --output /dev/null --write-out '%{http_code}' --max-time 5 "$1" || true
}

# run_script TEXT: runs another script in a shell of its own, which has the functions of this one.
run_script() {
    bash -c "$(declare -p pending && declare -f)"$'\n'"$1"
}

for variable in "$pending"/*; do
    [ ! -e "$variable" ] || printf -v "${variable##*/}" yes
done
unset variable
