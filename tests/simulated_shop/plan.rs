//! What will happen to an order, drawn when it is made.

use super::dice::Dice;

/// One order and the people around it. Amounts are in cents.
#[derive(Debug, Clone)]
pub struct Plan {
    pub total: i64,
    /// Whether the money is only held at first.
    pub is_manual: bool,
    /// The cards that the shopper tries in turn; the last one again and again.
    pub cards: Vec<&'static str>,
    /// Whether the shop's own page takes the card, and not the provider's.
    pub is_direct: bool,
    /// Asked for at once.
    pub refunds: Vec<i64>,
    /// What staff do with a held amount.
    pub hold: Hold,
    /// Whether all its webhooks are lost.
    pub is_silent: bool,
    /// Whether staff wait for what is not there yet, and ask again for what was refused.
    pub is_patient: bool,
}

/// What becomes of a held amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    Captured,
    HalfCaptured,
    /// First a third, then the rest.
    CapturedInParts,
    Voided,
    /// Nobody looks after it.
    Forgotten,
}

impl Plan {
    /// The plain case: a hosted page, paid with a good card.
    pub fn plain(total: i64) -> Self {
        Self {
            total,
            is_manual: false,
            cards: vec!["visa"],
            is_direct: false,
            refunds: Vec::new(),
            hold: Hold::Captured,
            is_silent: false,
            is_patient: true,
        }
    }

    pub fn draw(dice: &Dice) -> Self {
        let total = 100 + i64::from(dice.below(10_000));
        let mut refunds = Vec::new();
        if dice.chance(400) {
            // Of two of more than half at once, at most one can be done.
            let amount = match dice.chance(300) {
                true => total / 2 + 1,
                false => total / 3,
            };
            refunds.push(amount);
            if dice.chance(500) {
                refunds.push(amount);
            }
        }
        let mut cards = Vec::new();
        while dice.chance(200) {
            cards.push(match dice.below(3) {
                0 => "chargeDeclined",
                1 => "chargeDeclinedInsufficientFunds",
                _ => "threeDSecure2Required",
            });
        }
        cards.push(match dice.below(20) {
            0 => "pendingRefund",
            1 => "refundFail",
            2 => "bypassPending",
            3 => "threeDSecure2Required",
            4..8 => "mastercard",
            _ => "visa",
        });
        Self {
            total,
            is_manual: dice.chance(150),
            cards,
            is_direct: dice.chance(350),
            refunds,
            hold: match dice.below(10) {
                0..3 => Hold::Captured,
                3..5 => Hold::CapturedInParts,
                5..7 => Hold::HalfCaptured,
                7..9 => Hold::Voided,
                _ => Hold::Forgotten,
            },
            is_silent: dice.chance(50),
            is_patient: dice.chance(250),
        }
    }

    /// The card of the shopper's try of this number, counted from 0.
    pub fn card(&self, number: usize) -> &'static str {
        let last = self.cards.len() - 1;
        self.cards[number.min(last)]
    }

    /// What an amended order costs.
    pub const fn amended(&self) -> i64 {
        self.total + 50
    }
}
