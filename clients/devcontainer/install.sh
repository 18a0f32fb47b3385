#!/bin/sh
# Installs prinzbox into PREFIX/bin: the program that PRINZBOX_BINARY names, or else VERSION, built with Go.
# Dev containers run it as root, with the feature's options as variables.
set -eu
prefix="${PREFIX:-/usr/local}"
mkdir -p "$prefix/bin"
if [ -n "${PRINZBOX_BINARY:-}" ]; then
  cp "$PRINZBOX_BINARY" "$prefix/bin/prinzbox"
  chmod 755 "$prefix/bin/prinzbox"
else
  if ! command -v go >/dev/null; then
    echo "prinzbox is built with Go: add the go feature before this one, or name a program in PRINZBOX_BINARY" >&2
    exit 1
  fi
  CGO_ENABLED=0 GOBIN="$prefix/bin" go install "github.com/prinzbox/prinzbox@${VERSION:-latest}"
fi
"$prefix/bin/prinzbox" version
