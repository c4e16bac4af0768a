#!/bin/sh
# Drives the simulator with Stripe's official SDKs for Node and Python. Everything that is
# installed goes under target/. It fails on the first mismatch.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH= cd -- "$here/../.." && pwd)
work="${CARGO_TARGET_DIR:-$root/target}/sdk"
mkdir -p "$work"

cp "$here/package.json" "$work/"
[ -d "$work/node_modules/stripe" ] || (cd "$work" && npm install --no-audit --no-fund --ignore-scripts)
[ -x "$work/venv/bin/python" ] || python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"

cd "$root"
cargo build --quiet --example simulator
: >"$work/simulator.log"
"${CARGO_TARGET_DIR:-target}/debug/examples/simulator" --provider stripe --port 0 >"$work/simulator.log" &
simulator=$!
trap 'kill "$simulator" 2>/dev/null || true' EXIT
port=
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    port=$(sed -n 's/.*on http:\/\/127\.0\.0\.1:\([0-9]*\).*/\1/p' "$work/simulator.log" | head -n 1)
    [ -n "$port" ] && break
    sleep 0.25
done
[ -n "$port" ] || { echo "the simulator did not start" >&2; exit 1; }

node "$here/drive.mjs" "$port" "$work/node_modules"
"$work/venv/bin/python" "$here/drive.py" "$port"
