#!/bin/sh
# After the files of a package are there. A .deb calls it with "configure" and the version that was
# installed before, an .rpm with the number of versions that are installed now.
set -e

case "$1" in
    configure) [ -n "$2" ] && upgrade=yes || upgrade= ;;
    1) upgrade= ;;
    [2-9]) upgrade=yes ;;
    *) exit 0 ;;
esac

if ! getent passwd cairn >/dev/null; then
    if command -v systemd-sysusers >/dev/null; then
        systemd-sysusers cairn.conf
    else
        useradd --system --user-group --home-dir /var/lib/cairn --no-create-home --shell /usr/sbin/nologin cairn
    fi
fi
[ -d /var/lib/cairn ] || install -d -m 0700 -o cairn -g cairn /var/lib/cairn
if [ -z "$upgrade" ] && [ -f /etc/cairn/config.toml ]; then # it may get secrets
    chown root:cairn /etc/cairn/config.toml
    chmod 0640 /etc/cairn/config.toml
fi

[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
if [ -n "$upgrade" ]; then
    # SIGTERM, then a start with the new program.
    systemctl try-restart cairn.service
elif [ "$1" = configure ]; then # as Debian's packages do
    systemctl enable cairn.service
    if command -v deb-systemd-invoke >/dev/null; then
        deb-systemd-invoke start cairn.service # asks policy-rc.d first
    else
        systemctl start cairn.service
    fi
else
    systemctl preset cairn.service
fi
