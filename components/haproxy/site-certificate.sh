#!/bin/bash
# Keeps a certificate of @DOMAIN@ in HAProxy: obtains the first one by ACME, and the next one in the last 30 days of
# each. Until there is a new one, HAProxy goes on with the one that it has. uacme calls this script too, as its hook.
set -euo pipefail
umask 077

# uacme asks which challenge to take: HAProxy answers all of type http-01, at any time
[ $# -eq 0 ] || exec test "$2" = http-01

home=@HOME@
certificate=$home/@DOMAIN@/cert.pem
served=/etc/haproxy/site.pem
asked=$home/asked

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

# challenge_at HOST TOKEN: prints the answer of a host to a challenge. Like the authority, it follows redirects and checks
# no certificate.
challenge_at() {
    curl --silent --show-error --location --insecure --proto '=http,https' --max-time 10 \
        "http://$1/.well-known/acme-challenge/$2" 2>&1
}

# check_domain: fails unless @DOMAIN@ leads to this site: it has the virtual IP, which a machine of some networks cannot
# reach itself, or a challenge that goes through a proxy there is answered. An authority refuses a name after a few
# failures, Let's Encrypt after five in an hour (https://letsencrypt.org/docs/rate-limits/).
check_domain() {
    local token own answer
    [[ $(getent ahostsv4 @DOMAIN@) != '@ADDRESS@ '* ]] || return 0
    token=$(openssl rand -hex 16)
    own=$(challenge_at 127.0.0.1 "$token") || fail "HAProxy does not answer on this machine: $own"
    answer=$(challenge_at @DOMAIN@ "$token") || true
    [ "$answer" = "$own" ] || fail \
        "The authority was not asked for a certificate, as http://@DOMAIN@ does not lead to this site's balancers." \
        "Point the domain's DNS record at @ADDRESS@. The answer was: ${answer:0:200}"
}

# obtain: asks the authority, at most twice in an hour, as each balancer does so for itself.
obtain() {
    local uacme=(uacme --confdir "$home" --acme-url @DIRECTORY@ --hook "$0" --yes)
    [ -z "$(find "$asked" -mmin -30 2>/dev/null)" ] ||
        fail "The authority gave no certificate when it was asked in the last 30 minutes; the journal has its reason." \
            "It is asked again 30 minutes later, or at once if you remove the file $asked."
    # the second update succeeds where another balancer has registered the account in the same moment
    "${uacme[@]}" update @EMAIL@ 2>/dev/null || "${uacme[@]}" new @EMAIL@ || "${uacme[@]}" update @EMAIL@
    touch "$asked"
    "${uacme[@]}" --type EC --force issue @DOMAIN@
    rm "$asked"
}

fingerprint() {
    openssl x509 -noout -fingerprint -sha256
}

in_force() {
    local shown
    shown=$(openssl s_client -connect 127.0.0.1:443 -servername @DOMAIN@ </dev/null 2>/dev/null | fingerprint) || return 1
    [ "$shown" = "$(fingerprint <"$certificate")" ]
}

openssl x509 -checkend $((30 * 86400)) -noout -in "$certificate" >/dev/null 2>&1 || {
    check_domain
    obtain
}
in_force && exit
trap 'rm -f "$served.new"' EXIT
cat "$certificate" "$home/private/@DOMAIN@/key.pem" >"$served.new"
haproxy -c -f <(sed "s#$served#$served.new#" /etc/haproxy/haproxy.cfg) >/dev/null
mv "$served.new" "$served"
# HAProxy loses a signal that arrives while it still loads
for attempt in {1..5}; do
    systemctl reload haproxy || true
    for _ in {1..15}; do
        in_force && exit
        sleep 0.2
    done
done
fail "HAProxy does not serve the certificate in $served after $attempt reloads."
