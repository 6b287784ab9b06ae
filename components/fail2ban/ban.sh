#!/bin/bash
# ban ADDRESS START SECONDS: bans an address on every node until SECONDS after START; given by fail2ban (action.conf).
set -euo pipefail
export LC_ALL=C
: >"/var/lib/ha-wordpress/bans/banned,$1,$((${2%.*} + ${3%.*})),${EPOCHREALTIME/./}"
systemctl start --no-block bans-apply.service
