//! Money: an integer count of minor units and an ISO 4217 currency. There is no float anywhere.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeStruct};

/// An amount in the minor unit of its currency: `Money::new(1999, EUR)` is 19.99 EUR.
///
/// It may be zero or negative, since ledgers need both. What is asked of a provider is a
/// [`PositiveMoney`].
///
/// ```
/// use counterfoil::money::{Currency, Money};
///
/// let eur: Currency = "EUR".parse()?;
/// let price = Money::parse_decimal("19.99", eur)?;
/// assert_eq!(price.minor(), 1999);
/// assert_eq!(price.to_string(), "19.99 EUR");
/// assert_eq!("500 JPY".parse::<Money>()?.minor(), 500);
/// # Ok::<(), counterfoil::money::MoneyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

impl Money {
    /// An amount of `minor` units of `currency`: cents for EUR, yen for JPY, fils for KWD.
    #[must_use]
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Nothing, in `currency`.
    #[must_use]
    pub const fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// The count of minor units.
    #[must_use]
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// The currency.
    #[must_use]
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// Whether the amount is zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.minor == 0
    }

    /// Whether the amount is above zero.
    #[must_use]
    pub const fn is_positive(self) -> bool {
        self.minor > 0
    }

    /// The sum.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`] for two currencies, [`MoneyError::Overflow`] past 64 bits.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.combine(other, i64::checked_add)
    }

    /// The difference, which may be negative.
    ///
    /// # Errors
    /// As [`Money::checked_add`].
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.combine(other, i64::checked_sub)
    }

    /// The amount with its sign turned.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] for the one amount that has no opposite, `i64::MIN`.
    pub fn checked_neg(self) -> Result<Self, MoneyError> {
        let minor = self.minor.checked_neg().ok_or(MoneyError::Overflow)?;
        Ok(Self::new(minor, self.currency))
    }

    /// Which amount is larger.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`] for two currencies: there is no order between them.
    pub fn checked_cmp(self, other: Self) -> Result<Ordering, MoneyError> {
        self.same_currency(other)?;
        Ok(self.minor.cmp(&other.minor))
    }

    /// Sums amounts of one currency; none at all is zero.
    ///
    /// # Errors
    /// As [`Money::checked_add`].
    pub fn sum(
        currency: Currency,
        amounts: impl IntoIterator<Item = Self>,
    ) -> Result<Self, MoneyError> {
        amounts
            .into_iter()
            .try_fold(Self::zero(currency), Self::checked_add)
    }

    /// Reads a plain decimal such as `19.99` or `-0.5`, exactly.
    ///
    /// # Errors
    /// [`MoneyError::NotDecimal`] for anything but an optional minus, digits and one dot between
    /// digits: no spaces, plus signs, exponents or group separators. [`MoneyError::TooPrecise`]
    /// for more decimals than the currency has, even if they are zeros, because `1.000` may be a
    /// thousand in another notation. [`MoneyError::Overflow`] past 64 bits.
    pub fn parse_decimal(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let minor = minor_from_decimal(text, currency.exponent())?;
        Ok(Self::new(minor, currency))
    }

    /// The amount as a plain decimal with all the decimals of the currency: `19.90`, `500`, `1.250`.
    #[must_use]
    pub fn to_decimal(self) -> String {
        decimal_from_minor(self.minor, self.currency.exponent())
    }

    /// The amount as a count of units of `10^-exponent`, for a provider that gives the currency
    /// other decimals than ISO.
    ///
    /// # Errors
    /// [`MoneyError::TooPrecise`] if it is no whole number of them, and [`MoneyError::Overflow`].
    pub fn to_units(self, exponent: u32) -> Result<i64, MoneyError> {
        let ours = self.currency.exponent();
        let scale = ten_to(ours.abs_diff(exponent))?;
        if exponent >= ours {
            return self.minor.checked_mul(scale).ok_or(MoneyError::Overflow);
        }
        match self.minor % scale {
            0 => Ok(self.minor / scale),
            _ => Err(MoneyError::TooPrecise { exponent }),
        }
    }

    /// Reads a count of units of `10^-exponent`, the reverse of [`to_units`](Self::to_units).
    ///
    /// # Errors
    /// [`MoneyError::TooPrecise`] if it is no whole number of the currency's minor units, and
    /// [`MoneyError::Overflow`].
    pub fn from_units(units: i64, exponent: u32, currency: Currency) -> Result<Self, MoneyError> {
        let ours = currency.exponent();
        let scale = ten_to(ours.abs_diff(exponent))?;
        let minor = if ours >= exponent {
            units.checked_mul(scale).ok_or(MoneyError::Overflow)?
        } else if units % scale == 0 {
            units / scale
        } else {
            return Err(MoneyError::TooPrecise { exponent: ours });
        };
        Ok(Self::new(minor, currency))
    }

    fn combine(self, other: Self, op: fn(i64, i64) -> Option<i64>) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let minor = op(self.minor, other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Self::new(minor, self.currency))
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            return Ok(());
        }
        Err(MoneyError::CurrencyMismatch {
            left: self.currency,
            right: other.currency,
        })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.to_decimal(), self.currency)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Money {
    type Err = MoneyError;

    /// Reads what [`Display`](fmt::Display) writes: `19.99 EUR`.
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let Some((amount, currency)) = text.split_once(' ') else {
            return Err(MoneyError::MissingCurrency(text.to_owned()));
        };
        Self::parse_decimal(amount, currency.parse()?)
    }
}

/// Serialized as `{"minor": 1999, "currency": "EUR"}`.
impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Money", 2)?;
        fields.serialize_field("minor", &self.minor)?;
        fields.serialize_field("currency", &self.currency)?;
        fields.end()
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields {
            minor: i64,
            currency: Currency,
        }
        let Fields { minor, currency } = Fields::deserialize(deserializer)?;
        Ok(Self { minor, currency })
    }
}

/// Money above zero: what can be charged, captured or refunded.
///
/// A refund of −1 or of 0 cannot be written down.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(transparent)]
pub struct PositiveMoney(Money);

impl PositiveMoney {
    /// Takes `money` if it is above zero.
    ///
    /// # Errors
    /// [`MoneyError::NotPositive`] otherwise.
    pub fn new(money: Money) -> Result<Self, MoneyError> {
        if money.is_positive() {
            Ok(Self(money))
        } else {
            Err(MoneyError::NotPositive(money))
        }
    }

    /// The amount.
    #[must_use]
    pub const fn money(self) -> Money {
        self.0
    }

    /// The count of minor units, above zero.
    #[must_use]
    pub const fn minor(self) -> i64 {
        self.0.minor
    }

    /// The currency.
    #[must_use]
    pub const fn currency(self) -> Currency {
        self.0.currency
    }
}

impl TryFrom<Money> for PositiveMoney {
    type Error = MoneyError;

    fn try_from(money: Money) -> Result<Self, MoneyError> {
        Self::new(money)
    }
}

impl From<PositiveMoney> for Money {
    fn from(positive: PositiveMoney) -> Self {
        positive.0
    }
}

impl fmt::Display for PositiveMoney {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl<'de> Deserialize<'de> for PositiveMoney {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Money::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// An ISO 4217 currency that has a minor unit, written as its three capital letters.
///
/// Codes without one (gold, the test code `XTS`) are refused: no amount could be written exactly.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency(iso_currency::Currency);

macro_rules! currencies {
    ($($code:ident),*) => {
        $(
            #[doc = concat!("ISO 4217 `", stringify!($code), "`.")]
            pub const $code: Self = Self(iso_currency::Currency::$code);
        )*
    };
}

impl Currency {
    currencies!(
        AUD, BHD, BRL, CAD, CHF, CLP, CNY, CZK, DKK, EUR, GBP, HKD, HUF, INR, ISK, JOD, JPY, KRW,
        KWD, MXN, NOK, NZD, OMR, PLN, RON, SEK, SGD, TND, TRY, TWD, UGX, USD, VND, ZAR
    );

    /// Reads a code in any case, since providers differ: `eur` and `EUR` are the euro.
    ///
    /// # Errors
    /// [`MoneyError::UnknownCurrency`] for a code that ISO 4217 does not list or that has no
    /// minor unit.
    pub fn from_code(code: &str) -> Result<Self, MoneyError> {
        let unknown = || MoneyError::UnknownCurrency(code.chars().take(12).collect());
        if code.len() != 3 {
            return Err(unknown());
        }
        let mut upper = [0_u8; 3];
        for (to, from) in upper.iter_mut().zip(code.bytes()) {
            *to = from.to_ascii_uppercase();
        }
        let found = std::str::from_utf8(&upper)
            .ok()
            .and_then(iso_currency::Currency::from_code);
        found
            .filter(|found| found.exponent().is_some())
            .map(Self)
            .ok_or_else(unknown)
    }

    /// The three capital letters.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// The decimals of the minor unit by ISO 4217: 2 for EUR, 0 for JPY, 3 for KWD.
    ///
    /// A provider may count otherwise; its own table is applied where its wire begins.
    #[must_use]
    pub fn exponent(self) -> u32 {
        // Every constructor has checked that there is one; 2 is what most currencies have.
        self.0.exponent().map_or(2, u32::from)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(code: &str) -> Result<Self, MoneyError> {
        Self::from_code(code)
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::from_code(&code).map_err(de::Error::custom)
    }
}

/// Why an amount or a currency was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MoneyError {
    /// The text is not a plain decimal number.
    #[error("not a plain decimal: write digits with at most one dot, such as 19.99")]
    NotDecimal,
    /// The text has more decimals than the currency.
    #[error("more decimals than the currency has: it takes {exponent}")]
    TooPrecise {
        /// The decimals that the currency has.
        exponent: u32,
    },
    /// The amount does not fit 64 bits.
    #[error("the amount is too large")]
    Overflow,
    /// Two currencies met. Convert one before, at a rate that you record.
    #[error("{left} and {right} cannot be added or compared")]
    CurrencyMismatch {
        /// The currency on the left.
        left: Currency,
        /// The currency on the right.
        right: Currency,
    },
    /// An amount above zero is needed.
    #[error("{0} is not above zero")]
    NotPositive(Money),
    /// The text has no currency.
    #[error("{0:?} has no currency: write it after the amount, as in 19.99 EUR")]
    MissingCurrency(String),
    /// No ISO 4217 currency with a minor unit has this code.
    #[error("{0:?} is not an ISO 4217 currency with a minor unit")]
    UnknownCurrency(String),
}

fn ten_to(exponent: u32) -> Result<i64, MoneyError> {
    10_i64.checked_pow(exponent).ok_or(MoneyError::Overflow)
}

/// Reads a plain decimal as a count of units of `10^-exponent`.
///
/// It stands apart from [`Money`] because a provider may give a currency other decimals than ISO.
///
/// # Errors
/// As [`Money::parse_decimal`].
pub fn minor_from_decimal(text: &str, exponent: u32) -> Result<i64, MoneyError> {
    let digits_of = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let (negative, magnitude) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = match magnitude.split_once('.') {
        Some((whole, fraction)) if digits_of(fraction) => (whole, fraction),
        Some(_) => return Err(MoneyError::NotDecimal),
        None => (magnitude, ""),
    };
    if !digits_of(whole) {
        return Err(MoneyError::NotDecimal);
    }
    let decimals =
        u32::try_from(fraction.len()).map_err(|_| MoneyError::TooPrecise { exponent })?;
    if decimals > exponent {
        return Err(MoneyError::TooPrecise { exponent });
    }
    // Digits are taken with the sign, so that the lowest amount, which has no opposite, is read too.
    let padding = std::iter::repeat_n(b'0', (exponent - decimals) as usize);
    whole
        .bytes()
        .chain(fraction.bytes())
        .chain(padding)
        .try_fold(0_i64, |value, byte| {
            let digit = i64::from(byte - b'0');
            let shifted = value.checked_mul(10).ok_or(MoneyError::Overflow)?;
            let next = if negative {
                shifted.checked_sub(digit)
            } else {
                shifted.checked_add(digit)
            };
            next.ok_or(MoneyError::Overflow)
        })
}

/// Writes a count of units of `10^-exponent` as a plain decimal, the reverse of
/// [`minor_from_decimal`].
#[must_use]
pub fn decimal_from_minor(minor: i64, exponent: u32) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let width = exponent as usize;
    let digits = format!("{:0>1$}", minor.unsigned_abs(), width + 1);
    let (whole, fraction) = digits.split_at(digits.len() - width);
    if fraction.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

#[cfg(test)]
mod tests;
