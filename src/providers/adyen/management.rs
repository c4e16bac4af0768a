//! What the Management API says of the account: whose key it is, and where its webhooks go.
//!
//! Source: <https://docs.adyen.com/api-explorer/Management/3/overview>.

use serde_json::json;

use super::Adyen;
use super::convert::unexpected;
use super::wire::{self, Me, Merchant, WebhookTests, Webhooks};
use crate::capability::Operation;
use crate::error::{Error, ErrorKind, Result};
use crate::http::ApiRequest;
use crate::mode::{Mode, ModeKind};
use crate::money::Currency;
use crate::request::Account;

/// Whose API key it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiCredential {
    /// The name of the API credential, such as `ws_123@Company.Shop`.
    pub username: String,
    /// The company that it belongs to.
    pub company: Option<String>,
    /// Whether it may be used.
    pub is_active: bool,
    /// What it may do. Checkout needs `Checkout webservice role`.
    pub roles: Vec<String>,
}

/// A webhook of the merchant account.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Webhook {
    /// Adyen's id of it.
    pub id: String,
    /// Its type: `standard` for notices of payments.
    pub kind: String,
    /// Where the notices go.
    pub url: String,
    /// Whether they are sent.
    pub is_active: bool,
    /// How they are written: only `json` is read here.
    pub format: String,
    /// Whether they are signed: whether a key was made for them.
    pub is_signed: bool,
    /// Whether they are sent by TLS. Only in test mode can they be sent without.
    pub is_encrypted: bool,
    /// Whether the endpoint asks for a password.
    pub has_password: bool,
    /// Whether the last notices were not acknowledged.
    pub has_error: bool,
    /// The kinds of notice that are sent beside the usual ones.
    pub more_events: Vec<String>,
}

/// What came of a test notice.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebhookTest {
    /// Whether the endpoint took it.
    pub is_success: bool,
    /// The HTTP status that the endpoint answered, if it did.
    pub answer: Option<u16>,
}

impl<M: Mode> Adyen<M> {
    /// Whose API key it is, and what it may do.
    ///
    /// # Errors
    /// [`ErrorKind::Credentials`] if the key is not known in this mode, and
    /// [`ErrorKind::WrongMode`] if Adyen's answer shows the other.
    pub async fn api_credential(&self) -> Result<ApiCredential> {
        let request = ApiRequest::get(Operation::Account, &["me"]);
        let answer = self.client.manage(request).await?;
        self.client.read(&answer, |me: Me| {
            // That the client key beside it shows the mode is not verified for every account.
            let shown = me.client_key.as_deref().unwrap_or_default();
            let found = [(ModeKind::Test, "test_"), (ModeKind::Live, "live_")];
            let found = found
                .into_iter()
                .find(|(_, prefix)| shown.starts_with(prefix));
            if let Some((found, _)) = found
                && found != M::KIND
            {
                let message = format!("the API key is of {found} mode");
                return Err(Error::new(ErrorKind::WrongMode, message));
            }
            Ok(ApiCredential {
                username: me.username,
                company: me.company_name,
                is_active: me.active,
                roles: me.roles,
            })
        })
    }

    /// The webhooks of the merchant account. The API key needs the role to manage them.
    ///
    /// # Errors
    /// [`ErrorKind::Credentials`] if it has not.
    pub async fn webhooks(&self) -> Result<Vec<Webhook>> {
        let account = &*self.client.merchant_account;
        let mut found = Vec::new();
        for page in 1_u32.. {
            let path = ["merchants", account, "webhooks"];
            let request = ApiRequest::get(Operation::Account, &path)
                .query("pageNumber", &page.to_string())
                .query("pageSize", "100");
            let answer = self.client.manage(request).await?;
            let (webhooks, pages) = self.client.read(&answer, |list: Webhooks| {
                let webhooks = list.data.into_iter().map(Webhook::of);
                Ok((webhooks.collect::<Result<Vec<_>>>()?, list.pages_total))
            })?;
            let is_empty = webhooks.is_empty();
            found.extend(webhooks);
            if page >= pages || is_empty {
                break;
            }
        }
        Ok(found)
    }

    /// Lets Adyen send a test notice of these kinds, such as `AUTHORISATION`, to a webhook, and
    /// says what the endpoint answered.
    ///
    /// # Errors
    /// [`ErrorKind::Credentials`] if the API key may not, [`ErrorKind::NotFound`] if there is no
    /// such webhook.
    pub async fn test_webhook(&self, webhook: &str, kinds: &[&str]) -> Result<Vec<WebhookTest>> {
        let account = &*self.client.merchant_account;
        let path = ["merchants", account, "webhooks", webhook, "test"];
        // A test notice moves nothing, so that it may be sent again.
        let request = ApiRequest::post(Operation::VerifyWebhook, &path)
            .json(json!({"types": kinds}).to_string())
            .read_only();
        let answer = self.client.manage(request).await?;
        self.client.read(&answer, |tests: WebhookTests| {
            let tests = tests.data.into_iter().map(|test| WebhookTest {
                is_success: test.status == "success",
                answer: test.response_code.and_then(|code| code.parse().ok()),
            });
            Ok(tests.collect())
        })
    }

    pub(super) async fn who_am_i(&self) -> Result<Account> {
        let credential = self.api_credential().await?;
        let account = &*self.client.merchant_account;
        let mut read = Account::new(account, M::KIND);
        let takes_payments = |role: &String| role.to_ascii_lowercase().starts_with("checkout");
        if !credential.is_active || !credential.roles.iter().any(takes_payments) {
            read.can_charge = Some(false);
        } else {
            self.may_pay().await?;
        }
        let request = ApiRequest::get(Operation::Account, &["merchants", account]);
        let answer = match self.client.manage(request).await {
            // The key may pay without being allowed to look at the account.
            Err(error) if *error.kind() == ErrorKind::Credentials => return Ok(read),
            answer => answer?,
        };
        read.answered_at = answer.date();
        self.client.read(&answer, |merchant: Merchant| {
            if let Some(status) = merchant.status.as_deref() {
                let is_active = status.eq_ignore_ascii_case("active");
                read.can_charge = Some(is_active && read.can_charge.is_none());
            }
            if let Some(code) = merchant.primary_settlement_currency.as_deref() {
                let currency = Currency::from_code(code);
                let currency = currency.map_err(|error| unexpected(error.to_string()))?;
                read.currencies = vec![currency];
            }
            Ok(read)
        })
    }
}

impl<M: Mode> Adyen<M> {
    /// Asks the Checkout API what can be paid with: another company's prefix of the live hosts and
    /// a key that may not pay there show only where payments go.
    async fn may_pay(&self) -> Result<()> {
        let question = json!({"merchantAccount": &*self.client.merchant_account});
        let request = ApiRequest::post(Operation::Account, &["paymentMethods"])
            .json(question.to_string())
            .read_only();
        self.client.get(request).await.map(drop)
    }
}

impl Webhook {
    fn of(webhook: wire::Webhook) -> Result<Self> {
        let settings = webhook.additional_settings;
        Ok(Self {
            id: webhook
                .id
                .ok_or_else(|| unexpected("a webhook has no id"))?,
            kind: webhook.kind,
            url: webhook.url,
            is_active: webhook.active,
            format: webhook.communication_format,
            is_signed: webhook.hmac_key_check_value.is_some(),
            is_encrypted: webhook.encryption_protocol.as_deref() != Some("HTTP"),
            has_password: webhook.has_password == Some(true),
            has_error: webhook.has_error == Some(true),
            more_events: settings.map_or_else(Vec::new, |s| s.include_event_codes),
        })
    }
}
