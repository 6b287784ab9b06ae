#!/bin/bash
# Runs WordPress's timed work on this machine, by the systemd units SERVICE and TIMER.
set -euo pipefail

printf '%s' "$SERVICE" >/etc/systemd/system/wordpress-cron.service
printf '%s' "$TIMER" >/etc/systemd/system/wordpress-cron.timer
systemctl daemon-reload
systemctl enable --quiet --now wordpress-cron.timer
systemctl is-active --quiet wordpress-cron.timer
