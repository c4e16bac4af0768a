//! Transaction search and balances.

use super::*;
use crate::money::Currency;

fn search(shop: &mut Merchant, more: &str) -> Value {
    let (from, to) = (START, START.saturating_add(20 * DAY));
    shop.read(&format!(
        "/v1/reporting/transactions?start_date={from}&end_date={to}&fields=all{more}"
    ))
}

#[test]
fn movements_appear_after_three_hours_and_add_up() {
    let mut shop = Merchant::new();
    let capture = text(&shop.captured(Funding::Balance), "id");
    let _ = shop.made(
        &format!("/v2/payments/captures/{capture}/refund"),
        &amount("5.00"),
    );
    assert_eq!(search(&mut shop, "")["total_items"], 0);
    shop.paypal.advance(3 * HOUR);
    let found = search(&mut shop, "");
    let rows = found["transaction_details"].as_array().unwrap();
    let row = |at: usize| &rows[at]["transaction_info"];
    assert_eq!(row(0)["transaction_event_code"], "T0006");
    assert_eq!(row(0)["transaction_amount"]["value"], "20.00");
    assert_eq!(row(0)["fee_amount"]["value"], "-1.19");
    assert_eq!(row(0)["custom_field"], "order-1");
    assert_eq!(row(0)["paypal_reference_id_type"], "ODR");
    assert_eq!(row(1)["transaction_event_code"], "T1107");
    assert_eq!(row(1)["transaction_amount"]["value"], "-5.00");
    assert_eq!(row(1)["paypal_reference_id"], capture);
    assert_eq!(row(1)["ending_balance"]["value"], "13.81");
    let balances = shop.read("/v1/reporting/balances");
    assert_eq!(balances["balances"][0]["total_balance"]["value"], "13.81");

    let withdrawal = shop.paypal.dashboard().withdraw(Currency::EUR).unwrap();
    assert!(shop.paypal.dashboard().withdraw(Currency::EUR).is_err());
    shop.paypal.advance(3 * HOUR);
    let found = search(&mut shop, "&transaction_type=T0400");
    let info = &found["transaction_details"][0]["transaction_info"];
    assert_eq!(text(info, "transaction_id"), withdrawal);
    assert_eq!(info["transaction_amount"]["value"], "-13.81");
    assert_eq!(info["ending_balance"]["value"], "0.00");
}

#[test]
fn what_is_pending_moves_nothing_yet() {
    let mut shop = Merchant::new();
    let _ = shop.captured(Funding::Echeck);
    shop.paypal.advance(DAY);
    assert_eq!(search(&mut shop, "")["total_items"], 0);
    let all = search(&mut shop, "&balance_affecting_records_only=N");
    let info = &all["transaction_details"][0]["transaction_info"];
    assert_eq!(info["transaction_status"], "P");
    shop.paypal.advance(2 * DAY);
    assert_eq!(search(&mut shop, "&transaction_status=S")["total_items"], 1);
}

#[test]
fn a_search_is_paged_and_bounded() {
    let mut shop = Merchant::new();
    for _ in 0..5 {
        let _ = shop.captured(Funding::Balance);
    }
    shop.paypal.set_reporting_delay(Duration::ZERO);
    let page = search(&mut shop, "&page_size=2&page=3");
    assert_eq!(page["total_pages"], 3);
    assert_eq!(page["transaction_details"].as_array().unwrap().len(), 1);
    assert!(link(&page, "next").is_none());
    for wrong in [
        "start_date=2026-01-01T00:00:00Z",
        "start_date=2026-01-01T00:00:00Z&end_date=2026-02-02T00:00:01Z",
        "start_date=yesterday&end_date=today",
        "start_date=2026-01-01T00:00:00Z&end_date=2026-01-02T00:00:00Z&page_size=501",
        "start_date=2026-01-01T00:00:00Z&end_date=2026-01-02T00:00:00Z&page=0",
    ] {
        let path = format!("/v1/reporting/transactions?{wrong}");
        let request = shop.request("GET", &path, &Value::Null);
        assert_eq!(shop.send(&request).0, 400, "{wrong}");
    }
}
