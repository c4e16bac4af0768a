//! Mode, account, clock, and the first live payment: what the provider's answers show.

use std::pin::pin;
use std::time::Duration;

use futures_util::{Stream, TryStreamExt};

use super::{Answered, Look, tells};
use crate::capability::Operation;
use crate::cashier::{Store, last_news_of_money};
use crate::error::{ErrorKind, Result};
use crate::id::PaymentId;
use crate::mode::{Mode, ModeKind};
use crate::payment::Payment;
use crate::preflight::report::{Check, CheckKind};
use crate::request::{Account, Period};

/// How far a clock may be off where the provider's tolerance is not known.
const CLOCK_OFFSET_MAX: Duration = Duration::from_secs(150);

impl<M: Mode> Look<'_, M> {
    pub(super) fn mode(&self, answered: &Answered) -> Check {
        let mut check = Check::new(CheckKind::Mode);
        let sources = [
            ("the credentials", self.setup.credentials_mode),
            ("the address of the API", self.setup.url_mode),
        ];
        for (what, mode) in sources {
            match mode {
                Some(mode) if mode == M::KIND => check.pass(format!("{what}: {mode} mode")),
                Some(mode) => check.fail(
                    format!("{what}: {mode} mode, and {} mode is meant", M::KIND),
                    "take both from the same page of the provider",
                ),
                None => {}
            }
        }
        let url = &self.setup.api_url;
        if M::KIND == ModeKind::Live && !url.starts_with("https://") {
            check.fail(
                format!("the API is at {url:?}, which is not https"),
                "use the provider's own address",
            );
        }
        match &answered.account {
            Ok(account) => check.pass(format!("the account answers in {} mode", account.mode)),
            Err(error) => tells(&mut check, "the account", error),
        }
        check
    }

    pub(super) async fn account(&self, answered: &Answered) -> Check {
        let mut check = Check::new(CheckKind::Account);
        match &answered.account {
            Ok(account) => self.opened(&mut check, account),
            Err(error) => tells(&mut check, "the account", error),
        }
        if matches!(&answered.account, Err(error) if *error.kind() == ErrorKind::Credentials) {
            return check;
        }
        let lately = Period::since(answered.at.saturating_sub(Duration::from_secs(3600)));
        let provider = self.provider;
        let payments = reads(provider.list_payments(lately)).await;
        let disputes = reads(provider.list_disputes(lately)).await;
        let payouts = reads(provider.list_payouts(lately)).await;
        for (operation, read) in [
            (Operation::ListPayments, payments),
            (Operation::ListDisputes, disputes),
            (Operation::ListPayouts, payouts),
        ] {
            if !provider.capabilities().supports(operation) {
                continue;
            }
            match read {
                Ok(()) => check.pass(format!("may {operation}")),
                Err(error) => tells(&mut check, &format!("may not {operation}"), &error),
            }
        }
        check
    }

    fn opened(&self, check: &mut Check, account: &Account) {
        match &self.setup.account {
            Some(declared) if **declared != *account.id => check.fail(
                format!(
                    "the credentials open {}, and {declared} is meant",
                    account.id
                ),
                "take the credentials of the account that is meant",
            ),
            _ => check.pass(format!("the credentials open {}", account.id)),
        }
        match account.can_charge {
            Some(true) => check.pass("it can take payments"),
            Some(false) => check.fail(
                "it cannot take payments yet",
                "finish what the provider asks for to activate the account",
            ),
            None => check.unknown(
                "the provider does not say whether it can take payments",
                "look in the provider's dashboard, and vouch for it by name",
            ),
        }
        let known = &account.currencies;
        for currency in &self.preflight.currencies {
            if !known.is_empty() && !known.contains(currency) {
                check.unknown(
                    format!("the account keeps no {currency}: it would be converted"),
                    "open a balance in it, or vouch for conversion by name",
                );
            }
        }
    }

    pub(super) fn clock(&self, answered: &Answered) -> Check {
        let mut check = Check::new(CheckKind::Clock);
        let theirs = match &answered.account {
            Ok(account) => account.answered_at,
            Err(_) => None,
        };
        let Some(theirs) = theirs else {
            check.unknown(
                "no answer of the provider was dated",
                "look again when it answers",
            );
            return check;
        };
        let tolerance = self.setup.webhook_tolerance;
        let most = tolerance.map_or(CLOCK_OFFSET_MAX, |tolerance| tolerance / 2);
        let offset = theirs.abs_diff(answered.at);
        let seen = format!(
            "this machine says {}, the provider {theirs}: {} s apart, and at most {} s will do",
            answered.at,
            offset.as_secs(),
            most.as_secs()
        );
        if offset <= most {
            check.pass(seen);
        } else {
            check.fail(
                seen,
                "set the clock by NTP: webhooks would be refused as stale",
            );
        }
        check
    }

    pub(super) async fn first_payment(&self) -> Check {
        let mut check = Check::new(CheckKind::FirstPayment);
        if M::KIND == ModeKind::Test {
            check.pass("nothing to do in test mode");
            return check;
        }
        let Some(text) = &self.preflight.first_payment else {
            check.unknown(
                "no live payment is named",
                "pay a small amount yourself, give it back, and name the payment",
            );
            return check;
        };
        let id: PaymentId<M> = match text.parse() {
            Ok(id) => id,
            Err(error) => {
                check.fail(format!("{text}: {error}"), "name it as it is stored");
                return check;
            }
        };
        let payment = match self.provider.fetch_payment(&id).await {
            Ok(payment) => payment,
            Err(error) => {
                tells(&mut check, "the payment", &error);
                return check;
            }
        };
        match &payment.reference {
            Some(reference) if reference.namespace == *self.provider.namespace() => {
                check.pass(format!("it is for the order {}", reference.order));
            }
            _ => check.fail(
                "it carries no reference of this installation",
                "make it through this installation's own checkout",
            ),
        }
        if payment.captured.minor() == 0 {
            check.fail("nothing of it was captured", "pay it to the end");
        } else if payment.refunded == payment.captured {
            check.pass(format!("{} was taken and given back", payment.captured));
        } else {
            check.unknown(
                format!(
                    "{} of {} was given back",
                    payment.refunded, payment.captured
                ),
                "give the whole of it back",
            );
        }
        if let Some(store) = &self.preflight.store
            && let Err(error) = self.heard_of(&mut check, store.as_ref(), &payment).await
        {
            tells(&mut check, "the store", &error);
        }
        check
    }

    /// Whether the cashier has the first payment, and whether the provider's own webhooks arrive: a
    /// secret of another endpoint is well formed, and signs samples as well as the right one.
    async fn heard_of(
        &self,
        check: &mut Check,
        store: &dyn Store,
        payment: &Payment<M>,
    ) -> Result<()> {
        match store.order_of_payment(&payment.id.to_string()).await? {
            Some(order) => check.pass(format!("the store has it for the order {order}")),
            None => check.unknown(
                "the store does not have it",
                "give the store of the cashier that took it, or vouch for it by name",
            ),
        }
        let heard_at = last_news_of_money(store, self.provider.name()).await?;
        match heard_at.filter(|at| *at >= payment.created_at) {
            Some(at) => check.pass(format!("a webhook about money came at {at}")),
            None => check.unknown(
                "no webhook about money has come since it was made",
                "compare the webhook secret with the endpoint's, and see what the provider says of \
                 its deliveries; a sweep writes down what came",
            ),
        }
        Ok(())
    }
}

/// Reads the first page of a list.
async fn reads<T>(list: impl Stream<Item = Result<T>>) -> Result<()> {
    match pin!(list).try_next().await {
        // One thing in it cannot be read: the list itself can.
        Err(error) if error.item().is_some() => Ok(()),
        read => read.map(drop),
    }
}
