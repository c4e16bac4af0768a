//! The way to stripe-world.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use counterfoil::http::{Transport, TransportError};
use http::{Method, Request, Response};
use serde_json::Value;

/// The network, but for what stripe-world does not know:
///
/// - `return_url` and `request_multicapture` are left out of new intents;
/// - Stripe's test methods `pm_card_*` are made first, of the test token that each stands for;
/// - the list of Checkout Sessions is empty.
#[derive(Debug)]
pub(crate) struct Adapted(pub(crate) Arc<dyn Transport>);

#[async_trait]
impl Transport for Adapted {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let is = |method: Method, path: &str| {
            request.method() == method && request.uri().path().ends_with(path)
        };
        if is(Method::GET, "/v1/checkout/sessions") {
            let none = r#"{"object":"list","data":[],"has_more":false}"#;
            return Ok(Response::new(none.into()));
        }
        if !is(Method::POST, "/v1/payment_intents") {
            return self.0.send(request).await;
        }
        let mut form = Vec::new();
        for (name, value) in form_urlencoded::parse(request.body()).into_owned() {
            match (&*name, value.strip_prefix("pm_card_")) {
                ("return_url" | "payment_method_options[card][request_multicapture]", _) => {}
                ("payment_method", Some(card)) => match self.make_method(&request, card).await? {
                    Ok(method) => form.push((name, method)),
                    Err(answer) => return Ok(answer),
                },
                _ => form.push((name, value)),
            }
        }
        let (parts, _) = request.into_parts();
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        self.0.send(Request::from_parts(parts, form.into())).await
    }
}

impl Adapted {
    /// The same method for the same request, however often it is sent; or what was answered instead.
    async fn make_method(
        &self,
        request: &Request<Bytes>,
        card: &str,
    ) -> Result<Result<String, Response<Bytes>>, TransportError> {
        let (mut parts, _) = request.clone().into_parts();
        let uri = parts.uri.to_string();
        parts.uri = uri
            .replace("/payment_intents", "/payment_methods")
            .parse()
            .unwrap();
        let key = format!(
            "{}:method",
            parts.headers["idempotency-key"].to_str().unwrap()
        );
        parts
            .headers
            .insert("idempotency-key", key.parse().unwrap());
        let form = format!("type=card&card[token]=tok_{card}");
        let answer = self.0.send(Request::from_parts(parts, form.into())).await?;
        if !answer.status().is_success() {
            return Ok(Err(answer));
        }
        let method: Value = serde_json::from_slice(answer.body()).unwrap();
        let id = method["id"].as_str();
        Ok(Ok(id.unwrap_or_else(|| panic!("{method:#}")).to_owned()))
    }
}
