//! The simulator as a merchant sees it: requests in, answers and webhooks out.

mod checkout;
mod invariants;
mod payments;
mod webhooks;
mod wire;

use super::*;

const START: Timestamp = Timestamp::from_unix(1_795_000_000);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A merchant with a key.
struct Merchant {
    stripe: StripeSimulator,
}

impl Merchant {
    fn new() -> Self {
        Self {
            stripe: StripeSimulator::new(7, START),
        }
    }

    fn send(&mut self, request: &Request<Bytes>) -> Answer {
        self.stripe.handle(request)
    }

    fn call(&mut self, request: &Request<Bytes>) -> (u16, Value) {
        match self.send(request) {
            Answer::Response(response) => {
                let body = serde_json::from_slice(response.body()).unwrap();
                (response.status().as_u16(), body)
            }
            other => panic!("{other:?}"),
        }
    }

    fn post(&mut self, path: &str, form: &str) -> (u16, Value) {
        self.call(&post(path, form))
    }

    fn post_keyed(&mut self, path: &str, form: &str, key: &str) -> (u16, Value) {
        self.call(&keyed(path, form, key))
    }

    fn get(&mut self, path: &str) -> (u16, Value) {
        self.call(&authorized(Request::get(path)).body(Bytes::new()).unwrap())
    }

    fn ok(&mut self, path: &str, form: &str) -> Value {
        let (status, body) = self.post(path, form);
        assert_eq!(status, 200, "{path} {form}: {body:#}");
        body
    }

    fn read(&mut self, path: &str) -> Value {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{path}: {body:#}");
        body
    }

    /// An intent confirmed with `method`; extra parameters as a form.
    fn paid(&mut self, amount: i64, method: &str, extra: &str) -> Value {
        let form = confirmed(amount, method, extra);
        self.ok("/v1/payment_intents", &form)
    }

    fn session(&mut self, extra: &str) -> Value {
        let form = format!(
            "mode=payment&success_url=https://shop.example/ok?s={{CHECKOUT_SESSION_ID}}\
             &client_reference_id=order-1&payment_intent_data[metadata][order]=order-1\
             &line_items[0][quantity]=2&line_items[0][price_data][currency]=eur\
             &line_items[0][price_data][unit_amount]=1000\
             &line_items[0][price_data][product_data][name]=Chair{extra}"
        );
        self.ok("/v1/checkout/sessions", &form)
    }

    /// The kinds of all events, the oldest first.
    fn events(&mut self) -> Vec<String> {
        let events = self.read("/v1/events?limit=100");
        let rows = events["data"].as_array().unwrap().iter().rev();
        rows.map(|event| text(event, "type")).collect()
    }
}

fn confirmed(amount: i64, method: &str, extra: &str) -> String {
    format!(
        "amount={amount}&currency=eur&confirm=true&payment_method={method}\
         &automatic_payment_methods[enabled]=true\
         &automatic_payment_methods[allow_redirects]=never{extra}"
    )
}

fn authorized(builder: http::request::Builder) -> http::request::Builder {
    builder.header("authorization", "Bearer sk_test_123")
}

fn post(path: &str, form: &str) -> Request<Bytes> {
    let body = Bytes::copy_from_slice(form.as_bytes());
    authorized(Request::post(path)).body(body).unwrap()
}

fn keyed(path: &str, form: &str, key: &str) -> Request<Bytes> {
    let mut request = post(path, form);
    let _ = request
        .headers_mut()
        .insert("idempotency-key", key.parse().unwrap());
    request
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}
