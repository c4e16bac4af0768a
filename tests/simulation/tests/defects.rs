//! Planted defects: a simulation that cannot fail proves nothing.

use counterfoil_simulation::{Defect, Findings, Shop, Tally, run_in_memory};

/// Runs shops with a planted defect until it is seen.
fn is_caught(defect: Defect) {
    let (mut findings, mut tally) = (Findings::default(), Tally::default());
    for seed in 1..=2000 {
        let shop = Shop::new(seed, 50, 3).with_defect(defect);
        run_in_memory(&shop, &mut findings, &mut tally);
        if defect.shows_in(&findings) {
            println!("{defect:?} is seen in {} orders", tally.orders);
            return;
        }
    }
    panic!("{defect:?} was not seen in 100,000 orders: {findings}");
}

macro_rules! caught {
    ($($name:ident: $defect:ident,)*) => {
        $(#[test]
        fn $name() {
            is_caught(Defect::$defect);
        })*
    };
}

caught! {
    writes_without_a_key: NoKey,
    a_fresh_key_per_retry: FreshKeyPerRetry,
    a_key_that_is_not_stored_first: KeyNotStoredFirst,
    a_key_that_is_used_again_after_a_day: KeyReusedAfterADay,
    webhooks_that_count_each_time: NoDeduplication,
    the_last_word_however_old: NoOrderGuard,
    a_shop_without_a_sweep: NoSweep,
    refunds_without_a_key: RefundWithoutKey,
    giving_up_that_means_failed: GivingUpMeansFailed,
    a_store_that_checks_no_version: NoVersionCheck,
    confirmations_apart_from_their_order: ConfirmationsApart,
}
