#!/usr/bin/env bash
# Builds ticketing.so, with whichever toolchain is there, and says which:
#   platform  the Solana platform tools (cargo build-sbf on the path)
#   upstream  rustc with the bpfel-unknown-none target, LLVM 22 and the crate sbpf-linker; Debian packages have all but
#             the linker
#
#   build.sh                  writes ticketing.so, toolchain.txt and sources.sha256 beside this script
#   build.sh --out FILE       writes FILE (and FILE.toolchain) instead
#   build.sh --list-sources   prints the files that decide what is built, and builds nothing
#   build.sh --install        first installs the upstream toolchain: Debian packages by apt (as root), the linker by cargo
#   TOOLCHAIN=upstream|platform   takes that one and no other
#   SBPF=v3                       builds that version by the upstream route; v0, which runs everywhere, by default
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tools=$here/target/tools
out=$here/ticketing.so
record=$here/toolchain.txt
sbpf=${SBPF:-v0}
llvm=22
linker_version=0.2.6
packages=(rustc-web cargo-web libstd-rust-web-dev-bpf "llvm-$llvm" "llvm-$llvm-dev" g++)

main() {
  while [ $# -gt 0 ]; do
    case $1 in
      --out) out=$(realpath -m "$2"); record=$out.toolchain; shift ;;
      --install) install_upstream ;;
      --list-sources) list_sources; return ;;
      *) fail "unknown option $1; see the first lines of $0" ;;
    esac
    shift
  done
  case ${TOOLCHAIN:-$(first_toolchain)} in
    platform) build_platform ;;
    upstream) build_upstream ;;
    *)
      say "no toolchain for Solana programs is here. Either put the Solana platform tools on the path (cargo build-sbf),"
      say "or run '$0 --install' as root on Debian. Nothing was built; the committed ticketing.so can be used as it is."
      exit 3
      ;;
  esac
}

first_toolchain() {
  if command -v cargo-build-sbf >/dev/null; then echo platform; elif [ -z "$(upstream_lacks)" ]; then echo upstream; fi
}

build_platform() {
  local work; work=$(mktemp -d)
  local version; version=$(cargo build-sbf --version | tr '\n' ';')
  say "toolchain: the Solana platform tools ($version)"
  (cd "$here" && cargo build-sbf --sbf-out-dir "$work" -- --locked)
  place "$work/ticketing.so" "platform: $version"
  rm -rf "$work"
}

build_upstream() {
  local lacks; lacks=$(upstream_lacks)
  [ -z "$lacks" ] || fail "the upstream toolchain lacks: $lacks"
  local version; version="$("$(rustc_path)" --version); sbpf-linker $("$(linker_path)" --version | tr '\n' ' ')"
  version=$(sed 's/sbpf-linker sbpf-linker/sbpf-linker/; s/ *$//' <<<"$version")
  say "toolchain: upstream LLVM ($version)"
  local cargo; cargo=$(dirname "$(rustc_path)")/cargo
  local target; target=$(mktemp -d)
  export RUSTC=$(rustc_path) CARGO_TARGET_DIR=$target
  (cd "$here" && "$cargo" fetch --locked --quiet)
  (
    cd "$here"
    export CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER=$(linker_path)
    export CARGO_ENCODED_RUSTFLAGS=$(upstream_flags "$target" | paste -sd $'\x1f')
    "$cargo" build --release --locked --quiet --target bpfel-unknown-none 2> >(without_known_warning >&2)
  )
  place "$target/bpfel-unknown-none/release/libticketing.so" "upstream: $version"
  rm -rf "$target"
}

# One flag a line. sBPF v0 runs on every cluster. The VM allows unaligned access, and telling LLVM so makes the program
# a third of the size. No folder of this machine enters the bytes.
upstream_flags() {
  printf '%s\n' \
    -Cpanic=abort -Crelocation-model=static \
    -Ctarget-cpu="${sbpf/v0/v2}" -Ctarget-feature=+allows-misaligned-mem-access \
    -Clink-arg=--arch="$sbpf" -Clink-arg=--llvm-args=-bpf-stack-size=4096 \
    -Clink-arg=--deploy=false -Clink-arg=--disable-math-builtins \
    "--remap-path-prefix=$here=ticketing" "--remap-path-prefix=$1=target"
  local crates
  for crates in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*; do
    printf '%s\n' "--remap-path-prefix=$crates=crates"
  done
}

# rustc warns about the target feature, which is LLVM's and not stable; that is known.
without_known_warning() {
  awk '/unstable feature specified for .*allows-misaligned-mem-access/ { skip = 4 } skip-- > 0 { next } !/generated 1 warning/'
}

# What the upstream route needs and does not find, as words; empty if nothing.
upstream_lacks() {
  local rustc; rustc=$(rustc_path)
  if [ -z "$rustc" ]; then echo -n "a rustc with the target bpfel-unknown-none; "; fi
  if [ -z "$(linker_path)" ]; then echo -n "sbpf-linker $linker_version; "; fi
}

# The first rustc that has a compiled core for the target.
rustc_path() {
  local rustc
  for rustc in ${RUSTC:-} /usr/bin/rustc $(command -v rustc || true); do
    [ -x "$rustc" ] || continue
    compgen -G "$("$rustc" --print sysroot)/lib/rustlib/bpfel-unknown-none/lib/libcore-*.rlib" >/dev/null || continue
    echo "$rustc"
    return
  done
}

linker_path() {
  local linker
  for linker in ${SBPF_LINKER:-} "$tools/bin/sbpf-linker" $(command -v sbpf-linker || true); do
    if [ -x "$linker" ]; then echo "$linker"; return; fi
  done
}

install_upstream() {
  if [ -z "$(rustc_path)" ] || ! command -v "llvm-config-$llvm" >/dev/null; then
    [ "$(id -u)" = 0 ] || fail "installing Debian packages needs root: ${packages[*]}"
    command -v apt-get >/dev/null || fail "there is no apt-get here; install by other means: ${packages[*]}"
    say "installing Debian packages: ${packages[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
  fi
  if [ -z "$(linker_path)" ]; then
    say "installing the crate sbpf-linker $linker_version to $tools (some minutes)"
    local cargo; cargo=$(dirname "$(rustc_path)")/cargo
    LLVM_SYS_221_PREFIX=/usr/lib/llvm-$llvm RUSTFLAGS="-L /usr/lib/llvm-$llvm/lib" RUSTC=$(rustc_path) \
      "$cargo" install sbpf-linker --version "$linker_version" --locked --quiet --root "$tools" \
      --no-default-features --features "bpf-linker/llvm-$llvm"
  fi
}

# Everything that decides the bytes, this script with its flags too.
list_sources() {
  (cd "$here" && find Cargo.lock Cargo.toml build.sh src -type f | LC_ALL=C sort)
}

place() {
  mkdir -p "$(dirname "$out")"
  cp "$1" "$out"
  echo "$2" >"$record"
  if [ "$out" = "$here/ticketing.so" ]; then
    (cd "$here" && list_sources | xargs sha256sum ticketing.so >sources.sha256)
  fi
  say "built $out: $(stat -c %s "$out") bytes, sha256 $(sha256sum "$out" | cut -c1-64)"
}

say() { echo "program:build: $*"; }
fail() { echo "program:build: $*" >&2; exit 1; }

main "$@"
