#!/bin/bash
# Gives this machine the key KEY (from standard input), its CERTIFICATE and the certificate of the AUTHORITY that signed
# it. glusterd and its clients speak TLS if they find the file secure-access when they start. On a machine of a pool
# without TLS the step does not make that file, and prints a line.
set -euo pipefail

eval "$(cat)"
enabled=/var/lib/glusterd/secure-access

write_if_changed /etc/ssl/glusterfs.key 600 "$KEY"
write_if_changed /etc/ssl/glusterfs.pem 644 "$CERTIFICATE"
write_if_changed /etc/ssl/glusterfs.ca 644 "$AUTHORITY"
# GlusterFS 10 looks in OpenSSL's own directory (https://github.com/gluster/glusterfs/issues/3234): Debian's, or EL's
for directory in /usr/lib/ssl /etc/pki/tls; do
    [ ! -d "$directory" ] || ln -sfn /etc/ssl/glusterfs.{key,pem,ca} "$directory/"
done
[ ! -e "$enabled" ] || exit 0

if grep -qs '[[:space:]]glusterfs[[:space:]]' /etc/fstab || compgen -G '/var/lib/glusterd/peers/*' >/dev/null; then
    echo "storage traffic stays unencrypted, because this machine's volume was made without TLS;" \
        "docs/operations.md, \"Encrypted storage traffic\", has the steps that change it"
    exit 0
fi
# the package may have started glusterd without TLS; its own step starts it again
if systemctl is-active --quiet glusterd; then
    systemctl stop glusterd
fi
mkdir -p "${enabled%/*}"
touch "$enabled"
