#!/bin/sh
# Install the packages of a lock into .venv, creating it if needed: install.sh run|cluster|dev
set -eu

fail() {
  printf 'stemcord: %s\n' "$1" >&2
  exit 1
}

# Checked before pip, which would only say that there is no matching distribution.
require_supported_system() {
  case $(uname -s) in
    Linux | Darwin) ;;
    *) fail "runs on Linux and macOS, not on $(uname -s); on Windows use WSL, or the container" ;;
  esac
  case $(uname -m) in
    x86_64 | amd64 | aarch64 | arm64) ;;
    *) fail "needs a 64-bit x86 or ARM system; this one is $(uname -m)" ;;
  esac
  [ "$(getconf LONG_BIT 2>/dev/null || echo 64)" = 64 ] ||
    fail 'needs a 64-bit system; this one has a 64-bit kernel and 32-bit programs'
  if ldd --version 2>&1 | grep -qi musl; then
    fail 'needs glibc, and this system has musl (as Alpine does): use Debian, or the container'
  fi
}

is_new_enough() {
  "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

# Prints the first interpreter that can create a virtual environment.
find_python() {
  incomplete=
  for candidate in python3.14 python3.13 python3.12 python3.11 python3; do
    is_new_enough "$candidate" || continue
    "$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1 && { echo "$candidate"; return; }
    incomplete=${incomplete:-$candidate}
  done
  [ -z "$incomplete" ] ||
    fail "$incomplete lacks its venv module; on Debian and Ubuntu: apt install $incomplete-venv"
  fail 'needs Python 3.11 or newer; install it, or name one with make PYTHON=/path/to/python3'
}

create() {
  if [ -n "${PYTHON:-}" ]; then
    is_new_enough "$PYTHON" || fail "PYTHON=$PYTHON is not a Python 3.11 or newer"
    python=$PYTHON
  else
    python=$(find_python)
  fi
  echo "Creating .venv with $("$python" --version) …"
  "$python" -m venv --clear .venv || fail "$python could not create .venv (see above)"
}

require_supported_system
is_new_enough .venv/bin/python || create
.venv/bin/python -m pip --version >/dev/null 2>&1 ||
  .venv/bin/python -m ensurepip >/dev/null || fail '.venv has no pip; make clean, then try again'

echo 'Installing packages (about a minute, once) …'
.venv/bin/python -m pip install -qq --no-input --disable-pip-version-check \
  --require-hashes -r "requirements/$1.lock" || fail 'the packages could not be installed (see above)'

# Each lock contains the ones before: run, cluster, dev.
case $1 in
  dev) touch .venv/dev.stamp .venv/cluster.stamp ;;
  cluster) touch .venv/cluster.stamp ;;
esac
touch .venv/run.stamp
