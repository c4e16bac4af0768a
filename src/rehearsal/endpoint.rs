//! A webhook endpoint that you have built, tried from outside: what does it answer?

use std::fmt;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::conformance::rig::{Rig, Shopper, SignedWith, Unable, UnusualNotice};
use crate::conformance::stage::{Proof, Stage, Stop};
use crate::webhook::{MAX_BODY_BYTES, WebhookRequest};

/// How far from now a signature is that must be refused.
const FAR: Duration = Duration::from_secs(3600);

/// Sends genuine, unusual and forged webhooks to an endpoint by `post`, which gives the HTTP status
/// that came back. The rig must sign with the endpoint's secret; `now` is the endpoint's time.
///
/// An endpoint acknowledges what is genuine, twice if it comes twice, and what it has no use for;
/// and never what it cannot believe. Whether the order then stands as it should is not seen from
/// outside: [`rehearse`](super::rehearse) shows that.
///
/// # Errors
/// What the rig could not do, as a text.
pub async fn try_endpoint(
    rig: &dyn Rig,
    now: Timestamp,
    post: impl AsyncFn(WebhookRequest) -> Option<u16>,
) -> Result<Vec<EndpointRuling>, String> {
    let letters = letters(rig, now).await.map_err(|stop| stop.to_string())?;
    let mut rulings = Vec::with_capacity(letters.len());
    for letter in letters {
        rulings.push(EndpointRuling {
            what: letter.what,
            must_be_taken: letter.must_be_taken,
            answer: post(letter.webhook).await,
        });
    }
    Ok(rulings)
}

/// What an endpoint answered to one webhook.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EndpointRuling {
    /// What was sent.
    pub what: &'static str,
    /// Whether it must be acknowledged with a 2xx; otherwise it must not be.
    pub must_be_taken: bool,
    /// The HTTP status, if an answer came.
    pub answer: Option<u16>,
}

impl EndpointRuling {
    /// Whether the endpoint did as it must.
    #[must_use]
    pub fn is_good(&self) -> bool {
        match self.answer {
            Some(200..=299) => self.must_be_taken,
            // A redirect loses the body, and reads as a failure to the provider.
            Some(400..=599) => !self.must_be_taken,
            _ => false,
        }
    }
}

impl fmt::Display for EndpointRuling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.is_good() { "passed" } else { "FAILED" };
        let must = if self.must_be_taken {
            "a 2xx"
        } else {
            "a 4xx or 5xx"
        };
        write!(f, "{word:<7} {:<36} ", self.what)?;
        match self.answer {
            Some(status) => write!(f, "answered {status}, must be {must}"),
            None => write!(f, "no answer, must be {must}"),
        }
    }
}

/// A webhook to send, and what must come of it.
struct Letter {
    what: &'static str,
    must_be_taken: bool,
    webhook: WebhookRequest,
}

async fn letters(rig: &dyn Rig, now: Timestamp) -> Proof<Vec<Letter>> {
    let stage = Stage::new(rig)?;
    let body = stage.genuine_webhook().await?.body().to_vec();
    let genuine = sign(rig, &body, now, SignedWith::TheEndpointsSecret)?;
    let mut altered = body.clone();
    if let Some(byte) = altered.get_mut(body.len() / 2) {
        *byte ^= 1;
    }
    let altered = WebhookRequest::new(genuine.headers().clone(), altered);
    let huge = vec![b' '; MAX_BODY_BYTES + 1];
    let huge = WebhookRequest::new(genuine.headers().clone(), huge);
    let mut letters = vec![
        taken("genuine", genuine.clone()),
        taken("the same again", genuine.clone()),
        refused("one byte changed", altered),
        refused(
            "signed by a forger",
            sign(rig, &body, now, SignedWith::AnotherSecret)?,
        ),
        refused("not signed", sign(rig, &body, now, SignedWith::Nothing)?),
        refused("larger than any provider sends", huge),
    ];
    for (what, at) in [
        ("signed an hour ago", now.saturating_sub(FAR)),
        ("signed in an hour", now.saturating_add(FAR)),
    ] {
        // A scheme without a time has no such letter.
        if let Ok(signed) = rig.sign(&body, at, SignedWith::TheEndpointsSecret) {
            letters.push(refused(what, signed));
        }
    }
    for (what, notice) in [
        ("of a type that nobody knows", UnusualNotice::UnknownType),
        ("not about payments", UnusualNotice::NotAboutPayments),
    ] {
        if let Ok(body) = rig.unusual_notice(notice) {
            let signed = sign(rig, &body, now, SignedWith::TheEndpointsSecret)?;
            letters.push(taken(what, signed));
        }
    }
    let other = stage.request("A-2", 3000)?;
    let payment = stage.shop(&other, Shopper::Pays).await?;
    if let Ok(body) = rig.unusual_notice(UnusualNotice::OfLiveMode(&payment)) {
        let signed = sign(rig, &body, now, SignedWith::TheEndpointsSecret)?;
        letters.push(taken("of the other mode", signed));
    }
    letters.push(taken("genuine, after all that", genuine));
    Ok(letters)
}

const fn taken(what: &'static str, webhook: WebhookRequest) -> Letter {
    Letter {
        what,
        must_be_taken: true,
        webhook,
    }
}

const fn refused(what: &'static str, webhook: WebhookRequest) -> Letter {
    Letter {
        what,
        must_be_taken: false,
        webhook,
    }
}

fn sign(rig: &dyn Rig, body: &[u8], at: Timestamp, by: SignedWith) -> Proof<WebhookRequest> {
    let signed = rig.sign(body, at, by);
    signed.map_err(|Unable| Stop::NotProven("the rig cannot sign a webhook".into()))
}
