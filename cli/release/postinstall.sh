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
# SIGTERM, then a start with the new program. Debian starts a service as soon as it is installed,
# also when it was removed and comes back; deb-systemd-invoke asks policy-rc.d first.
case "$1" in
    configure)
        [ -n "$upgrade" ] || systemctl enable cairn.service
        if systemctl --quiet is-enabled cairn.service; then
            deb-systemd-invoke restart cairn.service
        else
            deb-systemd-invoke try-restart cairn.service
        fi
        ;;
    *)
        [ -n "$upgrade" ] || systemctl preset cairn.service
        systemctl try-restart cairn.service
        ;;
esac
