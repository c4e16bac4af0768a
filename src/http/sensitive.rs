//! Secrets as values of headers.

use http::HeaderValue;

use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;

/// `Bearer <token>`, as the value of `Authorization`.
pub(super) fn bearer_value(secret: &Secret) -> Result<HeaderValue> {
    sensitive(&Secret::new(format!("Bearer {}", secret.expose())))
}

/// The secret as a header's value, marked so that no log shows it.
pub(super) fn sensitive(secret: &Secret) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(secret.expose()).map_err(|_| unusable())?;
    value.set_sensitive(true);
    Ok(value)
}

pub(super) fn unusable() -> Error {
    Error::new(
        ErrorKind::Credentials,
        "the key has a character that no key has: was it copied with a line break?",
    )
}
