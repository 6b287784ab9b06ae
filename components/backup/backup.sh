#!/bin/bash
# Backs up the site in ROOT by restic, when TIMER says. SCRIPT, COMMAND, SERVICE, TIMER: texts of the program, of
# the command site-restore and of the systemd units. HOME_DIRECTORY: for the program's files. RESTIC_REPOSITORY,
# AWS_ACCESS_KEY_ID: the repository, which this step makes unless it is there. ACCESS_DELAY: seconds until the access to
# it holds. DB_HOST, DB_NAME, DB_USER: the database. Secrets, on standard input: RESTIC_PASSWORD, AWS_SECRET_ACCESS_KEY,
# DB_PASSWORD. Without AWS_ACCESS_KEY_ID and its secret, restic asks the machine's metadata service for a key.
set -euo pipefail
eval "$(cat)"

program=/usr/local/lib/ha-wordpress/site-backup
units=/etc/systemd/system
secrets=/etc/ha-wordpress/site-backup
command -v restic >/dev/null || {
    # a machine that was made before the settings had backups
    apt-get update --quiet=2
    DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --no-install-recommends restic >/dev/null
}

assignments=$(
    for name in RESTIC_REPOSITORY RESTIC_PASSWORD AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY DB_HOST DB_NAME DB_USER \
        DB_PASSWORD; do
        [ -z "${!name-}" ] || printf '%s=%q\n' "$name" "${!name}"
    done
)
install --directory --mode=700 "$HOME_DIRECTORY"
write_if_changed "$secrets" 600 "$assignments"$'\n'
write_if_changed "$program" 755 "$SCRIPT"
write_if_changed /usr/local/sbin/site-restore 755 "$COMMAND"
open_repository() {
    error=$("$program" open <"$secrets" 2>&1)
}
wait_until "$ACCESS_DELAY" open_repository || fail "$error"
write_if_changed "$units/site-backup.service" 644 "$SERVICE" UNITS
write_if_changed "$units/site-backup.timer" 644 "$TIMER" UNITS
restart_timer() {
    systemctl daemon-reload
    systemctl restart site-backup.timer
}
apply UNITS restart_timer
enable_units site-backup.timer
systemctl start site-backup.timer
systemctl is-active --quiet site-backup.timer
