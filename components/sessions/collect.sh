#!/bin/bash
# Removes the sessions that nobody has used for their lifetime.
set -euo pipefail

# Every server comes here every half an hour, so that it is done whichever of them are there. The lock is held for the
# whole volume by one of them, and falls when that one is lost; the file's time tells the next that it was done.
exec 9>>@SESSIONS@/collected
flock --nonblock 9 || exit 0
[ ! -s @SESSIONS@/collected ] || [ -n "$(find @SESSIONS@/collected -mmin +20)" ] || exit 0
find @SESSIONS@ -mindepth 1 -maxdepth 1 -type f -name 'sess_*' -not -newermt '@LIFETIME@ seconds ago' -delete
date --utc >@SESSIONS@/collected
