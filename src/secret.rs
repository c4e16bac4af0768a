//! Secrets: no `Display`, a redacted `Debug`, no serialization, wiped when dropped.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// A key, a token or a webhook secret.
///
/// It is kept out of logs, errors and spans, and its own memory is wiped when it is dropped.
/// Copies that a TLS or HTTP buffer makes of it are out of this crate's reach.
///
/// ```compile_fail
/// let secret = counterfoil::Secret::new("sk_test_1");
/// println!("{secret}");
/// ```
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes a secret as it is; who reads it checks its form.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The secret itself. Search for this name to find everywhere that one is used.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}
