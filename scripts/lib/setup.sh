# shellcheck shell=bash
# What run.sh, test.sh and bench.sh share: the packages that a build needs, and how to build.
# Sourced; needs bash 4 and a repository root in WEIR_ROOT. Every function may end the script.

say() { printf '== %s\n' "$*"; }
die() {
  printf 'weir: %s\n' "$*" >&2
  exit 1
}

# Packages with one name in every supported release. The compression and gflags packages that RocksDBConfig.cmake looks
# for are dependencies of librocksdb-dev, so they need no mention.
weir_packages_run=(
  g++ cmake ninja-build ccache mold pkg-config
  librocksdb-dev libsimdjson-dev libspdlog-dev libfmt-dev libssl-dev nlohmann-json3-dev libtomlplusplus-dev libcli11-dev
  libgtest-dev # configuring wants it, whether or not the tests are built
)
weir_packages_test=(valgrind python3) # tests/instructions
weir_packages_bench=(libbenchmark-dev wrk nginx-light strace python3)
# What weir is compared with; not every release has all of them.
weir_packages_peers=(redis-server redis-tools webdis nats-server libnats-dev libnginx-mod-nchan)

# weir_setup run|test|bench ...: installs what is missing, and nothing else. Silent and without network if all is there.
weir_setup() {
  local wanted=("${weir_packages_run[@]}") set
  for set in "$@"; do
    case $set in
      run) ;;
      test) wanted+=("$(weir_clang_package)" "$(weir_clang_format_package)" "${weir_packages_test[@]}") ;;
      bench) wanted+=("${weir_packages_bench[@]}") ;;
      *) die "no such set of packages: $set" ;;
    esac
  done
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    weir_check_tools_without_apt "${wanted[@]}"
    return
  fi

  local missing=() package
  mapfile -t missing < <(weir_missing_packages "${wanted[@]}")
  [[ -n $(weir_installed_boost) ]] || missing+=(boost)
  if ((${#missing[@]} > 0)); then
    weir_install "${missing[@]}"
    mapfile -t missing < <(weir_missing_packages "${wanted[@]}")
    ((${#missing[@]} == 0)) || die "still missing after the installation: ${missing[*]}"
  fi
  weir_check_cmake
}

# weir_setup_peers: installs what there is of the other systems. What cannot be installed is said, and no reason to stop.
weir_setup_peers() {
  local missing=() package
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then return 0; fi
  mapfile -t missing < <(weir_missing_packages "${weir_packages_peers[@]}")
  ((${#missing[@]} == 0)) || (weir_install "${missing[@]}") || {
    for package in "${missing[@]}"; do # one that this release does not have stops none of the others
      (weir_install "$package") || say "left out, since it could not be installed: $package"
    done
  }
}

# The given packages that are not installed, one a line. A name that is provided by another package counts as missing.
weir_missing_packages() {
  local -A installed=()
  local name status
  while read -r name status; do
    [[ $status == installed ]] && installed[${name%%:*}]=1
  done < <(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "$@" 2>/dev/null)
  for name in "$@"; do
    [[ -n $name && -z ${installed[$name]:-} ]] && printf '%s\n' "$name"
  done
  return 0
}

# The Boost 1.81 or later that is installed, if any: "libboost1.81-dev". Releases carry several that exclude each other.
weir_installed_boost() {
  dpkg-query -W -f='${Package} ${db:Status-Status}\n' 'libboost1.*-dev' 2>/dev/null |
    sed -n 's/^\(libboost1\.\([0-9]*\)-dev\) installed$/\2 \1/p' | sort -n | awk '$1 >= 81 && !found++ {print $2}'
}

# The oldest Boost from 1.81 on that the distribution has: 1.81 on Debian 12, 1.83 on Ubuntu 24.04 and Debian 13.
weir_available_boost() {
  apt-cache --names-only search '^libboost1\.[0-9]+-dev$' |
    sed -n 's/^\(libboost1\.\([0-9]*\)-dev\) .*/\2 \1/p' | sort -n | awk '$1 >= 81 && !found++ {print $2}'
}

# Debian 12's clang by version; elsewhere the distribution's own, because an old clang cannot read a new libstdc++.
weir_clang_package() {
  if [[ $(weir_os) == debian-12 ]]; then echo clang-14; else echo clang; fi
}
weir_clang_compiler() {
  if command -v clang++-14 >/dev/null && [[ $(weir_os) == debian-12 ]]; then echo clang++-14; else echo clang++; fi
}
# The format is defined by clang-format 14; a release without it gives an empty name, and test.sh says that it skips.
weir_clang_format_package() {
  case $(weir_os) in debian-12 | ubuntu-24.*) echo clang-format-14 ;; esac
}
weir_os() (
  ID=unknown VERSION_ID=0
  # shellcheck source=/dev/null
  [[ -r /etc/os-release ]] && . /etc/os-release
  echo "$ID-${VERSION_ID:-sid}"
)

# "boost" stands for whichever Boost the distribution has.
weir_install() {
  local as_root=() packages=() package boost
  if ((EUID != 0)); then
    command -v sudo >/dev/null || die "these packages are missing and there is no sudo; as root: apt-get install ${*/#boost/libboost1.81-dev}"
    as_root=(sudo)
    [[ -t 0 ]] || as_root=(sudo -n) # nobody there to type a password
  fi
  # Never ask: not dpkg, not needrestart. Wait for another apt rather than fail beside it.
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a
    apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
  say "missing packages: $*"
  say "apt-get update"
  "${apt[@]}" update </dev/null || say "apt-get update failed; trying with the package lists that are there"
  for package in "$@"; do
    if [[ $package == boost ]]; then
      boost=$(weir_available_boost)
      [[ -n $boost ]] || die "this release has no Boost 1.81 or later; supported: Debian 12 and later, Ubuntu 24.04 and later"
      package=$boost
    fi
    packages+=("$package")
  done
  say "apt-get install ${packages[*]}"
  # --no-remove: another Boost that somebody works with is not thrown out behind their back.
  weir_without_services "${apt[@]}" install -y --no-install-recommends --no-remove "${packages[@]}" </dev/null ||
    die "could not install: ${packages[*]}
If apt wanted to remove something (another version of libboost-dev excludes ours), remove it yourself and run this again.
Supported: Debian 12 and later, Ubuntu 24.04 and later."
}

# weir_without_services APT...: what is installed (nginx, Redis) starts no service, neither now nor with the system.
weir_without_services() {
  local services=(nginx redis-server webdis nats-server) service new=() status=0
  for service in "${services[@]}"; do
    [[ -e /lib/systemd/system/$service.service || -e /etc/init.d/$service ]] || new+=("$service")
  done
  # Debian's way: packages ask this program before they start anything. One that is there already is left alone.
  # shellcheck disable=SC2016 # expands where it runs
  "${as_root[@]}" bash -c '
    policy=/usr/sbin/policy-rc.d
    if [[ ! -e $policy ]]; then
      trap "rm -f $policy" EXIT
      printf "#!/bin/sh\nexit 101\n" >"$policy" && chmod 755 "$policy"
    fi
    "$@"' bash "$@" || status=$?
  for service in "${new[@]}"; do
    [[ -d /run/systemd/system && -e /lib/systemd/system/$service.service ]] || continue
    "${as_root[@]}" systemctl disable --now --quiet "$service.service" || true
  done
  return "$status"
}

# Not Debian: build with what is there, or say what is needed.
weir_check_tools_without_apt() {
  local tool missing=()
  for tool in g++ cmake ninja; do
    command -v "$tool" >/dev/null || missing+=("$tool")
  done
  if ((${#missing[@]} > 0)); then
    die "this is not Debian or Ubuntu, so nothing can be installed here, and these tools are missing: ${missing[*]}
weir builds on Debian 12 and later and on Ubuntu 24.04 and later. Elsewhere install the equivalents of
  libboost-dev (1.81 or later) $*
and run this again."
  fi
  say "not Debian or Ubuntu: using what is installed (needed: Boost 1.81 or later and $*)"
  weir_check_cmake
}

weir_check_cmake() {
  local version
  version=$(cmake --version | sed -n '1s/[^0-9]*\([0-9.]*\).*/\1/p')
  [[ $(printf '%s\n3.25\n' "$version" | sort -V | head -n 1) == 3.25 ]] ||
    die "cmake $version is too old: 3.25 or later is needed (the one found first in PATH is $(command -v cmake))"
}

# One build at a time in one work tree: two ninjas in one folder destroy each other's work.
weir_lock() {
  mkdir -p "$WEIR_ROOT/build"
  exec {weir_lock_fd}>"$WEIR_ROOT/build/.lock"
  flock -n "$weir_lock_fd" || {
    say "another build or test run is under way in this folder; waiting for it"
    flock "$weir_lock_fd"
  }
}
weir_unlock() { exec {weir_lock_fd}>&-; }

# Compiled files are kept in ccache's usual place, or in the work tree where that place cannot be written.
weir_use_ccache() {
  command -v ccache >/dev/null || return 0
  local dir
  dir=$(ccache --get-config cache_dir 2>/dev/null || true)
  if [[ -z $dir ]] || ! mkdir -p "$dir" 2>/dev/null || [[ ! -w $dir ]]; then
    export CCACHE_DIR="$WEIR_ROOT/.cache/ccache"
  fi
}

# weir_configure PRESET [cmake argument ...]: configures build/PRESET, quietly unless it fails.
weir_configure() {
  local preset=$1 log="$WEIR_ROOT/build/$1.configure.log"
  shift
  mkdir -p "$WEIR_ROOT/build"
  # A folder that was copied or moved remembers where it came from; cmake would refuse it.
  local cache="$WEIR_ROOT/build/$preset/CMakeCache.txt"
  if [[ -f $cache ]] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$WEIR_ROOT" "$cache"; then
    say "build/$preset was made in another folder: starting it anew"
    rm -rf "${WEIR_ROOT:?}/build/$preset"
  fi
  (cd "$WEIR_ROOT" && cmake --preset "$preset" "$@") >"$log" 2>&1 || {
    cat "$log" >&2
    die "cmake --preset $preset failed"
  }
}

# How many compilers run at once: one for each core, but a heavy file takes up to 1 GiB of memory.
weir_jobs() {
  local cores kib
  cores=$(nproc)
  kib=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo 2>/dev/null || true)
  local by_memory=$((${kib:-8000000} / 1200000))
  ((by_memory >= 1)) || by_memory=1
  echo $((cores < by_memory ? cores : by_memory))
}
