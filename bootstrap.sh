#!/usr/bin/env bash
# One command from a fresh Debian 12 to a running Baton.
#   ./bootstrap.sh run      install what is missing, build, run the main job on the bundled example crate
#   ./bootstrap.sh test     the same set-up, then all tests
#   ./bootstrap.sh build    the same set-up, stop after the release build
# Idempotent, and quiet when there is nothing to do. Every package it installs is named before it is installed.
set -euo pipefail
cd "$(dirname "$0")"

BUILD_PACKAGES=(gcc libc6-dev cmake ninja-build pkg-config git ca-certificates
  libzmq3-dev libjansson-dev libcurl4-openssl-dev liblua5.4-dev libuv1-dev libsqlite3-dev libyaml-dev
  libpcre2-dev libsodium-dev libdw-dev libelf-dev libcmocka-dev)
RUN_PACKAGES=(linux-perf binutils)
TEST_PACKAGES=(clang libclang-rt-14-dev python3 lua5.4)
RUST_PACKAGES=(cargo rustc rust-clippy)

say() { printf '%s\n' "$*" >&2; }

usage() {
  sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
  exit 2
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    say "bootstrap: these packages are missing and only root can install them. Run as root:"
    say "    apt-get install -y --no-install-recommends ${MISSING[*]}"
    exit 1
  fi
}

install_missing() {
  if ! command -v dpkg-query >/dev/null; then
    say "bootstrap: this is not a Debian system; install the equivalents of: $*"
    return
  fi
  MISSING=()
  local package
  for package in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || MISSING+=("$package")
  done
  [ ${#MISSING[@]} -gt 0 ] || return 0
  say "bootstrap: installing ${MISSING[*]}"
  local log
  log=$(mktemp)
  if ! { as_root apt-get update -q && as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -q --no-install-recommends "${MISSING[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    say "bootstrap: apt-get failed, the whole log is $log"
    exit 1
  fi
  rm -f "$log"
}

install_rust() {
  # The machine's own cargo is used when it has one with clippy.
  if cargo --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1; then return; fi
  if cargo --version >/dev/null 2>&1 && command -v rustup >/dev/null && rustup component add clippy >/dev/null 2>&1; then return; fi
  install_missing "${RUST_PACKAGES[@]}"
}

build() { # build PRESET
  local log="build/$1.log"
  mkdir -p build
  if ! { cmake --preset "$1" && cmake --build --preset "$1"; } >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    say "bootstrap: the build failed, the whole log is $log"
    exit 1
  fi
}

run_example() {
  local example=build/example/wordmill
  if [ ! -d "$example/.git" ]; then
    mkdir -p "$example"
    cp -R tests/example/. "$example/"
    rm -rf "$example/target"
    git -C "$example" init -q
    git -C "$example" add -A
    git -C "$example" -c user.name=Example -c user.email=example@baton.invalid commit -q -m "The example as it came"
  fi
  say "bootstrap: baton tune $example"
  build/release/bin/baton tune "$example"
}

[ $# -eq 1 ] || usage
case "$1" in
build)
  install_missing "${BUILD_PACKAGES[@]}"
  build release
  say "bootstrap: built build/release/bin/baton"
  ;;
run)
  install_missing "${BUILD_PACKAGES[@]}" "${RUN_PACKAGES[@]}"
  install_rust
  build release
  run_example
  ;;
test)
  install_missing "${BUILD_PACKAGES[@]}" "${RUN_PACKAGES[@]}" "${TEST_PACKAGES[@]}"
  install_rust
  build release
  ctest --test-dir build/release --output-on-failure --timeout 900 -j 2
  ;;
*) usage ;;
esac
