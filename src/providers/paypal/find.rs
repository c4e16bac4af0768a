//! Fetching a payment by any of its names. PayPal's ids do not tell what they are of.

use super::PayPal;
use super::wire::{Authorization, Capture, Order};
use crate::capability::Operation;
use crate::error::{Error, ErrorKind, Result};
use crate::mode::Mode;
use crate::payment::Payment;

/// A payment, and the order that it was read from, if there is one.
pub(super) struct Found<M: Mode> {
    pub(super) payment: Payment<M>,
    pub(super) order: Option<Order>,
}

impl<M: Mode> PayPal<M> {
    /// Fetches a payment by the id of an order, a capture or an authorization.
    pub(super) async fn fetch(&self, operation: Operation, id: &str) -> Result<Found<M>> {
        if !id
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        {
            let message = "PayPal's ids are capital letters and digits: nothing is called so";
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        if let Some(found) = found(self.fetch_order(operation, id).await)? {
            return Ok(found);
        }
        let part = match found(self.fetch_capture(operation, id).await)? {
            Some(part) => part,
            None => self.fetch_authorization(operation, id).await?,
        };
        // The order knows all captures and refunds; one that was made elsewhere may not be read.
        match self.fetch_order(operation, part.id.raw()).await {
            Ok(whole) if part.id.raw() != id => Ok(whole),
            Err(error) if !is_unreadable(&error) => Err(error),
            _ => Ok(Found {
                payment: part,
                order: None,
            }),
        }
    }

    pub(super) async fn fetch_order(&self, operation: Operation, id: &str) -> Result<Found<M>> {
        let answer = self.client.order(operation, id).await?;
        self.client.read(&answer, |reader, order: Order| {
            Ok(Found {
                payment: reader.order(&order)?,
                order: Some(order),
            })
        })
    }

    async fn fetch_capture(&self, operation: Operation, id: &str) -> Result<Payment<M>> {
        let answer = self.client.capture(operation, id).await?;
        self.client
            .read(&answer, |reader, capture: Capture| reader.capture(&capture))
    }

    async fn fetch_authorization(&self, operation: Operation, id: &str) -> Result<Payment<M>> {
        let answer = self.client.authorization(operation, id).await?;
        self.client.read(&answer, |reader, hold: Authorization| {
            reader.authorization(&hold)
        })
    }
}

fn found<T>(fetched: Result<T>) -> Result<Option<T>> {
    match fetched {
        Ok(found) => Ok(Some(found)),
        Err(error) if *error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_unreadable(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::UnexpectedResponse
    )
}
