#!/bin/sh
# Drives `examples/shop` in headless Chromium. Everything that is installed goes under target/.
# It ends with 3 where there is no Chromium.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH= cd -- "$here/../.." && pwd)
built="${CARGO_TARGET_DIR:-$root/target}"
work="$built/browser"
mkdir -p "$work/pictures"
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || exit 3

if ! cmp -s "$here/package.json" "$work/package.json"; then
    cp "$here/package.json" "$work/"
    (cd "$work" && npm install --no-audit --no-fund --ignore-scripts)
fi
cp "$here/shop.mjs" "$work/"

cd "$root"
cargo build --quiet --example shop --features sqlite
"$built/debug/examples/shop" --port 0 --database "$work/shop.sqlite" >"$work/shop.log" 2>&1 &
shop=$!
trap 'kill "$shop" 2>/dev/null || true' EXIT
url=
tries=0
while [ -z "$url" ]; do
    url=$(sed -n 's/.*open at \(http:[^,]*\),.*/\1/p' "$work/shop.log")
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || { cat "$work/shop.log" >&2; exit 1; }
    sleep 0.1
done
node "$work/shop.mjs" "$url" "$chromium" "$work/pictures" || { cat "$work/shop.log" >&2; exit 1; }
