# shellcheck shell=bash
# What ./try and ./check ask of a machine; sourced by both. Debian 12, Ubuntu 24.04 or newer.

say() { printf '%s\n' "$*" >&2; }

die() {
    say "error: $1"
    [ $# -lt 2 ] || say "hint: $2"
    exit 1
}

need_root() {
    [ "$(id -u)" = 0 ] || die "containers need root here" "run: sudo $0"
}

# Sets $python. The system's own first: any user can execute it, which one in root's home cannot
# be promised to.
need_python() {
    command -v python3 >/dev/null || ensure_packages python3:python3
    for python in /usr/bin/python3 "$(command -v python3)"; do
        ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || return 0
    done
    die "python3 is $("$python" -V | cut -d' ' -f2), and Buoy needs 3.11 or newer"
}

# ensure_packages PROGRAM:PACKAGE...   installs the packages whose program is not on PATH
ensure_packages() {
    local pair missing=()
    for pair in "$@"; do
        command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    install_packages "${missing[@]}"
}

# A service that comes with a package is neither started now nor at the next boot: only its program
# is wanted.
install_packages() {
    local policy=/usr/sbin/policy-rc.d failed=0 enabled
    enabled=$(enabled_units)
    [ ! -e $policy ] || policy=
    [ -z "$policy" ] || { printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy; }
    export DEBIAN_FRONTEND=noninteractive
    local options=(-qq -y --no-install-recommends -o Dpkg::Use-Pty=0)
    apt-get "${options[@]}" install "$@" >/dev/null 2>&1 ||
        { apt-get -qq update && apt-get "${options[@]}" install "$@" >/dev/null; } || failed=1
    [ -z "$policy" ] || rm -f $policy
    comm -13 <(echo "$enabled") <(enabled_units) |
        xargs -r systemctl --quiet disable 2>/dev/null || true
    [ $failed = 0 ] || die "could not install $*" "run: apt-get install $*"
}

enabled_units() {
    { systemctl list-unit-files --state=enabled --no-legend 2>/dev/null || true; } | cut -d' ' -f1 | sort
}

# ensure_venv WHAT   .venv with `pip install -e WHAT` done, again whenever pyproject.toml changes
ensure_venv() {
    local want stamp=".venv/installed-$1"
    want=$(sha256sum pyproject.toml)
    [ "$(cat "$stamp" 2>/dev/null)" != "$want" ] || return 0
    say "installing $1 in .venv"
    [ -x .venv/bin/pip ] || make_venv
    .venv/bin/pip install --quiet --disable-pip-version-check --editable "$1"
    echo "$want" >"$stamp"
}

make_venv() {
    "$python" -m venv .venv >/dev/null 2>&1 && return
    say "installing python3-venv"
    install_packages python3-venv
    "$python" -m venv --clear .venv
}
