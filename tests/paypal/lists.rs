//! The transaction search, disputes, the account and its webhooks.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use counterfoil::clock::Timestamp;
use counterfoil::payout::PayoutStatus;
use counterfoil::providers::paypal::PayPal;
use counterfoil::request::Period;
use counterfoil::{ErrorKind, ModeKind, PaymentProvider, Result};
use futures_util::{Stream, StreamExt, TryStreamExt};
use serde_json::{Value, json};

use crate::answers::{self, CAPTURE, ORDER, ORDER_PATH, capture};
use crate::script::{self, NOW, Script};

const SEARCH: &str = "GET /v1/reporting/transactions";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn row(id: &str, code: &str, value: &str, status: &str) -> Value {
    json!({"transaction_info": {
        "transaction_id": id, "transaction_event_code": code, "transaction_status": status,
        "transaction_amount": answers::amount(value),
        "transaction_initiation_date": "2026-11-16T11:40:00+0000",
    }})
}

fn page(rows: Value, pages: u32) -> Value {
    json!({"transaction_details": rows, "total_pages": pages, "page": 1})
}

fn queries(requests: &[http::Request<Bytes>], path: &str) -> Vec<Vec<(String, String)>> {
    let of = requests
        .iter()
        .filter(|request| request.uri().path() == path);
    of.map(|request| {
        let query = request.uri().query().unwrap_or_default();
        form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect()
    })
    .collect()
}

fn value<'q>(query: &'q [(String, String)], name: &str) -> &'q str {
    let found = query.iter().find(|(key, _)| key == name);
    found.map_or("", |(_, value)| value)
}

#[tokio::test]
async fn payments_are_searched_page_by_page_and_window_by_window() {
    let script = Arc::new(Script::default());
    script.json(
        SEARCH,
        200,
        page(json!([row(CAPTURE, "T0006", "20.00", "S")]), 2),
    );
    let others = json!([
        row("9RE", "T1107", "-5.00", "S"),
        row("9FE", "T0107", "-1.00", "S"),
        row("9SE", "T0000", "-7.00", "S"),
        row("9WI", "T0400", "-13.00", "S"),
        row("9GONE", "T0006", "3.00", "S"),
    ]);
    script.json(SEARCH, 200, page(others, 2));
    script.json(SEARCH, 200, page(json!([]), 0));
    let of_capture = capture(CAPTURE, "COMPLETED", "20.00");
    script.json(
        &format!("GET /v2/payments/captures/{CAPTURE}"),
        200,
        of_capture,
    );
    script.json(&format!("GET {ORDER_PATH}"), 200, answers::paid());
    let provider = script::provider(&script);
    let from = NOW.saturating_sub(70 * DAY);
    let listed: Vec<_> = provider
        .list_payments(Period::since(from))
        .try_collect()
        .await
        .unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].id.raw(), ORDER);
    assert!(listed[0].reference.is_some() && listed[0].fee.is_some());

    let queries = queries(&script.take(), "/v1/reporting/transactions");
    let pages: Vec<_> = queries.iter().map(|query| value(query, "page")).collect();
    assert_eq!(pages, ["1", "2", "1", "1"]);
    let instant = |text: &str| -> Timestamp {
        let at: jiff::Timestamp = text.parse().unwrap();
        Timestamp::from_unix(at.as_second())
    };
    let mut end = NOW;
    for query in [&queries[0], &queries[2], &queries[3]] {
        let window = (
            instant(value(query, "start_date")),
            instant(value(query, "end_date")),
        );
        assert_eq!(window.1, end, "without gap or overlap");
        assert!(window.1.abs_diff(window.0) <= 31 * DAY);
        end = window.0.saturating_sub(Duration::from_secs(1));
    }
    assert_eq!(instant(value(&queries[3], "start_date")), from);
}

#[tokio::test]
async fn an_open_period_goes_back_three_years_and_no_further() {
    let script = Arc::new(Script::default());
    script.json(SEARCH, 200, page(json!([]), 0));
    let provider = script::provider(&script);
    let listed: Vec<_> = provider
        .list_payments(Period::default())
        .try_collect()
        .await
        .unwrap();
    assert!(listed.is_empty());
    let asked = script.lines().len();
    assert!((35..=37).contains(&asked), "{asked}");
    let future = Period::since(NOW.saturating_add(DAY));
    let listed: Vec<_> = provider.list_payments(future).try_collect().await.unwrap();
    assert!(listed.is_empty() && script.lines().is_empty());
}

#[tokio::test]
async fn payouts_are_the_withdrawals_to_a_bank() {
    let script = Arc::new(Script::default());
    let rows = json!([
        row(CAPTURE, "T0006", "20.00", "S"),
        row("9AA", "T0400", "-13.00", "S"),
        row("9BB", "T0403", "-2.50", "P"),
        row("9CC", "T0400", "-1.00", "V"),
        row("9DD", "T0400", "-1.00", "D"),
    ]);
    script.json(SEARCH, 200, page(rows, 1));
    let provider = script::provider(&script);
    let payouts = provider.list_payouts(Period::since(NOW.saturating_sub(DAY)));
    let payouts: Vec<_> = payouts.try_collect().await.unwrap();
    let read: Vec<_> = payouts
        .iter()
        .map(|p| (p.amount.minor(), p.status.clone()))
        .collect();
    let expected = [
        (1300, PayoutStatus::Paid),
        (250, PayoutStatus::InTransit),
        (100, PayoutStatus::Failed),
        (100, PayoutStatus::Canceled),
    ];
    assert_eq!(read, expected);
    assert!(payouts.iter().all(|payout| !payout.lines_complete));
}

#[tokio::test]
async fn disputes_are_listed_to_the_end_each_with_its_payment() {
    let script = Arc::new(Script::default());
    let item = |id: &str, at: &str| json!({"dispute_id": id, "create_time": at});
    let list = "GET /v1/customer/disputes";
    script.json(list, 200, json!({
        "items": [item("PP-D-1", "2026-11-16T11:00:00Z"), item("PP-D-0", "2026-11-01T11:00:00Z")],
        "links": [{"rel": "next", "method": "GET", "href":
            "https://api.sandbox.paypal.com/v1/customer/disputes?page_size=50&next_page_token=AB%2B1"}],
    }));
    script.json(
        list,
        200,
        json!({"items": [item("PP-D-2", "2026-11-16T10:00:00Z")], "links": []}),
    );
    for id in ["PP-D-1", "PP-D-2"] {
        script.json(
            &format!("{list}/{id}"),
            200,
            json!({
                "dispute_id": id, "status": "OPEN", "dispute_amount": answers::amount("20.00"),
                "disputed_transactions": [{"seller_transaction_id": CAPTURE}],
                "create_time": "2026-11-16T11:00:00Z",
            }),
        );
    }
    let provider = script::provider(&script);
    let since = Period::since(NOW.saturating_sub(DAY));
    let disputes: Vec<_> = provider.list_disputes(since).try_collect().await.unwrap();
    let ids: Vec<_> = disputes.iter().map(|dispute| dispute.id.raw()).collect();
    assert_eq!(ids, ["PP-D-1", "PP-D-2"]);
    assert!(
        disputes
            .iter()
            .all(|dispute| dispute.payment.raw() == CAPTURE)
    );
    let queries = queries(&script.take(), "/v1/customer/disputes");
    assert_eq!(
        value(&queries[0], "update_time_after"),
        "2026-11-15T12:00:00Z"
    );
    assert_eq!(value(&queries[1], "next_page_token"), "AB+1");
}

/// What a list has, and the names of what in it could not be read.
async fn told_apart<T>(list: impl Stream<Item = Result<T>>) -> (Vec<T>, Vec<String>) {
    let (mut read, mut unreadable) = (Vec::new(), Vec::new());
    let mut list = std::pin::pin!(list);
    while let Some(listed) = list.next().await {
        match listed {
            Ok(item) => read.push(item),
            Err(error) => unreadable.push(error.item().expect("the list goes on").to_owned()),
        }
    }
    (read, unreadable)
}

#[tokio::test]
async fn a_dispute_that_cannot_be_read_hides_no_other() {
    let script = Arc::new(Script::default());
    let item = |id: &str| json!({"dispute_id": id, "create_time": "2026-11-16T11:00:00Z"});
    let list = "GET /v1/customer/disputes";
    let ids = ["PP-D-1", "PP-D-2", "PP-D-3", "PP-D-4", "PP-D-5"];
    let items: Vec<_> = ids.into_iter().map(item).collect();
    script.json(list, 200, json!({"items": items, "links": []}));
    // The seller's id of a transaction is not required, and any currency may be new.
    for (id, transaction, currency) in [
        ("PP-D-1", json!({"buyer_transaction_id": "9AB"}), "USD"),
        ("PP-D-2", json!({"seller_transaction_id": CAPTURE}), "USD"),
        ("PP-D-3", json!({"seller_transaction_id": CAPTURE}), "QQQ"),
        ("PP-D-4", json!({"seller_transaction_id": CAPTURE}), "USD"),
    ] {
        let dispute = json!({
            "dispute_id": id, "status": "OPEN", "disputed_transactions": [transaction],
            "dispute_amount": {"currency_code": currency, "value": "20.00"},
        });
        script.json(&format!("{list}/{id}"), 200, dispute);
    }
    script.json(&format!("{list}/PP-D-5"), 500, json!({}));
    let provider = script::provider(&script);
    let since = Period::since(NOW.saturating_sub(DAY));
    let (disputes, unreadable) = told_apart(provider.list_disputes(since)).await;
    let read: Vec<_> = disputes.iter().map(|dispute| dispute.id.raw()).collect();
    assert_eq!(read, ["PP-D-2", "PP-D-4"]);
    assert_eq!(unreadable, ["PP-D-1", "PP-D-3", "PP-D-5"]);
}

#[tokio::test]
async fn a_payment_or_payout_that_cannot_be_read_hides_no_other() {
    let script = Arc::new(Script::default());
    let other = "9AB1";
    let mut strange = row(other, "T0006", "20.00", "S");
    strange["transaction_info"]["transaction_amount"]["currency_code"] = "QQQ".into();
    let mut nameless = row("", "T0006", "1.00", "S");
    nameless["transaction_info"]["transaction_id"].take();
    let mut payout = row("9CC1", "T0400", "-1.00", "S");
    payout["transaction_info"]["transaction_amount"]["currency_code"] = "QQQ".into();
    let paid_out = row("9CC2", "T0400", "-1.00", "S");
    let paid = row(CAPTURE, "T0006", "20.00", "S");
    let rows = json!([strange, nameless, payout, paid_out, paid]);
    script.json(SEARCH, 200, page(rows, 1));
    let captures = "GET /v2/payments/captures/";
    let mut of_tomorrow = capture(other, "COMPLETED", "20.00");
    of_tomorrow["amount"]["currency_code"] = "QQQ".into();
    script.json(&format!("{captures}{other}"), 200, of_tomorrow);
    let known = capture(CAPTURE, "COMPLETED", "20.00");
    script.json(&format!("{captures}{CAPTURE}"), 200, known);
    script.json(&format!("GET {ORDER_PATH}"), 200, answers::paid());
    let provider = script::provider(&script);
    let since = Period::since(NOW.saturating_sub(DAY));
    let (payments, unreadable) = told_apart(provider.list_payments(since)).await;
    assert_eq!(payments.len(), 1);
    assert_eq!(payments[0].id.raw(), ORDER);
    assert_eq!(unreadable, [other, "unnamed"]);
    let (payouts, unreadable) = told_apart(provider.list_payouts(since)).await;
    assert_eq!(payouts.len(), 1);
    assert_eq!(unreadable, ["9CC1"]);
}

#[tokio::test]
async fn the_account_tells_its_id_and_currencies() {
    let script = Arc::new(Script::default());
    script.json(
        "GET /v1/reporting/balances",
        200,
        json!({
            "account_id": "QNXUX7ZEBLGCE",
            "balances": [{"currency": "USD", "primary": true}, {"currency": "EUR"}],
        }),
    );
    let account = script::provider(&script).account().await.unwrap();
    assert_eq!(
        (&*account.id, account.mode),
        ("QNXUX7ZEBLGCE", ModeKind::Test)
    );
    assert_eq!(account.currencies.len(), 2);

    let script = Arc::new(Script::default());
    script.json(
        "GET /v1/reporting/balances",
        403,
        json!({"name": "NOT_AUTHORIZED"}),
    );
    let error = script::provider(&script).account().await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Credentials);
    assert!(error.to_string().contains("feature"), "{error}");
}

#[tokio::test]
async fn registered_webhooks_are_listed() {
    let script = Arc::new(Script::default());
    script.json(
        "GET /v1/notifications/webhooks",
        200,
        json!({"webhooks": [{
            "id": "1JE4291016473214C", "url": "https://shop.example/hook",
            "event_types": [{"name": "PAYMENT.CAPTURE.COMPLETED"}, {"name": "*"}],
        }]}),
    );
    let paypal = PayPal::new(script::config(&script)).unwrap();
    let endpoints = paypal.webhook_endpoints().await.unwrap();
    assert_eq!(endpoints.len(), 1);
    assert_eq!(&*endpoints[0].url, "https://shop.example/hook");
    assert_eq!(endpoints[0].types.len(), 2);
}
