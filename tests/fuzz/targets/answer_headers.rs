//! The headers of an answer: when to ask again, and what time it is there. Each line is one.

#![no_main]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use counterfoil::capability::Operation;
use counterfoil::http::{ApiClient, ApiRequest, Authorization, BaseUrl, ManualTimer, RetryPolicy};
use counterfoil::id::ProviderName;
use counterfoil::{ErrorKind, Secret, Test};
use counterfoil_fuzz::{Parrot, headers};
use libfuzzer_sys::fuzz_target;

static CLIENT: LazyLock<(Arc<Parrot>, ApiClient)> = LazyLock::new(|| {
    let parrot = Arc::new(Parrot::default());
    let name = ProviderName::new("example").unwrap();
    let base = BaseUrl::<Test>::https("https://api.example.com").unwrap();
    let key = Authorization::bearer(&Secret::new("sk_test_1")).unwrap();
    let timer = Arc::new(ManualTimer::new());
    let client = ApiClient::new(name, &base, key, Arc::clone(&parrot) as _, timer)
        .with_request_id_header(http::HeaderName::from_static("request-id"))
        .with_retry_policy(RetryPolicy::default().with_total(Duration::from_secs(120)))
        .with_seed(1);
    (parrot, client)
});

fuzz_target!(|data: &[u8]| {
    let (parrot, client) = &*CLIENT;
    let mut answer = http::Response::new(Bytes::new());
    *answer.status_mut() = http::StatusCode::TOO_MANY_REQUESTS;
    *answer.headers_mut() = headers(data);
    let waits = answer.headers().get("retry-after").cloned();
    parrot.teach(answer);
    let asked = ApiRequest::get(Operation::Account, &["account"]);
    let answer = pollster::block_on(client.send(asked)).unwrap();
    let after = answer.retry_after();
    assert_eq!(answer.refusal().kind(), &ErrorKind::RateLimited { after });
    let seconds = waits.and_then(|text| text.to_str().ok()?.trim().parse().ok());
    if let Some(seconds) = seconds {
        assert_eq!(after, Some(Duration::from_secs(seconds)));
    }
    let _ = (answer.date(), answer.request_id());
});
