#!/bin/bash
# Upgrades and reboots this node by PROGRAM, when TIMER says. CHECK, DRAIN: the scripts of roll/ that it runs. LOCK: the
# program that takes the site's lock. SERVICE, RETURN, TIMER: texts of the systemd units. From then on Debian's timer
# upgrades nothing.
set -euo pipefail

lib=/usr/local/lib/ha-wordpress
units=/etc/systemd/system

write_if_changed "$lib/site-maintenance-check" 755 "$CHECK"
write_if_changed "$lib/site-maintenance-drain" 755 "$DRAIN"
write_if_changed "$lib/site-maintenance-lock" 755 "$LOCK"
write_if_changed "$lib/site-maintenance" 755 "$PROGRAM"
write_if_changed "$units/site-maintenance.service" 644 "$SERVICE" MAINTENANCE_UNITS
write_if_changed "$units/site-maintenance-return.service" 644 "$RETURN" MAINTENANCE_UNITS
write_if_changed "$units/site-maintenance.timer" 644 "$TIMER" MAINTENANCE_UNITS
restart_timer() {
    systemctl daemon-reload
    systemctl restart site-maintenance.timer
}
apply MAINTENANCE_UNITS restart_timer
enable_units site-maintenance.timer site-maintenance-return.service
systemctl disable --quiet --now apt-daily-upgrade.timer
systemctl start site-maintenance.timer
systemctl is-active --quiet site-maintenance.timer
