#!/bin/sh
# Changes the code in one small way after the other, and sees whether a test fails each time:
#   tests/mutants.sh core|stripe|paypal|adyen|matching|readers|cashier [OPTION OF cargo-mutants]
# An option such as `--shard 0/8` takes a part of a part.
# `.cargo/mutants.toml` says what was left out, and why. It works on a copy under `target`, whose
# manifest turns on no feature but those of the part, so that a change takes seconds. The code as
# it is comes first: were it not built, each change would seem to be one that cannot be.
# The copy has the time of now, so that nothing is left that was built from a changed one.
set -eu
cd "$(dirname "$0")/.."
part=$1
shift
features="" tests="" files="" targets=--lib
case $part in
  core)
    tests=snapshots
    files="src/ledger.rs src/payment.rs src/capture.rs src/refund.rs src/dispute.rs src/money.rs"
    files="$files src/http/token.rs src/http/retry.rs src/http/retry_budget.rs"
    files="$files src/webhook/event.rs src/webhook/mod.rs src/webhook/refusal.rs"
    ;;
  stripe)
    features=stripe,simulator,axum,ring tests=stripe
    files="src/providers/stripe/webhook.rs src/webhook/axum.rs src/webhook/request.rs"
    ;;
  paypal)
    features=paypal,ring tests=paypal targets=
    files="src/providers/paypal/webhook.rs src/providers/paypal/certificate.rs"
    ;;
  adyen)
    features=adyen,readers,simulator,ring tests=adyen targets=
    files=src/providers/adyen/webhook.rs
    ;;
  matching)
    tests="matching_verdicts matching_search matching_chains matching_suggestions"
    tests="$tests matching_candidates matching_evidence matching_ledgers matching_properties payouts"
    files="src/matching/*.rs src/matching/book/*.rs src/matching/search/*.rs"
    files="$files src/matching/payout/*.rs"
    ;;
  readers)
    features=readers tests=readers
    files="src/matching/readers/*.rs"
    ;;
  cashier)
    # The code is generic, so that each change builds the tests anew: minutes, not seconds.
    features=adyen,paypal,stripe,simulator,rehearsal,preflight,axum,readers,ring
    tests="cashier cashier_facts cashier_unanswered cashier_attempts cashier_schedule"
    tests="$tests cashier_doubt cashier_refusals cashier_captures cashier_second_time"
    tests="$tests cashier_sweep cashier_providers cashier_health cashier_payouts cashier_paypal"
    tests="$tests cashier_adyen cashier_adyen_cards cashier_tracing provider_answers"
    files="src/cashier/*.rs src/handle.rs src/handle/*.rs"
    ;;
  *) echo "no such part: $part" >&2 && exit 1 ;;
esac
command -v cargo-mutants >/dev/null || cargo install --locked --debug cargo-mutants@27.1.0
copy=target/mutants/$part
export CARGO_TARGET_DIR="$PWD/target/mutants/target"
mkdir -p "$copy"
rm -rf "$copy/src" "$copy/tests"
git ls-files -co --exclude-standard | tar -c -T - | tar -x -m -C "$copy"
cd "$copy"
sed -i -e '/^counterfoil = { path = "\."/d' -e 's/^members = .*/members = ["."]/' \
  -e '/^\[\[example\]\]/,/^required-features/d' \
  -e 's/^autobenches.*/autobenches = false\nautotests = false\nautoexamples = false/' Cargo.toml
for test in $tests; do
  targets="$targets --test=$test"
  path=tests/$test.rs
  [ -f "$path" ] || path=tests/$test/main.rs
  printf '\n[[test]]\nname = "%s"\npath = "%s"\n' "$test" "$path" >>Cargo.toml
done
for target in $targets; do set -- -C "$target" "$@"; done
[ -z "$features" ] || set -- --features "$features" "$@"
for file in $files; do set -- -f "$file" "$@"; done
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0 CARGO_INCREMENTAL=1
exec cargo mutants --in-place --timeout 120 --build-timeout 900 --colors never \
  --no-default-features -o "../$part.out" "$@"
