#!/usr/bin/env bash
# Proves that the committed ticketing.so is its source, in two steps:
#   1. sources.sha256 has every source and ticketing.so as they were built. That needs no toolchain, and fails after a
#      change that was not built.
#   2. The program is rebuilt into a temporary folder and compared byte for byte. Where there is no toolchain, or only
#      another than the one in toolchain.txt, that is said and is no failure.
#
#   verify.sh                 exits 1 if one of the two finds a difference, else 0
#   verify.sh --install       first installs the upstream toolchain (build.sh --install), and fails without one
#   REQUIRE_TOOLCHAIN=1       makes a missing toolchain a failure
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

main() {
  compare_sources
  if [ "${1:-}" = --install ]; then
    REQUIRE_TOOLCHAIN=1
    bash "$here/build.sh" --install --out "$work/installed.so"
  elif [ $# -gt 0 ]; then
    fail "unknown option $1; see the first lines of $0"
  fi
  compare_bytes
}

compare_sources() {
  (cd "$here" && sha256sum --check --quiet sources.sha256) ||
    fail "sources or ticketing.so are not what was built last. Run 'npm run program:build', and commit what it writes."
  local listed; listed=$(awk '$2 != "ticketing.so" { print $2 }' "$here/sources.sha256")
  [ "$listed" = "$(bash "$here/build.sh" --list-sources)" ] ||
    fail "there are sources that were not built, or built ones are gone. Run 'npm run program:build', and commit what it writes."
  say "the sources are those that ticketing.so was built from ($(wc -l <<<"$listed") files)."
}

compare_bytes() {
  local recorded status=0 toolchain
  recorded=$(cat "$here/toolchain.txt")
  # The kind of toolchain that built the committed file comes first, since only that one can give the same bytes.
  for toolchain in "${recorded%%:*}" upstream platform; do
    status=0
    TOOLCHAIN=$toolchain bash "$here/build.sh" --out "$work/ticketing.so" >"$work/log" 2>&1 && break
    status=$?
    if grep -q 'lacks:\|command not found\|no such command' "$work/log"; then status=3; else break; fi
  done
  if [ "$status" = 3 ]; then
    [ "${REQUIRE_TOOLCHAIN:-0}" != 1 ] || fail "no toolchain for Solana programs is here, and one is required."
    say "SKIPPED the rebuild: no toolchain for Solana programs is here. 'verify.sh --install' brings one on Debian, as root."
    return
  fi
  if [ "$status" != 0 ]; then
    cat "$work/log"
    fail "the build failed."
  fi
  local built; built=$(cat "$work/ticketing.so.toolchain")
  if cmp -s "$work/ticketing.so" "$here/ticketing.so"; then
    say "the same bytes: $(hash "$here/ticketing.so"), built by $built"
  elif [ "$built" != "$recorded" ]; then
    say "SKIPPED the comparison: built, but by another toolchain, which gives other bytes."
    say "committed: $recorded"
    say "here:      $built"
  else
    say "committed $(hash "$here/ticketing.so"), built $(hash "$work/ticketing.so")"
    fail "the source builds to other bytes than the committed ticketing.so (by $built)."
  fi
}

hash() { sha256sum "$1" | cut -c1-64; }
say() { echo "program:verify: $*"; }
fail() { echo "program:verify: $*" >&2; exit 1; }

main "$@"
