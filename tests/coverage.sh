#!/bin/sh
# Which lines of `src` the tests of the root package run, by module:
#   tests/coverage.sh [FILE OR FOLDER, of which each line that no test runs is printed]
# Tests that stand in `src` are not counted, and neither are doc-tests.
set -eu
cd "$(dirname "$0")/.."
command -v cargo-llvm-cov >/dev/null || cargo install --locked --debug cargo-llvm-cov@0.9.1
# Where rustup's `llvm-tools` are missing, an LLVM of the compiler's own version does.
version=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
tools=/usr/lib/llvm-$version/bin
export LLVM_COV="${LLVM_COV:-$tools/llvm-cov}" LLVM_PROFDATA="${LLVM_PROFDATA:-$tools/llvm-profdata}"
[ -x "$LLVM_COV" ] || apt-get install -y "llvm-$version"
export CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0
report=target/coverage.lcov
cargo llvm-cov --all-features --lib --tests --no-fail-fast --lcov --output-path "$report"
awk -v root="$PWD/" -v listed="$*" '
  BEGIN { FS = "[:,]"; count = split(listed, shown, " ") }
  # Reads a file, up to the tests in it.
  $1 == "SF" {
    file = substr($2, length(root) + 1)
    split("", text)
    for (end = 0; (getline text[end + 1] < $2) > 0 && text[end + 1] !~ /^mod tests \{/; end++);
    close($2)
    if (file ~ /(\/tests\/|tests\.rs$)/) end = 0
    split(file, parts, "/")
    module = parts[2] == "providers" && parts[4] ? parts[2] "/" parts[3] : parts[2]
    is_shown = 0
    for (i = 1; i <= count; i++) is_shown = is_shown || index(file, shown[i]) == 1
  }
  $1 == "DA" && $2 <= end {
    all[module]++; all["all"]++
    if ($3) next
    missed[module]++; missed["all"]++
    if (is_shown) printf "%s:%d:%s\n", file, $2, text[$2]
  }
  END {
    for (module in all)
      printf "%-24s %6d lines %5d not run %6.2f %%\n", module, all[module], missed[module],
        100 * (1 - missed[module] / all[module]) | "sort"
  }' "$report"
