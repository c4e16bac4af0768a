//! The host's own webhook endpoint, as the probe meets it.

use async_trait::async_trait;
use bytes::Bytes;
use counterfoil::http::{Delivered, Transport, TransportError};
use counterfoil::webhook::WebhookRequest;
use counterfoil::{Live, Provider};

use super::shop::Acme;

/// What is wrong with the way to the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Right,
    Redirects,
    BehindALogin,
    Closed,
    AltersBodies,
    TakesAll,
}

#[derive(Debug)]
pub(crate) struct Host {
    provider: Provider<Live>,
    way: Way,
}

impl Host {
    pub(crate) fn new(acme: Acme<Live>) -> Self {
        Self::with_way(acme, Way::Right)
    }

    pub(crate) fn with_way(acme: Acme<Live>, way: Way) -> Self {
        Self {
            provider: acme.provider(),
            way,
        }
    }
}

#[async_trait]
impl Transport for Host {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let answer = |status: u16| {
            let response = http::Response::builder().status(status);
            Ok(response.body(Bytes::new()).unwrap())
        };
        let mut webhook = WebhookRequest::from(request);
        match self.way {
            Way::Right => {}
            Way::Redirects => return answer(308),
            Way::BehindALogin => return answer(401),
            Way::TakesAll => return answer(200),
            Way::AltersBodies => {
                webhook = WebhookRequest::new(webhook.headers().clone(), "altered");
            }
            Way::Closed => {
                return Err(TransportError {
                    delivered: Delivered::No,
                    cause: "closed".into(),
                });
            }
        }
        match self.provider.webhook(&webhook).await {
            Ok(_) => answer(200),
            Err(refusal) => answer(refusal.answer()),
        }
    }
}
