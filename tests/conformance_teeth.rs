//! The conformance suite catches providers that break a rule: each mistake here was made in the
//! field, and the case that is about it must fail.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // helpers of tests

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use counterfoil::clock::{ManualClock, Timestamp};
use counterfoil::conformance::{
    Booked, Case, Fault, Happening, Outcome, Rig, Shopper, SignedWith, Strikes, Unable,
    UnusualNotice,
};
use counterfoil::error::{Decline, DeclineReason};
use counterfoil::id::{Attempt, IdempotencyKey, Namespace, PaymentId, ProviderName, Reference};
use counterfoil::money::{Currency, Money, PositiveMoney};
use counterfoil::payment::{Payment, PaymentStatus};
use counterfoil::rehearsal::Scenario;
use counterfoil::request::CreateRequest;
use counterfoil::webhook::{EventKind, Notice, WebhookRefusal, WebhookRequest};
use counterfoil::{
    Capabilities, Effect, Error, ErrorKind, Live, PaymentProvider, Provider, Result, Test,
};

#[allow(dead_code, unused_imports)] // its `main` is for the example
#[path = "../examples/custom_provider.rs"]
mod custom_provider;

use custom_provider::{API_KEY, Tallypay, TallypayRig};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    TakesANewKeyEachTime,
    CallsATimeoutAFailure,
    CallsAServerErrorADecline,
    SendsYenTimesAHundred,
    ForgetsTheReferenceOnFetch,
    CallsAnOpenCheckoutPaid,
    FindsNothing,
    AcceptsStaleWebhooks,
    CallsAnUnknownStatusAFailure,
    PanicsOnAnEmptyBody,
    ShowsItsKeyInErrors,
}

#[test]
fn each_mistake_fails_the_case_that_is_about_it() {
    use Mistake::*;
    for (mistake, group, name) in [
        (
            TakesANewKeyEachTime,
            "creation",
            "the_same_attempt_twice_is_one_payment",
        ),
        (
            CallsATimeoutAFailure,
            "faults",
            "an_answer_lost_after_processing_is_unknown_and_found",
        ),
        (
            CallsAServerErrorADecline,
            "faults",
            "a_server_error_before_processing_is_never_a_decline",
        ),
        (
            SendsYenTimesAHundred,
            "amounts",
            "yen_without_decimals_are_exact",
        ),
        (
            ForgetsTheReferenceOnFetch,
            "creation",
            "the_reference_comes_back_on_every_fetch",
        ),
        (
            CallsAnOpenCheckoutPaid,
            "shopper",
            "a_new_payment_is_not_paid",
        ),
        (
            FindsNothing,
            "faults",
            "an_answer_lost_after_processing_is_unknown_and_found",
        ),
        (
            AcceptsStaleWebhooks,
            "forgeries",
            "a_stale_notice_is_refused",
        ),
        (
            CallsAnUnknownStatusAFailure,
            "webhooks",
            "an_unknown_status_is_neither_success_nor_failure",
        ),
        (PanicsOnAnEmptyBody, "forgeries", "an_empty_body_is_refused"),
        (ShowsItsKeyInErrors, "limits", "no_secret_is_shown"),
    ] {
        let case = Case::named(group, name).unwrap();
        assert_eq!(case.run(TallypayRig::default), Outcome::Proven, "{case}");
        let outcome = case.run(|| BadRig::new(mistake));
        println!("{mistake:?}: {outcome}");
        assert!(
            matches!(outcome, Outcome::Failed(_)),
            "{mistake:?}: {outcome}"
        );
    }
}

/// What a rehearsal finds of the same mistakes, but for those that the cashier makes up for.
#[test]
fn each_mistake_fails_the_scenario_that_is_about_it() {
    use Mistake::*;
    for (mistake, id) in [
        (CallsATimeoutAFailure, "S15"),
        (CallsAServerErrorADecline, "S14"),
        (SendsYenTimesAHundred, "S49"),
        (CallsAnOpenCheckoutPaid, "S12"),
        (AcceptsStaleWebhooks, "S26"),
        (CallsAnUnknownStatusAFailure, "S31"),
    ] {
        let scenario = Scenario::with_id(id).unwrap();
        assert_eq!(scenario.play(TallypayRig::default), Outcome::Proven, "{id}");
        let outcome = scenario.play(|| BadRig::new(mistake));
        println!("{mistake:?}: {outcome}");
        assert!(
            matches!(outcome, Outcome::Failed(_)),
            "{mistake:?} passes {scenario:?}: {outcome}"
        );
    }
}

#[test]
fn what_a_rig_cannot_play_is_not_passed_in_silence() {
    let case = Case::named("webhooks", "an_unknown_type_is_tolerated").unwrap();
    let outcome = case.run(|| LazyRig::new(&[]));
    assert!(matches!(outcome, Outcome::NotProven(_)) && !outcome.is_good());
    let outcome = case.run(|| LazyRig::new(&[("webhooks::an_unknown_type_is_tolerated", "why")]));
    assert_eq!(outcome, Outcome::KnownGap("why".into()));
    // A gap that has closed must leave the list.
    let case = Case::named("webhooks", "a_genuine_notice_is_accepted").unwrap();
    let outcome = case.run(|| LazyRig::new(&[("webhooks::a_genuine_notice_is_accepted", "why")]));
    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome}");
}

/// Tallypay, with one mistake in it.
#[derive(Debug)]
struct Bad {
    inner: Tallypay<Test>,
    mistake: Mistake,
    keys: AtomicU32,
}

impl Bad {
    fn makes(&self, mistake: Mistake) -> bool {
        self.mistake == mistake
    }

    fn spoil_payment(&self, mut payment: Payment<Test>) -> Payment<Test> {
        if self.makes(Mistake::CallsAnOpenCheckoutPaid) && payment.status == PaymentStatus::Created
        {
            payment.status = PaymentStatus::Captured;
            payment.captured = payment.amount;
        }
        if self.makes(Mistake::SendsYenTimesAHundred) && payment.amount.currency() == Currency::JPY
        {
            // The mistake hides itself by dividing by the same constant on the way back.
            let hidden = |money: Money| Money::new(money.minor() / 100, Currency::JPY);
            payment.amount = hidden(payment.amount);
            payment.captured = hidden(payment.captured);
        }
        payment
    }

    fn spoil_error(&self, error: Error) -> Error {
        let unknown = error.effect() == Effect::Unknown;
        if self.makes(Mistake::CallsATimeoutAFailure) && unknown {
            return error.with_effect(Effect::NotApplied);
        }
        if self.makes(Mistake::CallsAServerErrorADecline) && unknown {
            let decline = Decline::new(DeclineReason::Generic);
            return Error::new(ErrorKind::Declined(decline), "declined");
        }
        error
    }
}

#[async_trait]
impl PaymentProvider for Bad {
    type Mode = Test;

    fn name(&self) -> &ProviderName {
        self.inner.name()
    }

    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    async fn create(
        &self,
        request: &CreateRequest,
        reference: &Reference,
        key: &IdempotencyKey,
    ) -> Result<Payment<Test>> {
        let mut request = request.clone();
        let mut key = key.clone();
        let yen = request.amount.currency() == Currency::JPY;
        if self.makes(Mistake::SendsYenTimesAHundred) && yen {
            let hundredfold = Money::new(request.amount.minor() * 100, Currency::JPY);
            request.amount = PositiveMoney::new(hundredfold)?;
        }
        if self.makes(Mistake::TakesANewKeyEachTime) {
            let mut other = reference.clone();
            for _ in 0..=self.keys.fetch_add(1, Ordering::SeqCst) {
                other.attempt = Attempt::next(other.attempt);
            }
            key = IdempotencyKey::for_creation(&other);
        }
        let created = self.inner.create(&request, reference, &key).await;
        created
            .map(|payment| self.spoil_payment(payment))
            .map_err(|error| self.spoil_error(error))
    }

    async fn fetch_payment(&self, id: &PaymentId<Test>) -> Result<Payment<Test>> {
        let fetched = self.inner.fetch_payment(id).await.map_err(|error| {
            if self.makes(Mistake::ShowsItsKeyInErrors) {
                let message = format!("{API_KEY} found nothing");
                return Error::new(error.kind().clone(), message);
            }
            error
        });
        let mut payment = self.spoil_payment(fetched?);
        if self.makes(Mistake::ForgetsTheReferenceOnFetch) {
            payment.reference = None;
        }
        Ok(payment)
    }

    async fn find_payments(&self, reference: &Reference) -> Result<Vec<Payment<Test>>> {
        if self.makes(Mistake::FindsNothing) {
            return Ok(Vec::new());
        }
        self.inner.find_payments(reference).await
    }

    async fn verify_webhook(
        &self,
        request: &WebhookRequest,
        now: Timestamp,
    ) -> Result<Vec<Notice<Test>>, WebhookRefusal> {
        if self.makes(Mistake::PanicsOnAnEmptyBody) {
            assert_eq!(request.body()[0], b'{');
        }
        let mut now = now;
        if self.makes(Mistake::AcceptsStaleWebhooks) {
            let header = request.headers()["tallypay-signature"].to_str().unwrap();
            let (signed_at, _) = header.split_once(',').unwrap();
            now = Timestamp::from_unix(signed_at.parse().unwrap());
        }
        let mut notices = self.inner.verify_webhook(request, now).await?;
        for notice in &mut notices {
            if let Notice::Event(draft) = notice
                && let EventKind::Payment(payment) = &mut draft.kind
                && matches!(payment.status, PaymentStatus::Unrecognized(_))
                && self.makes(Mistake::CallsAnUnknownStatusAFailure)
            {
                payment.status = PaymentStatus::Failed(Decline::new(DeclineReason::Generic));
            }
        }
        Ok(notices)
    }
}

/// Tallypay's rig, around another provider.
struct BadRig {
    rig: TallypayRig,
    mistake: Mistake,
}

impl BadRig {
    fn new(mistake: Mistake) -> Self {
        let rig = TallypayRig::default();
        Self { rig, mistake }
    }
}

/// Tallypay's rig, less the unusual notices.
struct LazyRig {
    rig: TallypayRig,
    gaps: &'static [(&'static str, &'static str)],
}

impl LazyRig {
    fn new(gaps: &'static [(&'static str, &'static str)]) -> Self {
        let rig = TallypayRig::default();
        Self { rig, gaps }
    }
}

/// What both rigs leave to Tallypay's.
macro_rules! delegate {
    () => {
        fn live_provider(&self, installation: &Namespace) -> Provider<Live> {
            self.rig.live_provider(installation)
        }

        fn provider_with_wrong_key(&self, installation: &Namespace) -> Provider<Test> {
            self.rig.provider_with_wrong_key(installation)
        }

        fn secrets(&self) -> Vec<String> {
            self.rig.secrets()
        }

        fn now(&self) -> Timestamp {
            self.rig.now()
        }

        fn requests(&self) -> usize {
            self.rig.requests()
        }

        fn books(&self, reference: &Reference) -> Vec<Booked> {
            Rig::books(&self.rig, reference)
        }

        fn shopper(&self, payment: &Payment<Test>, shopper: Shopper) -> Result<(), Unable> {
            self.rig.shopper(payment, shopper)
        }

        fn happen(&self, happening: Happening<'_>) -> Result<(), Unable> {
            self.rig.happen(happening)
        }

        fn fault(&self, fault: Fault, on: Strikes, requests: usize) -> Result<(), Unable> {
            self.rig.fault(fault, on, requests)
        }

        fn webhooks(&self) -> Vec<WebhookRequest> {
            self.rig.webhooks()
        }

        fn sign(
            &self,
            body: &[u8],
            at: Timestamp,
            secret: SignedWith,
        ) -> Result<WebhookRequest, Unable> {
            self.rig.sign(body, at, secret)
        }
    };
}

impl Rig for BadRig {
    fn provider(&self, installation: &Namespace) -> Provider<Test> {
        let bad = Bad {
            inner: self.rig.tallypay(API_KEY),
            mistake: self.mistake,
            keys: AtomicU32::new(0),
        };
        Provider::new(bad, installation.clone()).with_clock(Arc::new(ManualClock::new(self.now())))
    }

    fn unusual_notice(&self, notice: UnusualNotice<'_>) -> Result<Vec<u8>, Unable> {
        self.rig.unusual_notice(notice)
    }

    delegate!();
}

impl Rig for LazyRig {
    fn provider(&self, installation: &Namespace) -> Provider<Test> {
        self.rig.provider(installation)
    }

    fn known_gaps(&self) -> &'static [(&'static str, &'static str)] {
        self.gaps
    }

    delegate!();
}
