//! What the shopper does, and how the order then stands.

use crate::capability::Operation;
use crate::cashier::{AttemptPhase, Standing};
use crate::conformance::rig::{Happening, Shopper};
use crate::conformance::stage::{Proof, Stop, ensure, refusal};
use crate::error::{Decline, DeclineReason, Effect, ErrorKind, InputField, RetryAdvice};
use crate::id::Namespace;
use crate::payment::PaymentStatus;
use crate::rehearsal::shop::Shop;

pub(crate) async fn s1(shop: &Shop<'_>) -> Proof {
    sold_and_paid(shop, Shopper::Pays).await
}

pub(crate) async fn s2(shop: &Shop<'_>) -> Proof {
    let (request, _) = shop.hold(2000).await?;
    shop.stands("A-1", Standing::Authorized).await?;
    shop.books_agree(&request, 0).await?;
    shop.confirms("A-1 paid", 0).await?;
    let capture = shop.capture_request("A-1", 2000, "ship").await?;
    shop.cashier.capture(&capture).await?;
    shop.hear().await?;
    shop.is_paid().await?;
    shop.books_agree(&request, 2000).await
}

pub(crate) async fn s3(shop: &Shop<'_>) -> Proof {
    let decline = declined(shop, DeclineReason::InsufficientFunds).await?;
    ensure!(
        decline.retry() == RetryAdvice::OtherMethod,
        "another card could help, and the advice is {:?}",
        decline.retry()
    );
    pays_the_next_time(shop).await
}

pub(crate) async fn s4(shop: &Shop<'_>) -> Proof {
    shop.sell(2000, Shopper::HasAStolenCard).await?;
    shop.hear().await?;
    shop.stands("A-1", Standing::Unpaid).await?;
    let PaymentStatus::Failed(decline) = shop.payment_of("A-1").await?.status else {
        return Err(Stop::Failed("a stolen card is not declined".into()));
    };
    ensure!(
        decline.retry() == RetryAdvice::Never,
        "the card is stolen, and the advice is {:?}",
        decline.retry()
    );
    reads_like_any_other(&decline)
}

pub(crate) async fn s5(shop: &Shop<'_>) -> Proof {
    let field = InputField::SecurityCode;
    let decline = declined(shop, DeclineReason::WrongInput(field)).await?;
    ensure!(
        decline.retry() == RetryAdvice::CorrectInput,
        "the shopper can correct it, and the advice is {:?}",
        decline.retry()
    );
    pays_the_next_time(shop).await
}

pub(crate) async fn s6(shop: &Shop<'_>) -> Proof {
    let decline = declined(shop, DeclineReason::Fraud).await?;
    reads_like_any_other(&decline)
}

pub(crate) async fn s7(shop: &Shop<'_>) -> Proof {
    let decline = declined(shop, DeclineReason::TryLater).await?;
    ensure!(
        decline.retry() == RetryAdvice::Later,
        "the bank was not reached, and the advice is {:?}",
        decline.retry()
    );
    pays_the_next_time(shop).await
}

pub(crate) async fn s8(shop: &Shop<'_>) -> Proof {
    let provider = shop
        .stage
        .rig
        .provider_with_wrong_key(&Namespace::new("shop")?);
    let request = shop.stage.request("A-1", 2000)?;
    let error = refusal("a wrong key", provider.create(&request).await)?;
    ensure!(
        *error.kind() == ErrorKind::Credentials && error.effect() == Effect::NotApplied,
        "the key is wrong, and the error says: {error}"
    );
    Ok(())
}

pub(crate) async fn s9(shop: &Shop<'_>) -> Proof {
    sold_and_paid(shop, Shopper::PassesUnasked).await
}

pub(crate) async fn s10(shop: &Shop<'_>) -> Proof {
    sold_and_paid(shop, Shopper::PassesChallenge).await
}

pub(crate) async fn s11(shop: &Shop<'_>) -> Proof {
    let (request, _) = shop.sell(2000, Shopper::FailsChallenge).await?;
    shop.hear().await?;
    is_declined(shop, DeclineReason::AuthenticationFailed).await?;
    shop.confirms("A-1 paid", 0).await?;
    shop.books_agree(&request, 0).await
}

pub(crate) async fn s12(shop: &Shop<'_>) -> Proof {
    let (request, payment) = shop.sell(2000, Shopper::LeavesChallenge).await?;
    shop.hear().await?;
    shop.stands("A-1", Standing::Unpaid).await?;
    if !shop.stage.hosts() {
        // Without a page nothing runs out: the host ends what it does not wait for.
        shop.cashier.void(&payment.id).await?;
    } else {
        shop.happen(Happening::CheckoutExpires(&payment))?;
    }
    shop.hear().await?;
    // Where nobody tells of it, it is found by asking.
    shop.cashier.resume(&request.order).await?;
    if shop.stage.supports(Operation::FetchPayment) {
        let ended = shop.payment_of("A-1").await?.status;
        ensure!(
            matches!(ended, PaymentStatus::Expired | PaymentStatus::Canceled),
            "nobody has paid in time, and the payment is {ended:?}"
        );
    }
    shop.release_if_silent("A-1").await?;
    shop.check_out(&request, Shopper::Pays).await?;
    shop.hear().await?;
    shop.is_paid().await?;
    shop.books_agree(&request, 2000).await
}

pub(crate) async fn s13(shop: &Shop<'_>) -> Proof {
    // The browser never comes back: nobody resumes the order.
    let (request, _) = shop.sell(2000, Shopper::Pays).await?;
    shop.hear().await?;
    shop.is_paid().await?;
    shop.books_agree(&request, 2000).await
}

pub(crate) async fn s47(shop: &Shop<'_>) -> Proof {
    let (request, payment) = shop.sell(2000, Shopper::PaysSlowly).await?;
    shop.hear().await?;
    is_pending(shop).await?;
    shop.happen(Happening::SlowPaymentSucceeds(&payment))?;
    shop.hear().await?;
    shop.is_paid().await?;
    shop.books_agree(&request, 2000).await?;

    let (request, payment) = shop.sell_as("A-2", 3000, Shopper::PaysSlowlyInVain).await?;
    shop.hear().await?;
    if tells_of_pending(shop) {
        shop.stands("A-2", Standing::Pending).await?;
    }
    shop.happen(Happening::SlowPaymentFails(&payment))?;
    shop.hear().await?;
    shop.stands("A-2", Standing::Unpaid).await?;
    shop.confirms("A-2 paid", 0).await?;
    shop.books_agree(&request, 0).await
}

pub(crate) async fn s48(shop: &Shop<'_>) -> Proof {
    let (request, _) = shop.sell(2000, Shopper::PaysSlowly).await?;
    shop.hear().await?;
    if !tells_of_pending(shop) {
        return Err(Stop::Moot(NOBODY_TELLS.into()));
    }
    is_pending(shop).await?;
    // A second payment would be a double charge.
    let again = refusal("a second checkout", shop.cashier.check_out(&request).await)?;
    ensure!(
        *again.kind() == ErrorKind::Conflict,
        "a payment is under way, and the second checkout says: {again}"
    );
    Ok(())
}

async fn sold_and_paid(shop: &Shop<'_>, shopper: Shopper) -> Proof {
    let (request, _) = shop.sell(2000, shopper).await?;
    shop.hear().await?;
    shop.is_paid().await?;
    shop.books_agree(&request, 2000).await
}

const NOBODY_TELLS: &str = "a payment on its page is told of when it has ended, and not before";

/// Whether it can be known that a payment is under way before it ends.
fn tells_of_pending(shop: &Shop<'_>) -> bool {
    shop.stage.supports(Operation::FetchPayment) || !shop.stage.hosts()
}

async fn is_pending(shop: &Shop<'_>) -> Proof {
    if tells_of_pending(shop) {
        shop.stands("A-1", Standing::Pending).await?;
    }
    shop.has_received("A-1", shop.money(0)).await?;
    shop.confirms("A-1 paid", 0).await
}

/// The shopper is declined; the order is still unpaid, and says why.
async fn declined(shop: &Shop<'_>, reason: DeclineReason) -> Proof<Decline> {
    let (request, _) = shop.sell(2000, Shopper::IsDeclined(reason)).await?;
    shop.hear().await?;
    let decline = is_declined(shop, reason).await?;
    shop.confirms("A-1 paid", 0).await?;
    shop.confirms("A-1 attempt_declined:1", 1).await?;
    shop.books_agree(&request, 0).await?;
    Ok(decline)
}

async fn is_declined(shop: &Shop<'_>, reason: DeclineReason) -> Proof<Decline> {
    shop.stands("A-1", Standing::Unpaid).await?;
    match shop.payment_of("A-1").await?.status {
        PaymentStatus::Failed(decline) if decline.reason == reason => Ok(decline),
        other => Err(Stop::Failed(format!(
            "expected a decline for {reason:?}, and the payment is {other:?}"
        ))),
    }
}

/// After a decline the order can still be paid, by a new attempt.
async fn pays_the_next_time(shop: &Shop<'_>) -> Proof {
    let request = shop.stage.request("A-1", 2000)?;
    shop.check_out(&request, Shopper::Pays).await?;
    shop.hear().await?;
    shop.is_paid().await?;
    shop.books_agree(&request, 2000).await?;
    let record = shop.record("A-1").await?;
    let begun = record.attempts.iter();
    let begun = begun.filter(|attempt| attempt.phase == AttemptPhase::Begun);
    ensure!(begun.count() == 2, "the next try was no attempt of its own");
    Ok(())
}

fn reads_like_any_other(decline: &Decline) -> Proof {
    let generic = Decline::new(DeclineReason::Generic);
    ensure!(
        decline.shopper_text() == generic.shopper_text(),
        "the shopper would read {:?}",
        decline.shopper_text()
    );
    Ok(())
}
