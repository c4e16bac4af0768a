//! Changes of a payment: each is only received, and its webhook says what came of it.
//!
//! Sources: <https://docs.adyen.com/online-payments/capture>,
//! <https://docs.adyen.com/online-payments/cancel>,
//! <https://docs.adyen.com/online-payments/refund>,
//! <https://docs.adyen.com/online-payments/reversal>.

use serde_json::{Map, Value, json};

use super::Adyen;
use super::amount::{from_wire, to_wire};
use super::convert::{Named, command_text, unexpected};
use super::wire::{Modification, PaymentLink};
use crate::capability::{Operation, unsupported};
use crate::capture::Change;
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{CommandId, IdempotencyKey, PaymentId, RefundId};
use crate::mode::Mode;
use crate::money::Money;
use crate::payment::{Payment, PaymentStatus};
use crate::refund::{Refund, RefundStatus};
use crate::request::{CaptureRequest, RefundReason, RefundRequest};

impl<M: Mode> Adyen<M> {
    pub(super) async fn take_held(
        &self,
        request: &CaptureRequest<M>,
        key: &IdempotencyKey,
    ) -> Result<Change<M>> {
        let mut body = self.change(Some(&request.command));
        body.insert("amount".into(), json!(to_wire(request.amount.money())?));
        let asked = Asked {
            operation: Operation::Capture,
            payment: &request.payment,
            what: "captures",
            amount: Some(request.amount.money()),
        };
        self.received(asked, body, key).await
    }

    pub(super) async fn let_go(
        &self,
        id: &PaymentId<M>,
        key: &IdempotencyKey,
    ) -> Result<Change<M>> {
        match Named::of(id) {
            Named::Payment => {
                let asked = Asked {
                    operation: Operation::Void,
                    payment: id,
                    what: "cancels",
                    amount: None,
                };
                self.received(asked, self.change(None), key).await
            }
            Named::Link => Ok(self.expire(id).await?.into()),
            Named::Session | Named::Unnamed => Err(unsupported(
                "Adyen ends payment links only: this checkout ends by time",
            )),
        }
    }

    pub(super) async fn give_back(
        &self,
        request: &RefundRequest<M>,
        key: &IdempotencyKey,
    ) -> Result<Refund<M>> {
        let mut body = self.change(Some(&request.command));
        body.insert("amount".into(), json!(to_wire(request.amount.money())?));
        body.insert("merchantRefundReason".into(), reason(request.reason).into());
        let asked = Asked {
            operation: Operation::Refund,
            payment: &request.payment,
            what: "refunds",
            amount: Some(request.amount.money()),
        };
        let (name, as_of) = self.request(asked, body, key).await?;
        let id = RefundId::new(self.name.clone(), &name)
            .map_err(|error| unexpected(error.to_string()))?;
        let amount = request.amount.money();
        let payment = request.payment.clone();
        let mut refund = Refund::new(id, payment, RefundStatus::Pending, amount, as_of);
        refund.command = Some(request.command.clone());
        Ok(refund)
    }

    /// Gives the whole of a payment back, whether it is only held or was taken: for a host that
    /// does not know which. Adyen refuses it after several partial captures.
    ///
    /// The webhook says by `CANCEL_OR_REFUND` which of the two it was. Make the key with
    /// [`IdempotencyKey::for_command`], once for each wish.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] for the id of a checkout.
    pub async fn reverse(
        &self,
        payment: &PaymentId<M>,
        command: &CommandId,
        key: &IdempotencyKey,
    ) -> Result<Change<M>> {
        let asked = Asked {
            operation: Operation::Void,
            payment,
            what: "reversals",
            amount: None,
        };
        self.received(asked, self.change(Some(command)), key).await
    }

    /// Changes how much of a payment is held, as when a stay in a hotel grows longer. The card must
    /// have been authorised for that.
    ///
    /// The webhook says by `AUTHORISATION_ADJUSTMENT` whether it is so. Make the key with
    /// [`IdempotencyKey::for_command`], once for each wish.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] for the id of a checkout, or an amount that Adyen cannot count.
    pub async fn update_amount(
        &self,
        payment: &PaymentId<M>,
        amount: Money,
        command: &CommandId,
        key: &IdempotencyKey,
    ) -> Result<Change<M>> {
        let mut body = self.change(Some(command));
        body.insert("amount".into(), json!(to_wire(amount)?));
        let asked = Asked {
            operation: Operation::Capture,
            payment,
            what: "amountUpdates",
            amount: Some(amount),
        };
        self.received(asked, body, key).await
    }

    async fn received(
        &self,
        asked: Asked<'_, M>,
        body: Map<String, Value>,
        key: &IdempotencyKey,
    ) -> Result<Change<M>> {
        let payment = asked.payment.clone();
        let (request, _) = self.request(asked, body, key).await?;
        Ok(Change::Received { payment, request })
    }

    /// Sends a change, and gives Adyen's name for it and when it was received.
    async fn request(
        &self,
        asked: Asked<'_, M>,
        body: Map<String, Value>,
        key: &IdempotencyKey,
    ) -> Result<(Box<str>, Timestamp)> {
        Named::of(asked.payment).must_be_payment()?;
        let path = ["payments", asked.payment.raw(), asked.what];
        let answer = self
            .client
            .post(asked.operation, &path, &body.into(), key)
            .await?;
        self.client.read(&answer, |change: Modification| {
            self.client.check_account(&change.merchant_account)?;
            if change.status != "received" {
                return Err(unexpected("Adyen answered in another status than received"));
            }
            if change.payment_psp_reference != asked.payment.raw() {
                return Err(unexpected("Adyen answered about another payment"));
            }
            let answered = change.amount.as_ref().map(from_wire).transpose()?;
            if answered.is_some_and(|answered| Some(answered) != asked.amount) {
                let message = "Adyen answered with another amount than was asked for: the command \
                               was sent with that one before";
                return Err(unexpected(message));
            }
            // It is of the same make as a payment's.
            self.payment_id(&change.psp_reference)?;
            Ok((change.psp_reference.into(), self.client.time_of(&answer)))
        })
    }

    /// Ends a payment link.
    async fn expire(&self, id: &PaymentId<M>) -> Result<Payment<M>> {
        let path = ["paymentLinks", id.raw()];
        let body = json!({"status": "expired"});
        let answer = self.client.patch(Operation::Void, &path, &body).await;
        let answer = match answer {
            // A link that is no longer open refuses that without a code of its own.
            Err(refused) if *refused.kind() == ErrorKind::InvalidRequest => {
                let link = self.link(id).await?;
                return match link.status {
                    PaymentStatus::Expired => Ok(link),
                    PaymentStatus::Pending => Err(paid_by_link(id)),
                    _ => Err(refused),
                };
            }
            answer => answer?,
        };
        let as_of = self.client.time_of(&answer);
        let link = self.client.read(&answer, |link: PaymentLink| {
            self.payment_of_link(&link, as_of)
        })?;
        match link.status {
            PaymentStatus::Expired => Ok(link),
            PaymentStatus::Pending => Err(paid_by_link(id)),
            _ => Err(unexpected("Adyen has not ended the payment link")),
        }
    }

    fn change(&self, command: Option<&CommandId>) -> Map<String, Value> {
        let mut body = Map::new();
        let account = &*self.client.merchant_account;
        body.insert("merchantAccount".into(), account.into());
        if let Some(command) = command {
            body.insert("reference".into(), command_text(command).into());
        }
        body
    }
}

/// A change of a payment.
struct Asked<'a, M: Mode> {
    operation: Operation,
    payment: &'a PaymentId<M>,
    /// The collection that it is posted to.
    what: &'static str,
    amount: Option<Money>,
}

fn paid_by_link<M: Mode>(id: &PaymentId<M>) -> Error {
    let message =
        "a shopper has paid by the link: void or refund the payment that its webhook names";
    Error::new(ErrorKind::Conflict, message).with_payment(id)
}

const fn reason(reason: RefundReason) -> &'static str {
    match reason {
        RefundReason::RequestedByShopper => "CUSTOMER REQUEST",
        RefundReason::Duplicate => "DUPLICATE",
        RefundReason::Fraud => "FRAUD",
    }
}
