# What the scripts of this folder share. Sourced, never run; expects `set -euo pipefail`.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }
die() {
  say "$*"
  exit 1
}

# need STEP...: installs the packages of these steps in tools/dependencies that are missing.
need() {
  local step package missing=()
  while read -r step package; do
    case " $* " in *" $step "*) ;; *) continue ;; esac
    if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
      missing+=("$package")
    fi
  done < <(grep -v '^#' "$ROOT/tools/dependencies")
  [ ${#missing[@]} -eq 0 ] && return
  if [ "$(id -u)" -ne 0 ]; then
    die "not root, and these packages are missing: apt-get install ${missing[*]}"
  fi
  say "installing ${missing[*]}"
  apt-get update -q >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" >&2
}

# A compiler of ours takes about a gigabyte at its worst.
jobs_max() {
  local cpus memory
  cpus=$(nproc)
  memory=$(awk '/^MemAvailable:/ { print int($2 / 1048576) }' /proc/meminfo)
  if [ "$memory" -lt "$cpus" ]; then cpus=$memory; fi
  if [ "$cpus" -lt 1 ]; then cpus=1; fi
  echo "$cpus"
}

# build PRESET CMAKE_OPTION...: configures and builds build/PRESET.
build() {
  local preset=$1
  shift
  # Joined, because where a caller looks at the status, errexit is off.
  (cd "$ROOT" && cmake --preset "$preset" "$@" >&2) &&
    cmake --build "$ROOT/build/$preset" -j "$(jobs_max)" >&2
}
