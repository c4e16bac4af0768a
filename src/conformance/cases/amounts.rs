//! Amounts reach the service's books exactly, and come back exactly.

use crate::conformance::rig::Shopper;
use crate::conformance::stage::{Proof, Stage, Stop, ensure};
use crate::error::ErrorKind;
use crate::money::Money;

pub(crate) async fn yen_without_decimals_are_exact(stage: &Stage<'_>) -> Proof {
    is_exact(stage, "1999 JPY").await
}

pub(crate) async fn euros_with_two_decimals_are_exact(stage: &Stage<'_>) -> Proof {
    // 8.20 × 100 is 819.999… to whoever counts in binary fractions.
    is_exact(stage, "8.20 EUR").await
}

pub(crate) async fn dinars_with_three_decimals_are_exact(stage: &Stage<'_>) -> Proof {
    is_exact(stage, "18.600 KWD").await
}

async fn is_exact(stage: &Stage<'_>, amount: &str) -> Proof {
    let money: Money = amount.parse()?;
    let request = stage.request_money("A-1", money)?;
    let taken = stage.provider.capabilities().currencies.as_ref();
    if taken.is_some_and(|taken| !taken.contains(&money.currency())) {
        let outcome = stage.provider.create(&request).await;
        return match outcome {
            Err(error) if *error.kind() == ErrorKind::Unsupported && stage.rig.requests() == 0 => {
                Err(Stop::Refused(money.currency().code().into()))
            }
            _ => Err(Stop::Failed(format!("{amount} is not taken, and was sent"))),
        };
    }
    let payment = stage.shop(&request, Shopper::Pays).await?;
    let books = stage.booked(&request)?;
    ensure!(
        books.amount == money && books.captured == money,
        "{amount} was asked for, and the service has {books:?}"
    );
    ensure!(
        payment.amount == money && payment.captured == money,
        "{amount} came back as {} of which {} are captured",
        payment.amount,
        payment.captured
    );
    Ok(())
}
