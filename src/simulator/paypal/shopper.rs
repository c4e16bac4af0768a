//! The person who pays: what a browser would do on the approval page.

use super::errors::ApiError;
use super::funding::Funding;
use super::orders::{self, Order, State};
use super::state::{PAYER_ID, World};

/// A shopper's hands, on an order.
///
/// Walking away needs no action: nothing is done, and the order lapses on its own.
#[derive(Debug)]
pub struct Shopper<'a> {
    world: &'a mut World,
}

/// What the shopper sees.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShopperOutcome {
    /// The order is approved; the shop can take the money now.
    Approved {
        /// Where the browser goes next, with the order's id and the payer's, if the shop said so.
        return_url: Option<String>,
    },
    /// The bank wants to know that it is them: to be passed or failed.
    Challenged {
        /// The page with the challenge.
        url: String,
    },
    /// The bank did not believe it; another way to pay can be tried.
    Declined,
    /// The shopper went back to the shop without paying.
    Cancelled {
        /// Where the browser goes next, if the shop said so.
        cancel_url: Option<String>,
    },
}

/// Why the shopper could not do it: there is no such order, or it is not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ShopperError(pub(super) String);

impl<'a> Shopper<'a> {
    pub(super) fn new(world: &'a mut World) -> Self {
        Self { world }
    }

    /// Approves an order, to be paid by `funding`. An order whose payment was refused can be
    /// approved again.
    ///
    /// # Errors
    /// There is no such order, its time is over, or it is paid.
    pub fn approve(
        &mut self,
        order: &str,
        funding: Funding,
    ) -> Result<ShopperOutcome, ShopperError> {
        let mut order = self.open_order(order)?;
        if funding == Funding::Challenge {
            order.state = State::Challenged;
            order.updated = self.world.now;
            let url = order.page_url(self.world);
            self.world.orders.put(order);
            return Ok(ShopperOutcome::Challenged { url });
        }
        Ok(self.agree(order, funding))
    }

    /// Passes the bank's challenge, which approves the order.
    ///
    /// # Errors
    /// There is no challenge to answer.
    pub fn pass_challenge(&mut self, order: &str) -> Result<ShopperOutcome, ShopperError> {
        let order = self.challenged_order(order)?;
        Ok(self.agree(order, Funding::Challenge))
    }

    /// Fails the bank's challenge: the order is open again.
    ///
    /// # Errors
    /// There is no challenge to answer.
    pub fn fail_challenge(&mut self, order: &str) -> Result<ShopperOutcome, ShopperError> {
        let mut order = self.challenged_order(order)?;
        order.state = State::Open;
        order.updated = self.world.now;
        self.world.orders.put(order);
        Ok(ShopperOutcome::Declined)
    }

    /// Goes back to the shop without approving. The order stays open.
    ///
    /// # Errors
    /// There is no such order, its time is over, or it is paid.
    pub fn cancel(&mut self, order: &str) -> Result<ShopperOutcome, ShopperError> {
        let order = self.open_order(order)?;
        let cancel_url = cancel_url(&order);
        Ok(ShopperOutcome::Cancelled { cancel_url })
    }

    fn agree(&mut self, order: Order, funding: Funding) -> ShopperOutcome {
        let return_url = with_query(
            order.page.return_url.as_deref(),
            &[("token", &order.id), ("PayerID", PAYER_ID)],
        );
        orders::approve(self.world, order, funding);
        ShopperOutcome::Approved { return_url }
    }

    fn open_order(&self, id: &str) -> Result<Order, ShopperError> {
        let order = orders::known(self.world, id).map_err(|error| refused(&error))?;
        match order.state {
            State::Completed => Err(ShopperError("this order is paid".to_owned())),
            State::Voided => Err(ShopperError("this order has expired".to_owned())),
            _ if order.lapsed => Err(ShopperError("this order has expired".to_owned())),
            _ => Ok(order),
        }
    }

    fn challenged_order(&self, id: &str) -> Result<Order, ShopperError> {
        let order = self.open_order(id)?;
        if order.state != State::Challenged {
            return Err(ShopperError("there is nothing to confirm".to_owned()));
        }
        Ok(order)
    }
}

/// Where a shopper goes who does not want to pay.
pub(super) fn cancel_url(order: &Order) -> Option<String> {
    with_query(order.page.cancel_url.as_deref(), &[("token", &order.id)])
}

fn with_query(url: Option<&str>, more: &[(&str, &str)]) -> Option<String> {
    let url = url?;
    let mut query = form_urlencoded::Serializer::new(String::new());
    let query = query.extend_pairs(more).finish();
    let separator = if url.contains('?') { '&' } else { '?' };
    Some(format!("{url}{separator}{query}"))
}

fn refused(error: &ApiError) -> ShopperError {
    ShopperError(error.issue().to_owned())
}
