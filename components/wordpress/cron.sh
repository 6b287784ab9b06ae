#!/bin/bash
# Runs WordPress's scheduled tasks on this machine, while no other machine runs them. SERVICE and TIMER: texts of the
# systemd units.
set -euo pipefail

write_if_changed /etc/systemd/system/wordpress-cron.service 644 "$SERVICE"
write_if_changed /etc/systemd/system/wordpress-cron.timer 644 "$TIMER"
systemctl daemon-reload
systemctl enable --quiet --now wordpress-cron.timer
systemctl is-active --quiet wordpress-cron.timer
