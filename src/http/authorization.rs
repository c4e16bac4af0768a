//! How a request shows who sends it.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};

use super::sensitive::{bearer_value, sensitive, unusable};
use super::token::TokenCache;
use crate::error::Result;
use crate::secret::Secret;

/// How a request shows who sends it. Its header is marked sensitive, so that no log shows it.
#[derive(Clone)]
pub struct Authorization(pub(super) Kind);

#[derive(Clone)]
pub(super) enum Kind {
    Fixed(HeaderName, HeaderValue),
    Token(TokenCache),
}

impl Authorization {
    /// `Authorization: Bearer <secret>`.
    ///
    /// # Errors
    /// [`ErrorKind::Credentials`](crate::error::ErrorKind::Credentials) if the secret has characters that no header may have.
    pub fn bearer(secret: &Secret) -> Result<Self> {
        let value = bearer_value(secret)?;
        Ok(Self(Kind::Fixed(AUTHORIZATION, value)))
    }

    /// `Authorization: Basic <user:password>` (RFC 7617).
    ///
    /// # Errors
    /// [`ErrorKind::Credentials`](crate::error::ErrorKind::Credentials) if the user has a colon in it.
    pub fn basic(user: &Secret, password: &Secret) -> Result<Self> {
        if user.expose().contains(':') {
            return Err(unusable());
        }
        let pair = Secret::new(format!("{}:{}", user.expose(), password.expose()));
        let encoded = Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())));
        Ok(Self(Kind::Fixed(AUTHORIZATION, sensitive(&encoded)?)))
    }

    /// The secret in a header of the provider's own, such as `X-API-Key`.
    ///
    /// # Errors
    /// [`ErrorKind::Credentials`](crate::error::ErrorKind::Credentials) if the secret has characters that no header may have.
    pub fn header(name: HeaderName, secret: &Secret) -> Result<Self> {
        Ok(Self(Kind::Fixed(name, sensitive(secret)?)))
    }

    /// `Authorization: Bearer <token>`, with a token that is fetched when it is needed.
    #[must_use]
    pub fn token(cache: TokenCache) -> Self {
        Self(Kind::Token(cache))
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorization(…)")
    }
}
