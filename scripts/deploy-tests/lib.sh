# Functions of the steps of scripts/test-deploy. To be sourced.
# shellcheck shell=bash
set -euo pipefail

fail() {
    echo "$1" >&2
    exit 1
}
# curl to a path of the stack, with its certificate
get() {
    curl --silent --show-error --cacert "$SMOKE_CA" --max-time 30 "${@:2}" "$URL$1"
}
key() {
    cat "$SECRETS_DIR/operator_key"
}
expect() { # WHAT EXPECTED ACTUAL
    [ "$2" = "$3" ] || fail "$1: expected $2, got $3"
    echo "ok      $1: $3"
}
expect_match() { # WHAT PATTERN TEXT
    [[ $3 =~ $2 ]] || fail "$1: expected $2, got: $3"
    echo "ok      $1"
}
