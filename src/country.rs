//! Countries, as shoppers and routes name them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::id::IdError;

/// A country by its two letters (ISO 3166-1 alpha-2), such as `DE`. Whether a country has these
/// letters is not checked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

impl Country {
    /// Takes two capital letters.
    ///
    /// # Errors
    /// [`IdError`] for anything else.
    pub fn new(text: &str) -> Result<Self, IdError> {
        match *text.as_bytes() {
            [first, second] if first.is_ascii_uppercase() && second.is_ascii_uppercase() => {
                Ok(Self([first, second]))
            }
            _ => Err(IdError::Characters {
                what: "country",
                found: text.chars().next().unwrap_or(' '),
                allowed: "two capital letters, such as DE",
            }),
        }
    }

    /// The two letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Both are ASCII letters, as `new` has seen.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Country {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::new(text)
    }
}

impl Serialize for Country {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Country {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::new(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_capital_letters_and_nothing_else() {
        let country = Country::new("DE").unwrap();
        assert_eq!(country.to_string(), "DE");
        let text = serde_json::to_string(&country).unwrap();
        assert_eq!(serde_json::from_str::<Country>(&text).unwrap(), country);
        for text in ["", "D", "de", "DEU", "D1", "ÄÖ"] {
            assert!(Country::new(text).is_err(), "{text}");
        }
    }
}
