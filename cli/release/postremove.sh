#!/bin/sh
# After the files of a package are gone. The events stay, also when the package is purged: only a
# person removes them.
set -e

[ "$1" != purge ] || rm -f /etc/systemd/system/multi-user.target.wants/cairn.service
[ ! -d /run/systemd/system ] || systemctl daemon-reload
if [ "$1" = purge ] || [ "$1" = 0 ]; then
    [ ! -d /var/lib/cairn ] || echo "The events stay in /var/lib/cairn, and their owner is the user cairn."
fi
