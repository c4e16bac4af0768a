//! Webhooks: where the provider posts them, and whether the right ones are believed.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;

use super::{Look, tells};
use crate::http::{Transport, is_loopback};
use crate::mode::{Mode, ModeKind};
use crate::preflight::report::{Check, CheckKind};
use crate::setup::WebhookEndpoint;
use crate::webhook::{WebhookRefusalKind, WebhookRequest};

impl<M: Mode> Look<'_, M> {
    pub(super) async fn webhook_endpoint(&self) -> Check {
        let mut check = Check::new(CheckKind::WebhookEndpoint);
        let Some(url) = &self.preflight.endpoint else {
            check.unknown(
                "the address of the endpoint is not said",
                "say where webhooks shall arrive",
            );
            return check;
        };
        if has_user(url) {
            check.fail(
                "the address of the endpoint has a user or a password in it",
                "take it out of the address, which is shown and logged: the signature proves who sends",
            );
            return check;
        }
        self.address(&mut check, url);
        let endpoints = match self.provider.webhook_endpoints().await {
            Ok(endpoints) => endpoints,
            Err(error) => {
                tells(&mut check, "the list of webhook endpoints", &error);
                return check;
            }
        };
        let here: Vec<_> = endpoints.iter().filter(|e| *e.url == **url).collect();
        match here.as_slice() {
            [] => self.no_endpoint(&mut check, url, &endpoints),
            [endpoint] => self.endpoint(&mut check, endpoint),
            several => {
                check.fail(
                    format!("{} endpoints have this address", several.len()),
                    "delete all but one: each signs with a secret of its own",
                );
                several.iter().for_each(|e| self.endpoint(&mut check, e));
            }
        }
        check
    }

    fn address(&self, check: &mut Check, url: &str) {
        let Ok(uri) = url.parse::<http::Uri>() else {
            check.fail(format!("{url:?} is no address"), "write https://…");
            return;
        };
        let is_here = uri.host().is_some_and(is_loopback);
        match uri.scheme_str() {
            Some("https") if M::KIND == ModeKind::Live && is_here => check.fail(
                format!("{url} is this machine: no provider can reach it"),
                "use the public address",
            ),
            Some("https") => check.pass(format!("{url} is https")),
            Some("http") if M::KIND == ModeKind::Test && is_here => {
                check.pass(format!("{url} is this machine, for a trial"));
            }
            _ => check.fail(format!("{url} is not https"), "use https"),
        }
    }

    fn no_endpoint(&self, check: &mut Check, url: &str, endpoints: &[WebhookEndpoint]) {
        let near = endpoints.iter().find(|e| plain(&e.url) == plain(url));
        match near {
            Some(near) => check.fail(
                format!("registered is {}, and {url} is meant", near.url),
                "make the two the same, to the letter: a redirect counts as a failure",
            ),
            None => check.fail(
                format!(
                    "none of the {} endpoints registered for {} mode has this address",
                    endpoints.len(),
                    M::KIND
                ),
                "register it at the provider, in this mode",
            ),
        }
    }

    fn endpoint(&self, check: &mut Check, endpoint: &WebhookEndpoint) {
        let id = &endpoint.id;
        if endpoint.is_enabled {
            check.pass(format!("{id} is registered and enabled"));
        } else {
            check.fail(format!("{id} is disabled"), "enable it at the provider");
        }
        self.sending(check, endpoint);
        let ids = &self.setup.webhook_ids;
        if !ids.is_empty() && !ids.contains(id) {
            check.fail(
                format!("{id} has this address, and the settings name another webhook"),
                "set the id that the provider shows beside this address",
            );
        }
        let wanted = self.setup.webhook_types.iter();
        let missing: Vec<_> = wanted
            .filter(|kind| !endpoint.sends(kind))
            .map(AsRef::as_ref)
            .collect();
        match missing.as_slice() {
            _ if self.setup.webhook_types.is_empty() => check.unknown(
                "which types must be sent is not known",
                "compare them yourself, and vouch for it by name",
            ),
            [] => check.pass("every type that tells of money is sent"),
            missing => check.fail(
                format!("not sent: {}", missing.join(", ")),
                "add these types at the provider",
            ),
        }
        match (&self.setup.api_version, &endpoint.api_version) {
            (Some(ours), Some(theirs)) if ours == theirs => {
                check.pass(format!("its version is {theirs}"));
            }
            (Some(ours), Some(theirs)) => check.fail(
                format!("its version is {theirs}, and {ours} is read here"),
                "make the endpoint anew with the version that is read here",
            ),
            (Some(ours), None) => check.unknown(
                "its version follows the account's default",
                format!("make the endpoint anew with the version {ours}"),
            ),
            (None, _) => {}
        }
    }

    /// How the provider sends to an endpoint, as far as it says.
    fn sending(&self, check: &mut Check, endpoint: &WebhookEndpoint) {
        match endpoint.is_signed {
            Some(true) => check.pass("what it sends is signed"),
            Some(false) => check.fail(
                "what it sends is not signed",
                "make a key for it at the provider, and set that key here",
            ),
            None => {}
        }
        if endpoint.is_encrypted == Some(false) {
            check.fail(
                "it is set to send without TLS",
                "choose TLS 1.2 or 1.3 at the provider",
            );
        }
        if endpoint.is_failing == Some(true) {
            check.fail(
                "the provider says that deliveries to it fail",
                "find out there what the endpoint answers",
            );
        }
        if let (Some(read), Some(sent)) = (&self.setup.webhook_format, &endpoint.format) {
            if read.eq_ignore_ascii_case(sent) {
                check.pass(format!("it sends {sent}"));
            } else {
                check.fail(
                    format!("it sends {sent}, and {read} is read here"),
                    "choose the format that is read here",
                );
            }
        }
    }

    pub(super) async fn webhook_signature(&self) -> Check {
        let mut check = Check::new(CheckKind::WebhookSignature);
        let now = self.preflight.clock.now();
        let samples = self.provider.sample_webhooks(now);
        for (index, sample) in samples.iter().enumerate() {
            self.accepts(&mut check, index, sample).await;
        }
        if let Some(tolerance) = self.setup.webhook_tolerance {
            let off = tolerance + Duration::from_secs(1);
            for (what, at) in [
                ("an old", now.saturating_sub(off)),
                ("a future", now.saturating_add(off)),
            ] {
                if let Some(sample) = self.provider.sample_webhooks(at).first() {
                    self.refuses(&mut check, what, sample).await;
                }
            }
        }
        let genuine = samples.into_iter().next();
        let forged = forged(genuine.as_ref());
        self.refuses(&mut check, "a forged", &forged).await;
        if genuine.is_none() {
            self.signed_elsewhere(&mut check).await;
        }
        match (&self.preflight.probe, &self.preflight.endpoint) {
            (Some(transport), Some(url)) => {
                probe(&mut check, transport.as_ref(), url, genuine, forged).await;
            }
            _ => check.unknown(
                "the endpoint itself was not tried",
                "let it be tried, with a genuine webhook and a forged one",
            ),
        }
        check
    }

    async fn accepts(&self, check: &mut Check, index: usize, sample: &WebhookRequest) {
        let which = index + 1;
        match self.provider.webhook(sample).await {
            Ok(delivery) => match delivery.events.first() {
                Some(event) if event.secret_index() == index => {
                    check.pass(format!("what secret {which} signs is accepted"));
                }
                Some(_) => check.fail(
                    format!("secret {which} is the same as one before it"),
                    "set each secret once",
                ),
                None => check.fail(
                    format!("what secret {which} signs is set aside as another's"),
                    "compare the account and the mode",
                ),
            },
            Err(refusal) => check.fail(
                format!("what secret {which} signs is refused: {refusal}"),
                "set the secret as the provider shows it",
            ),
        }
    }

    async fn refuses(&self, check: &mut Check, what: &str, sample: &WebhookRequest) {
        match self.provider.webhook(sample).await {
            Ok(_) => check.fail(
                format!("{what} webhook is accepted"),
                "do not go live with this provider's code",
            ),
            Err(refusal) if refusal.kind() == WebhookRefusalKind::Unsupported => check.unknown(
                "webhooks are not verified for this provider",
                "let the sweep find what has happened, and vouch for it by name",
            ),
            Err(refusal) => check.pass(format!(
                "{what} webhook is refused: {}",
                refusal.kind().name()
            )),
        }
    }

    /// A provider that signs with a key of its own proves who it is by that; what can be wrong here
    /// is for which endpoint it signs.
    async fn signed_elsewhere(&self, check: &mut Check) {
        let ids = &self.setup.webhook_ids;
        match self.provider.webhook_endpoints().await {
            Ok(endpoints) if !ids.is_empty() => {
                for id in ids {
                    match endpoints.iter().any(|endpoint| endpoint.id == *id) {
                        true => check.pass(format!("{id} is a webhook of this account")),
                        false => check.fail(
                            format!("{id} is no webhook of this account"),
                            "set the id that the provider shows in this mode",
                        ),
                    }
                }
            }
            _ => check.unknown(
                "no genuine webhook could be tried: the provider signs with its own key",
                "let the provider send one, and vouch for it by name",
            ),
        }
    }
}

/// What [`WebhookRefusal::answer`](crate::webhook::WebhookRefusal::answer) says of a forged one.
const REFUSED: u16 = 400;

/// Posts a genuine webhook and a forged one to the host's own endpoint.
async fn probe(
    check: &mut Check,
    transport: &dyn Transport,
    url: &str,
    genuine: Option<WebhookRequest>,
    forged: WebhookRequest,
) {
    match post(transport, url, &forged).await {
        Some(200..300) => check.fail(
            "the endpoint takes a forged webhook",
            "answer as the refusal says, and act on nothing",
        ),
        Some(300..400) => check.fail(
            "the endpoint redirects",
            "register the address that it redirects to: providers follow none",
        ),
        // Without a genuine one, nothing else would tell a login or a wrong path from the shop.
        Some(status) if genuine.is_none() && status != REFUSED => check.unknown(
            format!(
                "the endpoint answers {status} to a forged webhook, where the shop says {REFUSED}"
            ),
            "see whether it is the shop that answers, and no login, firewall or other path",
        ),
        Some(status) => check.pass(format!("the endpoint refuses a forged webhook: {status}")),
        None => check.fail(
            "the endpoint does not answer",
            "open it to the provider: firewalls and logins must let webhooks through",
        ),
    }
    let Some(genuine) = genuine else { return };
    match post(transport, url, &genuine).await {
        Some(200..300) => check.pass("the endpoint takes a genuine webhook"),
        Some(status) => check.fail(
            format!("the endpoint refuses a genuine webhook: {status}"),
            "give it the same secret, and the body byte for byte as it came",
        ),
        None => {}
    }
}

async fn post(transport: &dyn Transport, url: &str, webhook: &WebhookRequest) -> Option<u16> {
    let mut request = http::Request::post(url).header(CONTENT_TYPE, "application/json");
    for (name, value) in webhook.headers() {
        request = request.header(name, value);
    }
    let body = Bytes::copy_from_slice(webhook.body());
    let answer = transport.send(request.body(body).ok()?).await.ok()?;
    Some(answer.status().as_u16())
}

/// A genuine webhook with one byte changed, or one that nobody signed.
fn forged(genuine: Option<&WebhookRequest>) -> WebhookRequest {
    match genuine {
        Some(genuine) => {
            let mut body = genuine.body().to_vec();
            body.push(b' ');
            WebhookRequest::new(genuine.headers().clone(), body)
        }
        None => WebhookRequest::new(http::HeaderMap::new(), "{}"),
    }
}

/// Whether an address holds a user, and perhaps a password, before its host.
fn has_user(url: &str) -> bool {
    let uri = url.parse::<http::Uri>().ok();
    let authority = uri.as_ref().and_then(http::Uri::authority);
    authority.is_some_and(|authority| authority.as_str().contains('@'))
}

/// An address without what is easily mistaken in it.
fn plain(url: &str) -> String {
    let lower = url.to_ascii_lowercase();
    let rest = lower
        .trim_start_matches("https://")
        .trim_start_matches("http://");
    let rest = rest.trim_start_matches("www.");
    rest.trim_end_matches('/').to_owned()
}
