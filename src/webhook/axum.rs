//! A webhook as an axum handler's argument, and its answer as the handler's result.

use axum_core::extract::{FromRequest, Request};
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::{Delivery, MAX_BODY_BYTES, WebhookRefusal, WebhookRefusalKind, WebhookRequest};
use crate::mode::Mode;

/// Takes headers and body as they arrived; it must be the last argument. A body of more than
/// [`MAX_BODY_BYTES`] is refused without being kept.
impl<S: Sync> FromRequest<S> for WebhookRequest {
    type Rejection = WebhookRefusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, WebhookRefusal> {
        let (parts, body) = request.into_parts();
        let body = Limited::new(body, MAX_BODY_BYTES).collect().await;
        let body = body.map_err(|error| {
            if error.is::<LengthLimitError>() {
                let hint = "the body is larger than any notice: it was not looked at";
                WebhookRefusal::new(WebhookRefusalKind::TooLarge, hint)
            } else {
                let hint = "the connection ended before the body did";
                WebhookRefusal::new(WebhookRefusalKind::Unreadable, hint)
            }
        })?;
        Ok(Self::new(parts.headers, body.to_bytes()))
    }
}

/// The status only: the events are stored by then.
impl<M: Mode> IntoResponse for Delivery<M> {
    fn into_response(self) -> Response {
        status(self.answer())
    }
}

/// The status only: the hint is for the host's own eyes.
impl IntoResponse for WebhookRefusal {
    fn into_response(self) -> Response {
        status(self.answer())
    }
}

fn status(answer: u16) -> Response {
    StatusCode::from_u16(answer)
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
        .into_response()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum_core::body::Body;
    use bytes::Bytes;
    use http_body_util::{Full, StreamBody};
    use hyper::body::Frame;

    use super::*;

    async fn extract(body: Body) -> Result<WebhookRequest, WebhookRefusal> {
        let request = Request::builder()
            .header("stripe-signature", "t=1")
            .body(body);
        WebhookRequest::from_request(request.unwrap(), &()).await
    }

    async fn answered(response: impl IntoResponse) -> (u16, Bytes) {
        let response = response.into_response();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap();
        (status, body.to_bytes())
    }

    #[tokio::test]
    async fn headers_and_body_arrive_byte_for_byte() {
        let webhook = extract(Body::from("{\n  \"id\": \"evt\"\n}"))
            .await
            .unwrap();
        assert_eq!(webhook.body(), b"{\n  \"id\": \"evt\"\n}");
        assert_eq!(webhook.headers()["stripe-signature"], "t=1");
    }

    #[tokio::test]
    async fn the_largest_body_passes_and_one_byte_more_does_not() {
        let largest = Full::new(Bytes::from(vec![b' '; MAX_BODY_BYTES]));
        let webhook = extract(Body::new(largest)).await.unwrap();
        assert_eq!(webhook.body().len(), MAX_BODY_BYTES);

        let larger = Full::new(Bytes::from(vec![b' '; MAX_BODY_BYTES + 1]));
        let refusal = extract(Body::new(larger)).await.unwrap_err();
        assert_eq!(refusal.kind(), WebhookRefusalKind::TooLarge);
        assert_eq!(answered(refusal).await, (413, Bytes::new()));
    }

    #[tokio::test]
    async fn an_endless_body_is_refused() {
        let piece = || Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[b' '; 4096])));
        let endless = StreamBody::new(futures_util::stream::repeat_with(piece));
        let refusal = extract(Body::new(endless)).await.unwrap_err();
        assert_eq!(refusal.kind(), WebhookRefusalKind::TooLarge);
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_refused() {
        let broken = futures_util::stream::iter([Err::<Frame<Bytes>, _>("reset")]);
        let refusal = extract(Body::new(StreamBody::new(broken)))
            .await
            .unwrap_err();
        assert_eq!(refusal.kind(), WebhookRefusalKind::Unreadable);
    }

    #[tokio::test]
    async fn answers_are_a_status_without_a_hint() {
        let stored = Delivery::<crate::Test> {
            events: vec![],
            set_aside: vec![],
            rejected: vec![],
        };
        assert_eq!(answered(stored).await, (200, Bytes::new()));
        let refusal = WebhookRefusal::new(WebhookRefusalKind::WrongSignature, "secret hint");
        assert_eq!(answered(refusal).await, (400, Bytes::new()));
    }
}
