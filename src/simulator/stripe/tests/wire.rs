//! What holds for every request: keys, faults, lists, bad input.

use super::*;
use crate::simulator::{FaultRule, WebhookFault};

#[test]
fn the_same_key_gives_the_same_answer_for_a_day() {
    let mut shop = Merchant::new();
    let form = confirmed(2000, "pm_card_visa", "");
    let (_, first) = shop.post_keyed("/v1/payment_intents", &form, "k1");
    let Answer::Response(again) = shop.send(&keyed("/v1/payment_intents", &form, "k1")) else {
        panic!("no fault was planned");
    };
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    assert_eq!(
        serde_json::from_slice::<Value>(again.body()).unwrap(),
        first
    );
    assert_eq!(shop.stripe.ledger().len(), 1);
    let other = confirmed(2001, "pm_card_visa", "");
    let (status, body) = shop.post_keyed("/v1/payment_intents", &other, "k1");
    assert_eq!(
        (status, text(&body["error"], "type")),
        (400, "idempotency_error".into())
    );
    shop.stripe.advance(DAY);
    let (_, anew) = shop.post_keyed("/v1/payment_intents", &form, "k1");
    assert_ne!(anew["id"], first["id"]);

    // A decline was executed and is replayed; what fails validation was not and is not.
    let declined = confirmed(2000, "pm_card_visa_chargeDeclined", "");
    let (_, first) = shop.post_keyed("/v1/payment_intents", &declined, "k2");
    let (status, again) = shop.post_keyed("/v1/payment_intents", &declined, "k2");
    assert_eq!((status, again), (402, first));
    assert_eq!(
        shop.post_keyed("/v1/payment_intents", "amount=1.5&currency=eur", "k3")
            .0,
        400
    );
    assert_eq!(shop.post_keyed("/v1/payment_intents", &form, "k3").0, 200);
}

#[test]
fn each_fault_does_to_the_books_what_it_says() {
    for (fault, processed, retried) in [
        (Fault::DropBefore, 0, 1),
        (Fault::DropAfter, 1, 1),
        (Fault::ErrorBefore, 0, 1),
        (Fault::ErrorStored, 0, 0),
        (Fault::ErrorAfter, 1, 1),
        (Fault::Unavailable, 0, 1),
        (Fault::RateLimited, 0, 1),
        (Fault::Locked, 0, 1),
        (Fault::Truncated, 1, 1),
        (Fault::Garbage, 1, 1),
        (Fault::Slow(Duration::from_secs(5)), 1, 1),
    ] {
        let mut shop = Merchant::new();
        shop.stripe.faults().script(FaultRule::next(fault));
        let request = keyed(
            "/v1/payment_intents",
            &confirmed(2000, "pm_card_visa", ""),
            "k",
        );
        let answer = shop.send(&request);
        assert_eq!(
            shop.stripe.ledger().len(),
            processed,
            "{fault:?}: {answer:?}"
        );
        let held = matches!(answer, Answer::Late(..));
        if held {
            let (status, body) = shop.call(&request);
            assert_eq!(
                (status, text(&body["error"], "code")),
                (409, "idempotency_key_in_use".into())
            );
            shop.stripe.advance(Duration::from_secs(5));
        }
        let (status, _) = shop.call(&request);
        assert_eq!(shop.stripe.ledger().len(), retried, "{fault:?}");
        let stored_error = matches!(fault, Fault::ErrorStored | Fault::ErrorAfter);
        assert_eq!(status, if stored_error { 500 } else { 200 }, "{fault:?}");
    }
}

#[test]
fn lists_are_paged_both_ways_and_filtered() {
    let mut shop = Merchant::new();
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(text(
            &shop.ok("/v1/payment_intents", "amount=100&currency=usd"),
            "id",
        ));
        shop.stripe.advance(Duration::from_secs(10));
    }
    ids.reverse();
    let page = |shop: &mut Merchant, query: &str| {
        let page = shop.read(&format!("/v1/payment_intents?{query}"));
        let rows = page["data"].as_array().unwrap();
        let rows: Vec<String> = rows.iter().map(|row| text(row, "id")).collect();
        (rows, page["has_more"].as_bool().unwrap())
    };
    assert_eq!(page(&mut shop, "limit=2"), (ids[..2].to_vec(), true));
    assert_eq!(
        page(&mut shop, &format!("limit=2&starting_after={}", ids[1])),
        (ids[2..4].to_vec(), true)
    );
    assert_eq!(
        page(&mut shop, &format!("limit=2&starting_after={}", ids[3])),
        (ids[4..].to_vec(), false)
    );
    assert_eq!(
        page(&mut shop, &format!("limit=2&ending_before={}", ids[3])),
        (ids[1..3].to_vec(), true)
    );
    let from = START.unix() + 20;
    assert_eq!(
        page(
            &mut shop,
            &format!("created[gte]={from}&created[lt]={}", from + 20)
        )
        .0,
        ids[1..3]
    );
    for query in [
        "limit=0",
        "limit=101",
        "limit=x",
        "starting_after=pi_none",
        "colour=red",
    ] {
        let (status, _) = shop.get(&format!("/v1/payment_intents?{query}"));
        assert!((400..500).contains(&status), "{query}");
    }
}

#[test]
fn search_finds_by_metadata_only_after_a_minute() {
    let mut shop = Merchant::new();
    let id = text(
        &shop.paid(1000, "pm_card_visa", "&metadata[order]=A1"),
        "id",
    );
    let path = "/v1/payment_intents/search?query=metadata['order']:'A1'";
    let found = |shop: &mut Merchant| shop.read(path)["data"].as_array().unwrap().len();
    assert_eq!(found(&mut shop), 0);
    shop.stripe.advance(Duration::from_secs(59));
    assert_eq!(found(&mut shop), 0);
    shop.stripe.advance(Duration::from_secs(1));
    assert_eq!(found(&mut shop), 1);
    let _ = shop.ok(&format!("/v1/payment_intents/{id}"), "metadata[order]=A2");
    assert_eq!(found(&mut shop), 1, "the change is not indexed yet");
    shop.stripe.advance(Duration::from_secs(60));
    assert_eq!(found(&mut shop), 0);
    assert_eq!(shop.get("/v1/payment_intents/search?query=nonsense").0, 400);
}

#[test]
fn keys_decide_who_may_do_what() {
    let mut shop = Merchant::new();
    let ask = |shop: &mut Merchant, authorization: &str| {
        let request = Request::get("/v1/balance").header("authorization", authorization);
        shop.call(&request.body(Bytes::new()).unwrap())
    };
    assert_eq!(ask(&mut shop, "Bearer sk_test_1").0, 200);
    assert_eq!(ask(&mut shop, "Basic c2tfdGVzdF8xOg==").0, 200);
    assert_eq!(ask(&mut shop, "Bearer rk_test_1").0, 200);
    for bad in [
        "Bearer sk_live_1234567890123",
        "Bearer nonsense",
        "Basic !!",
        "Basic c2s=",
        "Bearer",
        "sk_test_1",
        "Bearer sk_test_",
        "Bearer pk_test_1",
    ] {
        let (status, body) = ask(&mut shop, bad);
        assert_eq!(status, 401, "{bad}");
        assert!(!body.to_string().contains("sk_live_1234567890123"));
    }
    let bare = Request::get("/v1/balance").body(Bytes::new()).unwrap();
    assert_eq!(shop.call(&bare).0, 401);
    shop.stripe
        .restrict_key("rk_test_1", &[Permission::Read("payment_intents")]);
    assert_eq!(ask(&mut shop, "Bearer rk_test_1").0, 403);
}

#[test]
fn unknown_parameters_and_wrong_amounts_are_refused() {
    let mut shop = Merchant::new();
    for (form, code) in [
        ("amount=100&currency=usd&colour=red", "parameter_unknown"),
        (
            "amount=100&currency=usd&automatic_payment_methods[x]=1",
            "parameter_unknown",
        ),
        ("currency=usd", "parameter_missing"),
        ("amount=1e3&currency=usd", "parameter_invalid_integer"),
        ("amount=49&currency=usd", "amount_too_small"),
        ("amount=9999999999999&currency=usd", "amount_too_large"),
        ("amount=1005&currency=kwd", "parameter_invalid_integer"),
        ("amount=150&currency=isk", "parameter_invalid_integer"),
        ("amount=&currency=usd", "parameter_invalid_empty"),
        (
            "amount=100&currency=usd&payment_method=pm_none",
            "resource_missing",
        ),
        (
            "amount=100&currency=usd&confirm=true",
            "payment_intent_unexpected_state",
        ),
    ] {
        let form = format!(
            "{form}&automatic_payment_methods[allow_redirects]=never&automatic_payment_methods[enabled]=true"
        );
        let (status, body) = shop.post("/v1/payment_intents", &form);
        assert_eq!(text(&body["error"], "code"), code, "{form} {status}");
    }
    let card = "type=card&card[number]=4242424242424242&card[exp_month]=1";
    let (status, body) = shop.post("/v1/payment_methods", card);
    assert_eq!(status, 400);
    assert!(!body.to_string().contains("4242424242424242"));
    assert_eq!(
        shop.ok("/v1/payment_methods", "type=card&card[token]=tok_visa")["type"],
        "card"
    );
}

#[test]
fn hostile_requests_are_answered_and_never_panic() {
    let mut shop = Merchant::new();
    for method in [
        "GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS", "BREW",
    ] {
        for path in [
            "/",
            "/v1",
            "/v1/",
            "/v1//",
            "/v2/x",
            "/v1/payment_intents/..",
            "/v1/payment_intents/a/b/c/d",
            "/c/",
            "/c/pay/x",
            "/c/challenge/x",
            "/v1/charges/%ff",
            "*",
        ] {
            for body in [
                &b""[..],
                b"\xff\xfe",
                b"a[b[c]=1",
                b"a[][][][][][][][][]=1",
                b"[]=&=&&",
                b"amount[x]=1",
            ] {
                let request = authorized(Request::builder().method(method).uri(path));
                let request = request.body(Bytes::copy_from_slice(body)).unwrap();
                let answer = shop.send(&request);
                let Answer::Response(response) = answer else {
                    panic!("{answer:?}");
                };
                assert!(response.status().as_u16() >= 400, "{method} {path}");
            }
        }
    }
    let huge = post("/v1/payment_intents", &"a".repeat(BODY_MAX + 1));
    assert_eq!(shop.call(&huge).0, 413);
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let run = |seed| {
        let mut stripe = StripeSimulator::new(seed, START);
        let _ = stripe.add_webhook_endpoint("http://127.0.0.1:9/", "whsec_x", &["*"]);
        stripe.webhook_odds().set_odds(WebhookFault::Duplicate, 300);
        stripe.faults().set_odds(Fault::DropAfter, 200);
        let mut trace = String::new();
        for n in 0..40 {
            let method = [
                "pm_card_visa",
                "pm_card_createDispute",
                "pm_card_refundFail",
            ][n % 3];
            let form = confirmed(1000, method, "");
            trace += &format!(
                "{:?}",
                stripe.handle(&keyed("/v1/payment_intents", &form, &n.to_string()))
            );
            stripe.advance(HOUR);
            for delivery in stripe.due_webhooks() {
                trace += &format!("{:?}", delivery.request);
                stripe.report_webhook(delivery.id, Some(200));
            }
        }
        trace
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn what_cannot_be_expanded_is_refused_before_anything_happens() {
    let mut shop = Merchant::new();
    let intent = text(&shop.paid(1000, "pm_card_visa", ""), "id");
    for path in [
        "colour",
        "charge.colour",
        "charge.payment_intent.latest_charge.customer.x",
        "id",
    ] {
        let form = format!("payment_intent={intent}&amount=100&expand[]={path}");
        let (status, _) = shop.post_keyed("/v1/refunds", &form, "k");
        assert_eq!(status, 400, "{path}");
    }
    assert!(shop.stripe.ledger()[0].refunded.is_zero());
    let form = format!("payment_intent={intent}&expand[]=charge.payment_intent");
    let refund = shop.ok("/v1/refunds", &form);
    assert_eq!(refund["charge"]["payment_intent"]["id"], intent);
}

#[test]
fn payment_method_types_left_the_api_with_endive() {
    let mut shop = Merchant::new();
    let form = "amount=100&currency=eur&payment_method_types[]=card";
    let mut ask = |version: &'static str| {
        let mut request = post("/v1/payment_intents", form);
        let version = http::HeaderValue::from_static(version);
        let _ = request.headers_mut().insert("stripe-version", version);
        shop.call(&request)
    };
    assert_eq!(ask("2026-08-26.dahlia").0, 200);
    let (status, body) = ask("2026-10-28.endive");
    assert_eq!(
        (status, text(&body["error"], "code")),
        (400, "parameter_unknown".into())
    );
}
