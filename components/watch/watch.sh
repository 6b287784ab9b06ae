#!/bin/bash
# Checks this node by PROGRAM and CHECK, when SERVICE and TIMER say, and mails troubles as MSMTP says. LISTEN: the address
# and port at which Prometheus fetches the figures of the check and of the system. PROGRAM, CHECK, SERVICE, TIMER, MSMTP:
# texts of files. RESTART: a drop-in of the exporter's service, which may start before the machine has its address.
# Secret, on standard input: SMTP_PASSWORD.
set -euo pipefail
eval "$(cat)"

lib=/usr/local/lib/ha-wordpress
units=/etc/systemd/system
etc=/etc/ha-wordpress
exporter=prometheus-node-exporter
command -v msmtp $exporter >/dev/null || {
    # a machine that was made before the settings had alarms
    apt-get update --quiet=2
    DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --no-install-recommends msmtp $exporter >/dev/null
}

write_if_changed "$etc/smtp-password" 600 "$SMTP_PASSWORD"$'\n'
write_if_changed "$etc/msmtp" 600 "$MSMTP"
write_if_changed "$lib/check" 755 "$CHECK"
write_if_changed "$lib/site-watch" 755 "$PROGRAM"
write_if_changed "$units/site-watch.service" 644 "$SERVICE" WATCH_UNITS
write_if_changed "$units/site-watch.timer" 644 "$TIMER" WATCH_UNITS
write_if_changed "$units/$exporter.service.d/ha-wordpress.conf" 644 "$RESTART" WATCH_UNITS
restart_timer() {
    systemctl daemon-reload
    systemctl restart site-watch.timer
}
apply WATCH_UNITS restart_timer
enable_units site-watch.timer
systemctl start site-watch.timer

write_if_changed "/etc/default/$exporter" 644 "ARGS=\"--web.listen-address=$LISTEN\""$'\n' RESTART_EXPORTER
enable_units $exporter.service
apply RESTART_EXPORTER systemctl restart $exporter
systemctl start $exporter

begun=$(date +%s)
# fails while mail waits for its server
systemctl start site-watch 2>/dev/null || true
watched() {
    curl --silent --max-time 5 "http://$LISTEN/metrics" |
        awk -v begun="$begun" '$1 == "ha_wordpress_checked_time_seconds" && $2 >= begun { found = 1 } END { exit !found }'
}
wait_until 30 watched || fail_with_journal "The figures of this node's check are not at http://$LISTEN/metrics:" \
    site-watch $exporter
