#!/bin/bash
# Fail2ban: every node sends its hits to the counters, their fail2ban counts them, and every node applies every ban. The
# parameters are the texts of this directory's files (fail2ban.py), PORT, and RESTART, a drop-in of both services.
# NGINX_HITS and NGINX_PATH are empty on a machine without nginx, which has no hits of its own. NGINX_REFUSE and VCL are
# empty where visitors connect to the machine directly: the packet filter is enough there. A service is restarted only if
# one of its own files changed.
set -euo pipefail

lib=/usr/local/lib/ha-wordpress
units=/etc/systemd/system

# write_or_remove FILE TEXT VARIABLE: writes the text if the file differs, or removes the file if the text is empty;
# sets VARIABLE pending if it does either.
write_or_remove() {
    if [ -n "$2" ]; then
        write_if_changed "$1" 644 "$2" "$3"
    elif [ -e "$1" ]; then
        remember "$1" "$3"
        rm "$1"
    fi
}

write_if_changed /etc/tmpfiles.d/ha-wordpress.conf 644 "$TMPFILES"
systemd-tmpfiles --create /etc/tmpfiles.d/ha-wordpress.conf

write_if_changed "$lib/bans-live" 755 "$LIVE"
write_if_changed "$lib/bans-apply" 755 "$APPLY"
write_if_changed "$lib/rotate-hits" 755 "$ROTATE_HITS"
write_if_changed "$lib/bans-share" 755 "$SHARE"
write_if_changed "$lib/ban" 755 "$BAN"
write_if_changed "$lib/unbanned" 755 "$UNBANNED"
write_if_changed /usr/local/sbin/unban 755 "$UNBAN"
write_if_changed "$units/bans-apply.service" 644 "$APPLY_SERVICE"
write_if_changed "$units/bans-share.service" 644 "$SHARE_SERVICE"
write_if_changed "$units/bans.timer" 644 "$TIMER"
for service in fail2ban rsyslog; do
    write_if_changed "$units/$service.service.d/ha-wordpress.conf" 644 "$RESTART"
done
systemctl daemon-reload
# applies the bans that this node knows already, before the services accept clients
systemctl start bans-apply.service

write_if_changed /etc/rsyslog.d/ha-wordpress.conf 644 "$RSYSLOG" restart_rsyslog
write_if_changed /etc/logrotate.d/ha-wordpress 644 "$LOGROTATE"
run_or_undo rsyslogd -N1

write_if_changed /etc/fail2ban/filter.d/ha-wordpress.conf 644 "$FILTER" restart_fail2ban
write_if_changed /etc/fail2ban/action.d/ha-wordpress.conf 644 "$ACTION" restart_fail2ban
write_if_changed /etc/fail2ban/jail.d/ha-wordpress.local 644 "$JAIL" restart_fail2ban
write_if_changed /etc/fail2ban/fail2ban.d/ha-wordpress.local 644 "$FAIL2BAN" restart_fail2ban
run_or_undo fail2ban-client --test

write_or_remove /etc/nginx/ha-wordpress.d/refuse.conf "$NGINX_REFUSE" reload_nginx
write_or_remove /etc/nginx/ha-wordpress.d/path.conf "$NGINX_PATH" reload_nginx
write_or_remove /etc/nginx/conf.d/hits.conf "$NGINX_HITS" reload_nginx
[ -z "${reload_nginx-}" ] || run_or_undo nginx -tq

[ -z "$VCL" ] || write_if_changed /etc/varnish/ha-wordpress/bans.vcl 644 "$VCL" reload_varnish

enable_units bans-apply.service bans.timer rsyslog.service fail2ban.service
apply restart_rsyslog systemctl restart rsyslog
apply restart_fail2ban systemctl restart fail2ban
systemctl start rsyslog fail2ban bans.timer
# only if they run: other steps start them
apply reload_nginx run_or_undo systemctl try-reload-or-restart nginx
apply reload_varnish run_or_undo systemctl try-reload-or-restart varnish

# the cheap checks first, as this is repeated
works() {
    [ -S /run/fail2ban/fail2ban.sock ] && nft list set inet ha-wordpress banned4 &&
        ss --no-header --listening --tcp "sport = :$PORT" | grep -q . &&
        { [ -z "$NGINX_HITS" ] || [ -S /run/ha-wordpress/hits/nginx ]; } &&
        fail2ban-client status | grep -F "flood, missing, scan, sshd, wordpress"
}
wait_until 30 works >/dev/null 2>&1 || fail_with_journal "On this machine hits are not counted, or bans not applied: \
$(works 2>&1)" fail2ban rsyslog bans-apply
