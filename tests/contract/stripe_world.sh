#!/bin/sh
# Drives stripe-world, an imitation of Stripe that others wrote, with the Stripe provider. It needs
# Python 3.13 or newer (PYTHON names one that is not on the path). Everything that is installed goes
# under target/, and everything stays on 127.0.0.1.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH= cd -- "$here/../.." && pwd)
work="${CARGO_TARGET_DIR:-$root/target}/stripe-world"
port="${PORT:-12131}"

is_new_enough='import sys; sys.exit(sys.version_info < (3, 13))'
if [ ! -x "$work/venv/bin/python" ]; then
    python=
    for candidate in "${PYTHON:-}" python3.14 python3.13 python3 "$HOME"/.pyenv/versions/3.1[3-9]*/bin/python; do
        if [ -n "$candidate" ] && "$candidate" -c "$is_new_enough" 2>/dev/null; then
            python=$candidate
            break
        fi
    done
    [ -n "$python" ] || { echo "Python 3.13 or newer is needed" >&2; exit 3; }
    "$python" -m venv "$work/venv"
fi
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --ignore-requires-python --no-compile \
    'seahaven==0.6.0' 'seahaven-stripe-world[http]==0.3.0'

cd "$root"
cargo test --quiet -p counterfoil-contract --test stripe_world --test stripe_world_rehearsal --no-run
"$work/venv/bin/python" "$here/stripe_world.py" "$port" >"$work/server.log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT
tries=0
until grep -q 'Uvicorn running' "$work/server.log"; do
    tries=$((tries + 1))
    if [ "$tries" -gt 120 ] || ! kill -0 "$server" 2>/dev/null; then
        cat "$work/server.log" >&2
        exit 1
    fi
    sleep 0.25
done

COUNTERFOIL_STRIPE_WORLD="http://127.0.0.1:$port" \
    cargo test -p counterfoil-contract --test stripe_world --test stripe_world_rehearsal
