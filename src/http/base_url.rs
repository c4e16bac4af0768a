//! Where a provider's API is.

use std::fmt;
use std::marker::PhantomData;

use crate::error::{Error, ErrorKind, Result};
use crate::mode::{Mode, Test};

/// Where a provider's API is, in mode `M`. Only one of [`Test`] mode can be plain `http`, and then
/// only on this machine.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl<M: Mode> {
    text: Box<str>,
    host: Box<str>,
    mode: PhantomData<M>,
}

impl<M: Mode> BaseUrl<M> {
    /// An address such as `https://api.example.com` or `https://api.example.com/v1`.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] if it is not `https`, or if it has a user, a query or a fragment.
    pub fn https(url: &str) -> Result<Self> {
        Self::parse(url, |scheme, _| scheme == "https")
    }

    /// The address, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host, as it was written.
    #[cfg(any(feature = "adyen", feature = "paypal", feature = "stripe"))]
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    fn parse(url: &str, is_allowed: impl Fn(&str, &str) -> bool) -> Result<Self> {
        let uri: http::Uri = url
            .parse()
            .map_err(|_| refused("the base URL is not a URL: write https://…"))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(refused("the base URL is not a URL: write https://…"));
        };
        if !is_allowed(scheme, authority.host()) {
            return Err(refused(
                "the base URL must be https (http only to this machine, in test mode)",
            ));
        }
        // `http::Uri` drops a fragment, so it is looked for in the text.
        if authority.as_str().contains('@') || uri.query().is_some() || url.contains('#') {
            return Err(refused(
                "the base URL must have no user, query or fragment: only a host and a path",
            ));
        }
        Ok(Self {
            text: url.trim_end_matches('/').into(),
            host: authority.host().into(),
            mode: PhantomData,
        })
    }
}

impl BaseUrl<Test> {
    /// An address on this machine, such as `http://127.0.0.1:12111`.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] if it is not `http` to `localhost`, `127.0.0.1` or `[::1]`.
    pub fn loopback(url: &str) -> Result<Self> {
        Self::parse(url, |scheme, host| scheme == "http" && is_loopback(host))
    }
}

impl<M: Mode> fmt::Debug for BaseUrl<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BaseUrl({} {})", M::KIND, self.text)
    }
}

/// Whether a URL's host names this machine and nothing else.
pub(crate) fn is_loopback(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

fn refused(message: &'static str) -> Error {
    Error::new(ErrorKind::Settings, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mode::Live;

    #[test]
    fn https_with_a_host_and_a_path_is_taken() {
        for (given, kept) in [
            ("https://api.example.com", "https://api.example.com"),
            ("https://api.example.com/", "https://api.example.com"),
            (
                "https://api.example.com:8443/v1/",
                "https://api.example.com:8443/v1",
            ),
        ] {
            assert_eq!(BaseUrl::<Live>::https(given).unwrap().as_str(), kept);
        }
    }

    #[test]
    fn all_else_is_refused() {
        for url in [
            "",
            "/v1",
            "api.example.com",
            "http://api.example.com",
            "http://127.0.0.1:1",
            "ftp://api.example.com",
            "https://",
            "https:///v1",
            "https://user:password@api.example.com",
            "https://api.example.com@evil.example",
            "https://api.example.com?x=1",
            "https://api.example.com#x",
            "https://api.example.com/ v1",
            "https://api.example.com\n",
        ] {
            assert!(BaseUrl::<Live>::https(url).is_err(), "{url:?}");
        }
    }

    #[test]
    fn plain_http_reaches_this_machine_only() {
        for url in ["http://localhost:1", "http://127.0.0.1", "http://[::1]:1"] {
            assert!(BaseUrl::loopback(url).is_ok(), "{url:?}");
        }
        for url in [
            "https://localhost:1",
            "http://127.0.0.1.example.com",
            "http://127.0.0.1@example.com",
            "http://localhost.example.com",
            "http://10.0.0.1",
            "http://2130706433",
        ] {
            assert!(BaseUrl::loopback(url).is_err(), "{url:?}");
        }
    }
}
