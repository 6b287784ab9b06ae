#!/bin/bash
# Loads RULES, the text of an nftables file, now and at every boot. UNIT: text of the systemd unit that loads it.
# AFTER_NFTABLES: text of a drop-in of nftables.service.
set -euo pipefail

unit=ha-wordpress-ports.service
file=/etc/ha-wordpress/ports.nft
write_if_changed "$file" 644 "$RULES"
run_or_undo nft --check --file "$file"
# shellcheck disable=SC2153 # a parameter
write_if_changed "/etc/systemd/system/$unit" 644 "$UNIT"
write_if_changed /etc/systemd/system/nftables.service.d/ha-wordpress.conf 644 "$AFTER_NFTABLES"
systemctl daemon-reload
enable_units "$unit"
# also when no file has changed: an earlier run may have ended before this line, and equal rules change nothing
systemctl reload-or-restart "$unit" || fail_with_journal "The firewall's rules could not be loaded:" "$unit"
nft list table inet ha-wordpress-ports >/dev/null
