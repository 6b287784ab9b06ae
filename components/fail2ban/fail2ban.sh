#!/bin/bash
# Hits told to every node, fail2ban that counts them, and bans that every node holds: the texts of this directory, by
# their names. Empty NGINX_HITS: no nginx here, and so no hits of its own. Empty NGINX_REFUSE and VCL: visitors connect
# to this machine themselves, and the packet filter is enough. A service is restarted only when something of its own
# changed.
set -euo pipefail

lib=/usr/local/lib/ha-wordpress
units=/etc/systemd/system
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/before"

# changed TEXT MODE FILE: writes the file, keeps what was there, and says whether it was another; no text: no file
changed() {
    if [ -z "$1" ]; then
        [ -e "$3" ] || return 1
        cp --parents "$3" "$work/before"
        rm "$3"
        return
    fi
    if printf '%s' "$1" | cmp -s - "$3"; then
        return 1
    fi
    mkdir -p "$(dirname "$3")"
    [ ! -e "$3" ] || cp --parents "$3" "$work/before"
    new+=("$3")
    install -m "$2" /dev/null "$3"
    printf '%s' "$1" >"$3"
}

# quietly COMMAND...: when it fails, what it says is told and the files are put back: a service that is started again
# must not meet what its own check refused
new=()
quietly() {
    local output
    output=$("$@" 2>&1) || {
        echo "$output" >&2
        rm -f "${new[@]}"
        cp --recursive --no-target-directory "$work/before" /
        exit 1
    }
}

changed "$TMPFILES" 644 /etc/tmpfiles.d/ha-wordpress.conf || true
systemd-tmpfiles --create /etc/tmpfiles.d/ha-wordpress.conf

changed "$LIVE" 644 "$lib/bans-live.awk" || true
changed "$APPLY" 755 "$lib/bans-apply" || true
changed "$SHARE" 755 "$lib/bans-share" || true
changed "$BAN" 755 "$lib/ban" || true
changed "$UNBANNED" 755 "$lib/unbanned" || true
changed "$UNBAN" 755 /usr/local/sbin/unban || true
changed "$APPLY_SERVICE" 644 "$units/bans-apply.service" && reload_units=yes
changed "$SHARE_SERVICE" 644 "$units/bans-share.service" && reload_units=yes
changed "$TIMER" 644 "$units/bans.timer" && reload_units=yes
changed "$RESTART" 644 "$units/fail2ban.service.d/ha-wordpress.conf" && reload_units=yes
[ -z "${reload_units-}" ] || systemctl daemon-reload
# with what is known already, before anybody else is let in
systemctl start bans-apply.service

changed "$RSYSLOG" 644 /etc/rsyslog.d/ha-wordpress.conf && restart_rsyslog=yes
changed "$LOGROTATE" 644 /etc/logrotate.d/ha-wordpress || true
quietly rsyslogd -N1

changed "$FILTER" 644 /etc/fail2ban/filter.d/ha-wordpress.conf && restart_fail2ban=yes
changed "$ACTION" 644 /etc/fail2ban/action.d/ha-wordpress.conf && restart_fail2ban=yes
changed "$JAIL" 644 /etc/fail2ban/jail.d/ha-wordpress.local && restart_fail2ban=yes
changed "$FAIL2BAN" 644 /etc/fail2ban/fail2ban.d/ha-wordpress.local && restart_fail2ban=yes
quietly fail2ban-client --test

changed "$NGINX_REFUSE" 644 /etc/nginx/ha-wordpress.d/refuse.conf && reload_nginx=yes
changed "$NGINX_HITS" 644 /etc/nginx/conf.d/hits.conf && reload_nginx=yes
[ -z "${reload_nginx-}" ] || quietly nginx -tq

if [ -n "$VCL" ] && changed "$VCL" 644 /etc/varnish/ha-wordpress/bans.vcl; then
    reload_varnish=yes
fi

for unit in bans-apply.service bans.timer rsyslog.service fail2ban.service; do
    systemctl is-enabled --quiet "$unit" || systemctl enable --quiet "$unit"
done
[ -z "${restart_rsyslog-}" ] || systemctl restart rsyslog
[ -z "${restart_fail2ban-}" ] || systemctl restart fail2ban
systemctl start rsyslog fail2ban bans.timer
# not started: each is another step's
[ -z "${reload_nginx-}" ] || ! systemctl is-active --quiet nginx || quietly systemctl reload nginx
[ -z "${reload_varnish-}" ] || ! systemctl is-active --quiet varnish || quietly systemctl reload varnish

# first what costs little, as it is asked again and again
works() {
    [ -S /run/fail2ban/fail2ban.sock ] && nft list set inet ha-wordpress banned4 &&
        ss --no-header --listening --tcp "sport = :$PORT" | grep -q . &&
        ss --no-header --listening --udp "sport = :$PORT" | grep -q . &&
        fail2ban-client status wordpress && fail2ban-client status sshd
}
end=$((SECONDS + 30))
until output=$(works 2>&1); do
    if [ "$SECONDS" -ge "$end" ]; then
        echo "Hits are not counted, or bans not applied: $output" >&2
        journalctl --no-pager --lines=20 --unit=fail2ban --unit=rsyslog --unit=bans-apply >&2
        exit 1
    fi
    sleep 0.2
done
