//! How long the cashier waits before it tells a person.

use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// How long things may take, or how near their end they may come, before a person is told. The
/// concern is raised once, by the sweep.
///
/// ```
/// use std::time::Duration;
/// use counterfoil::cashier::Patience;
///
/// let patience = Patience::default().with_lapse(Duration::from_secs(2 * 86_400));
/// assert_eq!(patience.refund.as_secs(), 10 * 86_400);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Patience {
    /// How long an outcome may stay unknown: 1 hour unless set, many times a request's own limit.
    pub unknown: Duration,
    /// How long a refund may be on its way: 10 days unless set, since card refunds take 5 to 10
    /// business days (<https://docs.stripe.com/refunds>) and slower ones are worth a look.
    pub refund: Duration,
    /// How long before a held amount lapses: 1 day unless set, of the 7 days that most cards hold
    /// (<https://docs.stripe.com/payments/place-a-hold-on-a-payment-method>).
    pub lapse: Duration,
    /// How long nothing may be heard of a payment that is under way, or of a capture or void that
    /// the provider has received: 3 days unless set, since bank debits and a weekend take that
    /// long. It speaks up for providers that cannot be asked.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            unknown: HOUR,
            refund: DAY * 10,
            lapse: DAY,
            silence: DAY * 3,
        }
    }
}

impl Patience {
    /// Sets how long an outcome may stay unknown.
    #[must_use]
    pub const fn with_unknown(mut self, unknown: Duration) -> Self {
        self.unknown = unknown;
        self
    }

    /// Sets how long a refund may be on its way.
    #[must_use]
    pub const fn with_refund(mut self, refund: Duration) -> Self {
        self.refund = refund;
        self
    }

    /// Sets how long before a held amount lapses a person is told.
    #[must_use]
    pub const fn with_lapse(mut self, lapse: Duration) -> Self {
        self.lapse = lapse;
        self
    }

    /// Sets how long nothing may be heard.
    #[must_use]
    pub const fn with_silence(mut self, silence: Duration) -> Self {
        self.silence = silence;
        self
    }
}
