//! What never happens: the unsupported, the foreign id, the shown secret.

use std::error::Error as _;
use std::fmt::{Debug, Write};

use crate::capability::Operation;
use crate::conformance::rig::SignedWith;
use crate::conformance::spans::Written;
use crate::conformance::stage::{Proof, Stage, Stop, ensure, refusal};
use crate::error::{Effect, Error, ErrorKind};
use crate::id::{Namespace, PaymentId, ProviderName};
use crate::mode::{ModeKind, Test};

pub(crate) async fn what_is_unsupported_is_refused_before_io(stage: &Stage<'_>) -> Proof {
    for operation in Operation::ALL {
        if !stage.supports(operation) {
            stage.sees_refusal(operation).await?;
        }
    }
    if !stage.supports(Operation::Capture) {
        // An amount that could never be captured must not be held.
        let held = stage.request("A-1", 2000)?.with_manual_capture();
        let error = refusal("holding an amount", stage.provider.create(&held).await)?;
        ensure!(
            *error.kind() == ErrorKind::Unsupported && stage.rig.requests() == 0,
            "it cannot capture, and holding an amount ended in: {error}"
        );
    }
    Ok(())
}

pub(crate) async fn the_account_says_its_mode(stage: &Stage<'_>) -> Proof {
    stage.needs(Operation::Account).await?;
    let account = stage.provider.account().await?;
    ensure!(
        account.mode == ModeKind::Test && !account.id.is_empty(),
        "a test account says {account:?}"
    );
    Ok(())
}

pub(crate) async fn an_id_of_another_provider_is_refused_before_io(stage: &Stage<'_>) -> Proof {
    stage.needs(Operation::FetchPayment).await?;
    let foreign = PaymentId::<Test>::new(ProviderName::new("another-psp")?, "pay_1")?;
    let fetched = stage.provider.fetch_payment(&foreign).await;
    let error = refusal("an id of another provider", fetched)?;
    ensure!(
        *error.kind() == ErrorKind::InvalidRequest && stage.rig.requests() == 0,
        "an id of another provider ended in: {error}"
    );
    Ok(())
}

pub(crate) async fn a_payment_of_another_installation_is_refused(stage: &Stage<'_>) -> Proof {
    let (request, payment) = stage.paid(2000).await?;
    let other = stage.rig.provider(&Namespace::new("other-shop")?);
    if stage.supports(Operation::FetchPayment) {
        let fetched = other.fetch_payment(&payment.id).await;
        let error = refusal("a payment of another installation", fetched)?;
        ensure!(
            *error.kind() == ErrorKind::Conflict,
            "a payment of another installation ended in: {error}"
        );
    }
    // The same order and attempt of two installations are two payments.
    other.create(&request).await?;
    ensure!(
        stage.rig.books(&other.reference(&request)).len() == 1,
        "two installations share a payment"
    );
    stage.booked(&request)?;
    Ok(())
}

pub(crate) async fn a_payment_that_does_not_exist_is_not_found(stage: &Stage<'_>) -> Proof {
    stage.needs(Operation::FetchPayment).await?;
    let (_, payment) = stage.paid(2000).await?;
    let raw = format!("{}x", payment.id.raw());
    let nobodys = PaymentId::new(stage.provider.name().clone(), &raw)?;
    let fetched = stage.provider.fetch_payment(&nobodys).await;
    let error = refusal("an id that nobody gave", fetched)?;
    ensure!(
        *error.kind() == ErrorKind::NotFound && error.effect() == Effect::NotApplied,
        "a payment that does not exist ended in: {error}"
    );
    Ok(())
}

pub(crate) async fn a_crafted_id_never_leaves_its_path(stage: &Stage<'_>) -> Proof {
    stage.needs(Operation::FetchPayment).await?;
    let (request, payment) = stage.paid(2000).await?;
    let before = stage.booked(&request)?;
    let raw = payment.id.raw();
    for crafted in [
        "..".to_owned(),
        format!("./{raw}"),
        format!("x/../{raw}"),
        format!("{raw}/"),
        format!("{raw}?expand=all"),
        format!("{raw}#part"),
        format!("{raw}%2fcancel"),
        format!("{raw}\r\nHost: other.example"),
        format!("{raw}:cancel"),
        format!("{raw}=1"),
        format!("{raw}+1"),
        format!("~{raw}"),
        format!("..{raw}"),
    ] {
        // What no id can be made of is refused before there is an id.
        let Ok(id) = PaymentId::<Test>::new(stage.provider.name().clone(), &crafted) else {
            continue;
        };
        let error = refusal("a crafted id", stage.provider.fetch_payment(&id).await)?;
        ensure!(
            super::listing::says_not_there(error.kind()),
            "the id {crafted:?} ended in: {error}"
        );
    }
    ensure!(
        stage.booked(&request)? == before,
        "a crafted id changed the payment"
    );
    Ok(())
}

pub(crate) async fn no_secret_is_shown(stage: &Stage<'_>) -> Proof {
    let written = Written::default();
    let mut shown = String::new();
    let request = stage.request("A-1", 2000)?;
    // A span that another thread has met first, without a subscriber, may be kept from the one that
    // is set here. What was met before it is set is shown.
    let _ = stage.provider.create(&request).await?;
    {
        let _guard = tracing::subscriber::set_default(written.clone());
        show(&mut shown, &stage.provider);
        show(&mut shown, &request);
        show(&mut shown, &stage.provider.create(&request).await?);
        if !stage.is_offline() {
            let wrong = stage
                .rig
                .provider_with_wrong_key(stage.provider.namespace());
            show(&mut shown, &wrong);
            let refused = wrong.create(&stage.request("A-2", 2000)?).await;
            show_error(&mut shown, &refusal("a wrong key", refused)?);
        }
        if stage.supports(Operation::FetchPayment) {
            let nobodys = PaymentId::new(stage.provider.name().clone(), "nobodys")?;
            let fetched = stage.provider.fetch_payment(&nobodys).await;
            show_error(&mut shown, &refusal("an id that nobody gave", fetched)?);
        }
        if stage.supports(Operation::VerifyWebhook) {
            let webhooks = stage.webhooks();
            for webhook in &webhooks {
                show(&mut shown, webhook);
                show(&mut shown, &stage.provider.webhook(webhook).await);
            }
            let now = stage.rig.now();
            if let Ok(forged) = stage.rig.sign(b"{}", now, SignedWith::AnotherSecret) {
                show(&mut shown, &stage.provider.webhook(&forged).await);
            }
        }
    }
    let spans = written.text();
    let name = stage.provider.name().as_str();
    ensure!(
        spans.contains(name) && spans.contains("operation"),
        "the spans name neither the provider nor what was asked of it"
    );
    let secrets = stage.rig.secrets();
    if secrets.is_empty() && !stage.is_offline() {
        let message = "the rig names no secret, and the provider has a key";
        return Err(Stop::NotProven(message.into()));
    }
    for secret in secrets {
        ensure!(
            secret.len() >= 8,
            "the rig's secrets are too short to search for"
        );
        ensure!(
            !shown.contains(&secret),
            "a secret is shown by Debug or an error"
        );
        ensure!(!spans.contains(&secret), "a secret is shown in a span");
    }
    Ok(())
}

fn show(shown: &mut String, value: &impl Debug) {
    // Writing to a string cannot fail.
    let _ = writeln!(shown, "{value:?}\n{value:#?}");
}

fn show_error(shown: &mut String, error: &Error) {
    show(shown, error);
    let _ = writeln!(shown, "{error}");
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = writeln!(shown, "{cause}\n{cause:?}");
        source = cause.source();
    }
}
