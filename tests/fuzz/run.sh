#!/bin/sh
# Runs every fuzz target, or those named, from the committed corpus:
#   tests/fuzz/run.sh EXECUTIONS [TARGET...]
# Coverage-guided without a sanitizer: the library has no unsafe code, so what can go wrong is a
# panic, a broken assertion, a hang or too much memory, and those are seen without one.
set -eu
cd "$(dirname "$0")/../.."
executions=$1
shift
command -v cargo-fuzz >/dev/null || cargo install --locked --debug cargo-fuzz@0.13.2
[ $# -gt 0 ] || set -- $(ls tests/fuzz/targets | sed 's/\.rs$//')
export RUSTC_BOOTSTRAP=1
built=target/fuzz/$(rustc -vV | sed -n 's/^host: //p')/release
cargo fuzz build --fuzz-dir tests/fuzz --target-dir target/fuzz --sanitizer none
failed=target/fuzz/failed
rm -rf "$failed"
mkdir -p "$failed"
for target in "$@"; do
  found=target/fuzz/found/$target
  mkdir -p "$found"
  echo "--- $target: $executions executions"
  "$built/$target" -runs="$executions" -seed=7 -timeout=10 -rss_limit_mb=2048 -max_len=65536 \
    -artifact_prefix="$failed/$target-" -print_final_stats=1 -verbosity=0 \
    "$found" "tests/fuzz/corpus/$target" 2>&1 |
    grep -E 'stat::number_of_executed|panicked|assertion|SUMMARY|ERROR' || true
done
[ -z "$(ls "$failed")" ] || { echo "failed: see $failed" >&2; ls "$failed" >&2; exit 1; }
