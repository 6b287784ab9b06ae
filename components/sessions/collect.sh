#!/bin/bash
# Removes the sessions that have not been used for their lifetime.
set -euo pipefail

# Every server runs this every half an hour, so that it does not depend on any one of them. One server at a time holds
# the lock, for the whole volume; the volume releases it when that server is lost. The file's time shows when it last
# ran.
exec 9>>@SESSIONS@/collected
flock --nonblock 9 || exit 0
[ ! -s @SESSIONS@/collected ] || [ -n "$(find @SESSIONS@/collected -mmin +20)" ] || exit 0
find @SESSIONS@ -mindepth 1 -maxdepth 1 -type f -name 'sess_*' -not -newermt '@LIFETIME@ seconds ago' -delete
date --utc >@SESSIONS@/collected
