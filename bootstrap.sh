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
  libpcre2-dev libmicrohttpd-dev libsodium-dev libdw-dev libelf-dev zlib1g-dev libcmocka-dev)
RUN_PACKAGES=(linux-perf valgrind binutils tzdata)
TEST_PACKAGES=(clang libclang-rt-14-dev python3 python3-prometheus-client lua5.4 faketime)
RUST_PACKAGES=(cargo rustc rust-clippy)

say() { printf '%s\n' "$*" >&2; }

usage() {
  sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
  exit 2
}

MISSING=()

# need WHAT-FOR PACKAGE...: notes what is not installed, and says so.
need() {
  local what=$1 package missing=()
  shift
  for package in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "bootstrap: $what needs ${missing[*]}"
  MISSING+=("${missing[@]}")
}

has_rust() { cargo --version && cargo clippy --version; } >/dev/null 2>&1

# The machine's own cargo is used when it has one with clippy.
need_rust() {
  has_rust && return
  if command -v rustup >/dev/null && rustup component add clippy >/dev/null 2>&1 && has_rust; then return; fi
  need "cargo with clippy" "${RUST_PACKAGES[@]}"
}

install_missing() {
  [ ${#MISSING[@]} -gt 0 ] || return 0
  local root=()
  if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
      say "bootstrap: only root can install packages, and there is no sudo. Run this as root, then ./bootstrap.sh again:"
      say "    apt-get update && apt-get install -y --no-install-recommends ${MISSING[*]}"
      exit 1
    fi
    sudo -v || exit 1 # asks for the password here, where it can be seen
    root=(sudo)
  fi
  say "bootstrap: installing ${#MISSING[@]} packages with apt-get"
  local log
  log=$(mktemp)
  if ! { "${root[@]}" apt-get update -q && "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -q --no-install-recommends "${MISSING[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    say "bootstrap: apt-get failed, the whole log is $log"
    exit 1
  fi
  rm -f "$log"
}

# set_up build|run|test: everything that step needs.
set_up() {
  if ! command -v dpkg-query >/dev/null; then
    say "bootstrap: this is not a Debian system, so nothing is installed; what is needed has these names in Debian 12:"
    say "    ${BUILD_PACKAGES[*]} ${RUN_PACKAGES[*]} ${TEST_PACKAGES[*]} ${RUST_PACKAGES[*]}"
    return
  fi
  need "the build" "${BUILD_PACKAGES[@]}"
  if [ "$1" != build ]; then
    need "profiling" "${RUN_PACKAGES[@]}"
    need_rust
  fi
  if [ "$1" = test ]; then need "testing" "${TEST_PACKAGES[@]}"; fi
  install_missing
  if [ "$1" != build ] && ! has_rust; then # a cargo that does not work stands before Debian's
    PATH=/usr/bin:$PATH
    has_rust || say "bootstrap: 'cargo clippy' does not run; see: cargo clippy --version"
  fi
}

# Debian's kernel lets only root profile unless it is told otherwise. That is the user's to decide, so it is only said.
check_profiling() {
  local level
  level=$(cat /proc/sys/kernel/perf_event_paranoid 2>/dev/null || echo 0)
  if [ "$(id -u)" != 0 ] && [ "$level" -gt 2 ]; then
    say "bootstrap: kernel.perf_event_paranoid is $level, so only root can profile and no hot paths will be found. To allow it until"
    say "    the next start of the machine: sudo sysctl kernel.perf_event_paranoid=2"
  fi
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

# The example as a project of its own, made anew when it changed here.
run_example() {
  local example=build/example/wordmill sum
  sum=$(find tests/example -type f -not -path '*/target/*' -print0 | sort -z | xargs -0 sha256sum | sha256sum)
  if [ "$(cat build/example/source 2>/dev/null)" != "$sum" ]; then
    rm -rf "$example"
    mkdir -p "$example"
    cp -R tests/example/. "$example/"
    rm -rf "$example/target"
    git -C "$example" init -q -b main
    git -C "$example" add -A
    git -C "$example" -c user.name=Example -c user.email=example@baton.invalid -c commit.gpgSign=false \
      commit -q -m "The example as it came"
    printf '%s\n' "$sum" >build/example/source
  fi
  say "bootstrap: baton tune $example"
  build/release/bin/baton tune "$example"
}

[ $# -eq 1 ] || usage
case "$1" in
build)
  set_up build
  build release
  say "bootstrap: built build/release/bin/baton"
  ;;
run)
  set_up run
  check_profiling
  build release
  run_example
  ;;
test)
  set_up test
  check_profiling
  build release
  ctest --test-dir build/release --output-on-failure --timeout 1800 -j "$(( $(nproc) * 2 ))" # many tests wait more than they work
  ;;
*) usage ;;
esac
