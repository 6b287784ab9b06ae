#!/bin/bash
# Varnish and its log, with the rules that vcl.sh has written. UNIT and LOG_UNIT: drop-ins of the two services. RESTART:
# a drop-in of both. LOG_FORMAT: format of the log. LOGROTATE: how it is rotated. Only a changed command line restarts
# Varnish.
set -euo pipefail

directory=/etc/varnish/ha-wordpress
units=/etc/systemd/system
write_if_changed "$units/varnish.service.d/ha-wordpress.conf" 644 "$UNIT"
write_if_changed "$units/varnishncsa.service.d/ha-wordpress.conf" 644 "$LOG_UNIT"
for service in varnish varnishncsa; do
    write_if_changed "$units/$service.service.d/restart.conf" 644 "$RESTART"
done
write_if_changed "$directory/log.format" 644 "$LOG_FORMAT"
write_if_changed /etc/logrotate.d/varnish 644 "$LOGROTATE"
systemctl daemon-reload
enable_units varnish varnishncsa

# runs_as_configured SERVICE: whether it runs with the command line of its unit.
runs_as_configured() {
    local pid
    pid=$(systemctl show --property=MainPID --value "$1")
    [ "$pid" != 0 ] &&
        [[ $(systemctl show --property=ExecStart "$1") == *" argv[]=$(tr '\0' ' ' <"/proc/$pid/cmdline"); "* ]]
}
health=http://127.0.0.1/healthz
# 503 is accepted, as another step mounts the site's files
serves() {
    runs_as_configured varnish && runs_as_configured varnishncsa && [[ $(http_status "$health") =~ ^(200|503)$ ]]
}

# a start that fails is reported below, with Varnish's log; varnishncsa waits for Varnish, for as long as it takes
runs_as_configured varnish || systemctl restart varnish 2>/dev/null || true
runs_as_configured varnishncsa || systemctl restart --no-block varnishncsa
wait_until 40 serves || fail_with_journal "Varnish does not serve with $directory/site.vcl: \
$health answers $(http_status "$health"). These listen on port 80:
$(ss --no-header --tcp --listening --numeric --processes 'sport = :80')" varnish varnishncsa
