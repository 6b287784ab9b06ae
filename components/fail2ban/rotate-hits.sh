#!/bin/bash
# Renames the hit log and makes a new one. rsyslog runs this when the log has reached its size (rsyslog.conf).
set -euo pipefail
cd /var/log/ha-wordpress
mv -f hits.log hits.log.1
install --mode=640 --group=adm /dev/null hits.log
