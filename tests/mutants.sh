#!/bin/sh
# Changes the code in one small way after the other, and sees whether a test fails each time:
#   tests/mutants.sh core|webhooks|matching [OPTION OF cargo-mutants, such as --shard 0/8]
# `.cargo/mutants.toml` says what was left out, and why. It works on a copy under `target`, whose
# manifest turns on no feature but those of the part, so that a change takes seconds.
set -eu
cd "$(dirname "$0")/.."
part=$1
shift
features="" tests="" files="" targets=--lib
case $part in
  core)
    files="src/ledger.rs src/money.rs src/webhook/*.rs src/http/token.rs"
    files="$files src/http/retry.rs src/http/retry_budget.rs"
    ;;
  webhooks)
    features=adyen,paypal,stripe,simulator,ring tests="forged_webhooks stripe paypal adyen"
    files="src/providers/*/webhook.rs src/providers/paypal/certificate.rs"
    ;;
  matching)
    tests="matching_properties matching_verdicts payouts"
    files="src/matching/*.rs src/matching/search/*.rs src/matching/payout/*.rs"
    ;;
  *) echo "no such part: $part" >&2 && exit 1 ;;
esac
command -v cargo-mutants >/dev/null || cargo install --locked --debug cargo-mutants@27.1.0
copy=target/mutants/$part
mkdir -p "$copy"
rm -rf "$copy/src" "$copy/tests"
git ls-files -co --exclude-standard | tar -c -T - | tar -x -C "$copy"
cd "$copy"
sed -i -e '/^counterfoil = { path = "\."/d' -e 's/^members = .*/members = ["."]/' \
  -e '/^\[\[example\]\]/,/^required-features/d' \
  -e 's/^autobenches.*/autobenches = false\nautotests = false\nautoexamples = false/' Cargo.toml
for test in $tests; do
  targets=--tests
  path=tests/$test.rs
  [ -f "$path" ] || path=tests/$test/main.rs
  printf '\n[[test]]\nname = "%s"\npath = "%s"\n' "$test" "$path" >>Cargo.toml
done
[ -z "$features" ] || set -- --features "$features" "$@"
for file in $files; do set -- -f "$file" "$@"; done
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0 CARGO_INCREMENTAL=1
exec cargo mutants --in-place --baseline=skip --timeout 120 --build-timeout 900 --colors never \
  --no-default-features -o "../$part.out" -C "$targets" "$@"
