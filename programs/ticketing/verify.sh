#!/usr/bin/env bash
# Rebuilds the program into a temporary folder and compares it, byte for byte, with the committed ticketing.so.
# Exits 0 if they are the same, and also, saying so, if no toolchain is here or another than the one that built it;
# 1 if the same toolchain gives other bytes. REQUIRE_TOOLCHAIN=1 makes a missing toolchain a failure.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
say() { echo "program:verify: $*"; }

recorded=$(cat "$here/toolchain.txt")
status=0
# The kind of toolchain that built the committed file comes first, since only that one can give the same bytes.
for toolchain in "${recorded%%:*}" upstream platform; do
  status=0
  TOOLCHAIN=$toolchain bash "$here/build.sh" --out "$work/ticketing.so" >"$work/log" 2>&1 && break
  status=$?
  if grep -q 'lacks:\|command not found\|no such command' "$work/log"; then status=3; else break; fi
done

if [ "$status" = 3 ]; then
  say "no toolchain for Solana programs is here, so nothing was compared. 'build.sh --install' brings one on Debian."
  [ "${REQUIRE_TOOLCHAIN:-0}" != 1 ] || { say "REQUIRE_TOOLCHAIN=1 makes that a failure."; exit 1; }
  exit 0
fi
if [ "$status" != 0 ]; then
  cat "$work/log"
  say "the build failed."
  exit 1
fi

built=$(cat "$work/ticketing.so.toolchain")
if cmp -s "$work/ticketing.so" "$here/ticketing.so"; then
  say "the same bytes: $(sha256sum "$here/ticketing.so" | cut -c1-64), built by $built"
elif [ "$built" != "$recorded" ]; then
  say "built, but by another toolchain, so the bytes are not comparable."
  say "committed: $recorded"
  say "here:      $built"
else
  say "the source builds to other bytes than the committed ticketing.so (by $built)."
  say "committed $(sha256sum "$here/ticketing.so" | cut -c1-64), built $(sha256sum "$work/ticketing.so" | cut -c1-64)"
  exit 1
fi
