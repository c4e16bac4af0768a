//! The access token: fetched with the client id and secret, and shared by all that is sent.
//!
//! Source: <https://developer.paypal.com/api/rest/authentication/>.

use std::time::Duration;

use async_trait::async_trait;

use super::wire::Token;
use crate::capability::Operation;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{ApiClient, ApiRequest, FreshToken, TokenSource};
use crate::mode::ModeKind;

/// Asks for a token with the client id and secret.
#[derive(Debug)]
pub(super) struct ClientCredentials {
    pub(super) api: ApiClient,
    pub(super) mode: ModeKind,
}

#[async_trait]
impl TokenSource for ClientCredentials {
    async fn fetch(&self) -> Result<FreshToken> {
        let request = ApiRequest::post(Operation::Account, &["v1", "oauth2", "token"])
            .form([("grant_type", "client_credentials")])
            .read_only();
        let answer = self.api.send(request).await?;
        // The id and secret tell no mode: which host knows them does.
        if answer.status() == 401 {
            let error = answer.error(ErrorKind::Credentials, wrong_mode(self.mode));
            return Err(error.with_code("invalid_client"));
        }
        if !answer.status().is_success() {
            return Err(answer.refusal());
        }
        let token: Token = answer.json()?;
        if token.access_token.is_empty() {
            let message = "PayPal gave an empty access token";
            return Err(Error::new(ErrorKind::UnexpectedResponse, message));
        }
        let expires_in = Duration::from_secs(token.expires_in);
        Ok(FreshToken::new(token.access_token, expires_in))
    }
}

const fn wrong_mode(mode: ModeKind) -> &'static str {
    match mode {
        ModeKind::Test => {
            "PayPal's sandbox does not know this client id and secret: are they those of a live \
             app, or was the secret replaced?"
        }
        ModeKind::Live => {
            "PayPal's live host does not know this client id and secret: are they those of the \
             sandbox, or was the secret replaced?"
        }
    }
}
