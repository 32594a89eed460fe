#!/bin/sh
# Before the files of a package go. An upgrade leaves the server running until its new program is
# there.
set -e

[ -d /run/systemd/system ] || exit 0
case "$1" in
    remove) systemctl stop cairn.service ;; # it comes back as it was, enabled or not
    0) systemctl disable --now cairn.service ;;
esac
