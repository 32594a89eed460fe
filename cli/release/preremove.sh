#!/bin/sh
# Before the files of a package go. An upgrade leaves the server running until its new program is
# there.
set -e

case "$1" in
    remove | 0) ;;
    *) exit 0 ;;
esac
[ -d /run/systemd/system ] || exit 0
systemctl disable --now cairn.service
