#!/bin/bash
# What it costs to build: CPU seconds and compiled units of a clean release build, as ratios to a
# crate that has nothing but reqwest with rustls. Run it alone on the machine:
#
#   benches/build_cost.sh [ROUNDS]
#
# Each build has a target directory of its own, is run ROUNDS times (2), and its least is kept.
set -euo pipefail
rounds=${1:-2}
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CARGO_INCREMENTAL=0

# scratch NAME DEPENDENCY…: a crate with these dependencies and the versions of this repository.
scratch() {
    local dir=$work/$1
    shift
    mkdir -p "$dir/src"
    : > "$dir/src/lib.rs"
    printf '[package]\nname = "scratch"\nversion = "0.0.0"\nedition = "2024"\n[workspace]\n[dependencies]\n' \
        > "$dir/Cargo.toml"
    printf '%s\n' "$@" >> "$dir/Cargo.toml"
    cp "$root/Cargo.lock" "$dir/Cargo.lock"
}

# measure NAME: prints `CPU-SECONDS UNITS`. A unit is a crate or the run of a build script.
measure() {
    local dir=$work/$1 least= units=
    for _ in $(seq "$rounds"); do
        rm -rf "$dir/target"
        TIMEFORMAT='%U %S'
        { time cargo build --release --offline --message-format=json --manifest-path "$dir/Cargo.toml" \
            > "$dir/messages" 2> "$dir/log"; } 2> "$dir/time" || { cat "$dir/log" >&2; exit 1; }
        units=$(grep -c -e '"reason":"compiler-artifact"' -e '"reason":"build-script-executed"' "$dir/messages")
        least=$(awk -v least="${least:-1e9}" '{ sum = $1 + $2; print sum < least ? sum : least }' "$dir/time")
    done
    echo "$least $units"
}

ours="counterfoil = { path = \"$root\", default-features = false"
bare='reqwest = { version = "0.13", default-features = false, features = ["rustls-no-provider"] }'
tls='rustls = { version = "0.23", default-features = false, features = ["std", "tls12"'
scratch domain       "$ours }"
scratch bare_ring    "$bare" "$tls, \"ring\"] }"
scratch stripe_ring  "$ours, features = [\"stripe\", \"ring\"] }"
scratch bare_aws     "$bare" "$tls, \"aws_lc_rs\"] }"
scratch stripe_aws   "$ours, features = [\"stripe\", \"aws-lc-rs\"] }"

printf '%-44s %8s %6s %6s\n' '' 'CPU s' units ratio
row() {
    read -r seconds units <<< "$2"
    awk -v name="$1" -v s="$seconds" -v u="$units" -v floor="$3" \
        'BEGIN { printf "%-44s %8.1f %6d %6.2f\n", name, s, u, s / floor }'
}
floor=$(measure bare_ring)
row 'bare reqwest and rustls, ring' "$floor" "${floor% *}"
row 'counterfoil, domain and matching, no HTTP' "$(measure domain)" "${floor% *}"
row 'counterfoil --features stripe, ring' "$(measure stripe_ring)" "${floor% *}"
floor=$(measure bare_aws)
row 'bare reqwest and rustls, aws-lc-rs' "$floor" "${floor% *}"
row 'counterfoil --features stripe, aws-lc-rs' "$(measure stripe_aws)" "${floor% *}"
