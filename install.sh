#!/usr/bin/env bash
# Installs what Marquee needs on Debian or Ubuntu, builds it and starts it with a simulated provider (`make run`; Ctrl-C stops it).
# Installed packages and toolchains are not changed.
#
# usage: ./install.sh [--systemd]
#   --systemd  install the programs as services of this machine, and start them. Run it again to upgrade
set -euo pipefail
cd "$(dirname "$0")"

fail() {
    echo "install.sh: $1" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "must run as root, because sudo is not installed: $*"
    fi
}

# Compiler, linker and make for the build; curl and certificates for rustup and crates.io; ps for `make run`; SQLite for backups.
install_packages() {
    local package missing=()
    for package in build-essential ca-certificates curl procps "$@"; do
        dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    if [ ${#missing[@]} = 0 ]; then
        return
    fi
    command -v apt-get >/dev/null || fail "only Debian and Ubuntu are supported. Install these and run \`make run\`: Rust, ${missing[*]}"
    echo "installing ${missing[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes -qq --no-install-recommends "${missing[@]}"
}

# Rust of the version in rust-toolchain.toml if there is one, otherwise any that is new enough.
install_rust() {
    local required version installer
    PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
    required=$(sed -nE 's/^rust-version = "([^"]+)".*/\1/p' Cargo.toml)
    if ! command -v cargo >/dev/null; then
        echo "installing Rust with rustup, https://rustup.rs"
        # To a file: a script that is cut off must not be executed.
        installer=$(mktemp)
        curl --proto '=https' --tlsv1.2 --silent --show-error --fail --output "$installer" https://sh.rustup.rs
        sh "$installer" -y --quiet --no-modify-path --profile minimal --default-toolchain none
        rm "$installer"
        rustup toolchain install # the version in rust-toolchain.toml
    fi
    version=$(rustc --version | cut -d ' ' -f 2)
    if [ "$(printf '%s\n' "$required" "$version" | sort --version-sort | head -n 1)" != "$required" ]; then
        fail "Rust $required or newer is required, and $(command -v rustc) is $version. Update it: rustup update"
    fi
}

install_services() {
    cargo build --release --bins --locked
    as_root deploy/systemd/install "${CARGO_TARGET_DIR:-target}/release"
    for _ in {1..30}; do
        if marquee-api health --ready; then
            cat <<'EOF'

  Marquee is installed. It starts with the machine.

    web page     http://127.0.0.1:8000/
    Swagger UI   http://127.0.0.1:8000/docs
    operations   http://127.0.0.1:8000/ops
    settings     /etc/marquee/marquee.env
    providers    /etc/marquee/providers.toml: replace the simulator, then `systemctl restart marquee-worker`
    log          journalctl --follow --unit 'marquee-*'

EOF
            return
        fi
        sleep 1
    done 2>/dev/null
    fail "the API is not ready. See: journalctl --unit 'marquee-*'"
}

case "${*:-}" in
"")
    install_packages
    install_rust
    exec make run
    ;;
--systemd)
    [ -d /run/systemd/system ] || fail "--systemd: systemd is not running on this machine"
    install_packages sqlite3
    install_rust
    install_services
    ;;
*)
    sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
