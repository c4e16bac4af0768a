#!/bin/sh
# Drives the simulators with the official SDKs of their providers for Node and Python. Everything
# that is installed goes under target/. It fails on the first mismatch.
#   run.sh [PROVIDER...]   only those; all without arguments
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH= cd -- "$here/../.." && pwd)
work="${CARGO_TARGET_DIR:-$root/target}/sdk"
mkdir -p "$work"

if ! cmp -s "$here/package.json" "$work/package.json"; then
    cp "$here/package.json" "$work/"
    (cd "$work" && npm install --no-audit --no-fund --ignore-scripts)
fi
[ -x "$work/venv/bin/python" ] || python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"

cd "$root"
cargo build --quiet --example simulator
simulator=
trap '[ -z "$simulator" ] || kill "$simulator" 2>/dev/null || true' EXIT

# Serves a provider's simulator, and drives it with the scripts of that name.
drive() {
    : >"$work/simulator.log"
    "${CARGO_TARGET_DIR:-target}/debug/examples/simulator" --provider "$1" --port 0 >"$work/simulator.log" &
    simulator=$!
    port=
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        port=$(sed -n 's/.*on http:\/\/127\.0\.0\.1:\([0-9]*\).*/\1/p' "$work/simulator.log" | head -n 1)
        [ -n "$port" ] && break
        sleep 0.25
    done
    [ -n "$port" ] || { echo "the simulator did not start" >&2; exit 1; }
    echo "$1"
    node "$here/drive_$1.mjs" "$port" "$work/node_modules"
    "$work/venv/bin/python" "$here/drive_$1.py" "$port"
    kill "$simulator"
    wait "$simulator" 2>/dev/null || true
    simulator=
}

[ $# -gt 0 ] || set -- adyen paypal stripe
for provider in "$@"; do
    drive "$provider"
done
