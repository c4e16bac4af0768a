//! Orders, captures and refunds as PayPal answers them.

use serde_json::{Value, json};

pub(crate) const ORDER: &str = "5O190127TN364715T";
pub(crate) const HOLD: &str = "0VF52814937998046";
pub(crate) const CAPTURE: &str = "2GG279541U471931P";
pub(crate) const REFUND: &str = "1JU08902781691411";
pub(crate) const ORDER_PATH: &str = "/v2/checkout/orders/5O190127TN364715T";

pub(crate) fn amount(value: &str) -> Value {
    json!({"currency_code": "EUR", "value": value})
}

fn link(rel: &str, path: &str) -> Value {
    json!({"rel": rel, "href": format!("https://api.sandbox.paypal.com{path}"), "method": "GET"})
}

/// An order of 20.00 for the first attempt at A-1.
pub(crate) fn order(intent: &str, status: &str, payments: Value) -> Value {
    let approve = json!({
        "rel": "payer-action", "method": "GET",
        "href": format!("https://www.sandbox.paypal.com/checkoutnow?token={ORDER}"),
    });
    json!({
        "id": ORDER, "intent": intent, "status": status,
        "create_time": "2026-11-16T11:00:00Z", "update_time": "2026-11-16T11:30:00Z",
        "purchase_units": [{
            "reference_id": "default", "amount": amount("20.00"), "custom_id": "shop:A-1:1",
            "invoice_id": "shop:A-1:1", "payments": payments,
        }],
        "links": [link("self", ORDER_PATH), approve],
    })
}

/// A capture of the order.
pub(crate) fn capture(id: &str, status: &str, value: &str) -> Value {
    json!({
        "id": id, "status": status, "amount": amount(value), "final_capture": value == "20.00",
        "custom_id": "shop:A-1:1", "create_time": "2026-11-16T11:40:00Z",
        "seller_receivable_breakdown": {
            "gross_amount": amount(value), "paypal_fee": amount("0.88"),
        },
        "supplementary_data": {"related_ids": {"order_id": ORDER}},
        "links": [
            link("self", &format!("/v2/payments/captures/{id}")),
            link("up", ORDER_PATH),
        ],
    })
}

/// An authorization of the order, good until 15 December.
pub(crate) fn hold(status: &str, value: &str) -> Value {
    json!({
        "id": HOLD, "status": status, "amount": amount(value), "custom_id": "shop:A-1:1",
        "create_time": "2026-11-16T11:40:00Z", "expiration_time": "2026-12-15T11:40:00Z",
        "supplementary_data": {"related_ids": {"order_id": ORDER}},
        "links": [link("self", &format!("/v2/payments/authorizations/{HOLD}"))],
    })
}

/// A refund of a capture.
pub(crate) fn refund(id: &str, of: &str, status: &str, value: &str, custom_id: &str) -> Value {
    json!({
        "id": id, "status": status, "amount": amount(value), "custom_id": custom_id,
        "create_time": "2026-11-16T11:50:00Z",
        "links": [
            link("self", &format!("/v2/payments/refunds/{id}")),
            link("up", &format!("/v2/payments/captures/{of}")),
        ],
    })
}

/// The order, paid by one capture of 20.00.
pub(crate) fn paid() -> Value {
    let captures = json!({"captures": [capture(CAPTURE, "COMPLETED", "20.00")]});
    order("CAPTURE", "COMPLETED", captures)
}

/// The order, its 20.00 held.
pub(crate) fn held() -> Value {
    let holds = json!({"authorizations": [hold("CREATED", "20.00")]});
    order("AUTHORIZE", "COMPLETED", holds)
}
