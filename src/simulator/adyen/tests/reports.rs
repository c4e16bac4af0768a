//! Settlement: batches, their report, and its sums.

use super::*;
use crate::simulator::adyen::reports::{RowKind, booked};

/// Downloads the file that the last REPORT_AVAILABLE names, row by row under its header.
pub(super) fn download(shop: &mut Shop, url: &str) -> Vec<Vec<(String, String)>> {
    let request = authorized(Request::get(url)).body(Bytes::new()).unwrap();
    let response = shop.whole(&request);
    assert_eq!(response.status(), 200, "{url}");
    let text = String::from_utf8(response.body().to_vec()).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned));
    let header: Vec<String> = lines.next().unwrap().collect();
    assert_eq!(header.len(), 30);
    let row = |line| header.iter().cloned().zip(line).collect();
    lines.map(row).collect()
}

pub(super) fn field(row: &[(String, String)], name: &str) -> String {
    let found = row.iter().find(|(known, _)| known == name);
    found.unwrap().1.clone()
}

/// An amount of a row, in hundredths.
pub(super) fn cents(row: &[(String, String)], name: &str) -> i64 {
    let digits = field(row, name).replace('.', "");
    if digits.is_empty() {
        0
    } else {
        digits.parse().unwrap()
    }
}

#[test]
fn a_batch_is_reported_and_adds_up() {
    let mut shop = Shop::new();
    let payment = shop.paid("");
    let mut refund = json!({ "merchantAccount": MERCHANT_ACCOUNT, "reference": "refund-1" });
    refund["amount"] = json!({ "currency": "EUR", "value": 500 });
    let _ = shop.post(&format!("/v72/payments/{payment}/refunds"), &refund);
    let _ = shop.notices();
    shop.adyen.advance(DAY);
    assert!(
        shop.notices().is_empty(),
        "not before the midnight after the next"
    );
    shop.adyen.advance(DAY);
    let notice = shop.notices().remove(0);
    assert_eq!(notice["eventCode"], "REPORT_AVAILABLE");
    assert_eq!(
        notice["pspReference"],
        "settlement_detail_report_batch_1.csv"
    );
    let url = text(&notice, "reason");
    assert!(url.starts_with("https://ca-test.adyen.com/reports/download/MerchantAccount/"));

    let rows = download(&mut shop, &url);
    let kinds: Vec<String> = rows.iter().map(|row| field(row, "Type")).collect();
    assert_eq!(kinds, ["Settled", "Refunded", "Fee", "MerchantPayout"]);
    assert_eq!(field(&rows[0], "Psp Reference"), payment);
    assert_eq!(field(&rows[0], "Gross Credit (GC)"), "20.00");
    assert_eq!(field(&rows[0], "Markup (NC)"), "0.12");
    assert_eq!(
        field(&rows[1], "Modification Merchant Reference"),
        "refund-1"
    );
    assert_eq!(field(&rows[1], "Net Debit (NC)"), "5.00");
    let net =
        |row: &Vec<(String, String)>| cents(row, "Net Credit (NC)") - cents(row, "Net Debit (NC)");
    assert_eq!(rows.iter().map(net).sum::<i64>(), 0, "the payout takes all");
    assert_eq!(field(&rows[3], "Net Debit (NC)"), "14.70");

    let anonymous = Request::get(&url).body(Bytes::new()).unwrap();
    assert_eq!(shop.whole(&anonymous).status(), 401);
    let missing = url.replace("batch_1", "batch_2");
    let missing = authorized(Request::get(missing))
        .body(Bytes::new())
        .unwrap();
    assert_eq!(shop.whole(&missing).status(), 404);
}

#[test]
fn what_is_not_positive_waits() {
    let mut shop = Shop::new();
    let payment = shop.paid("");
    let _ = shop.modify(&payment, "refunds", Some(2000));
    let _ = shop.notices();
    shop.adyen.advance(3 * DAY);
    assert!(shop.notices().is_empty(), "fees alone are no payout");
    let _ = shop.paid("");
    let _ = shop.notices();
    shop.adyen.advance(3 * DAY);
    let notice = shop.notices().remove(0);
    let rows = download(&mut shop, &text(&notice, "reason"));
    assert_eq!(
        rows.len(),
        5,
        "both captures, the refund, the fee and the payout"
    );
    assert_eq!(booked(&shop.adyen.world, RowKind::Settled, "EUR"), 4000);
}

#[test]
fn a_refund_that_fails_after_its_batch_comes_back_in_the_next() {
    let mut shop = Shop::new();
    let payment = shop.paid("");
    let refund = shop.modify(&payment, "refunds", Some(500));
    let _ = shop.adyen.dashboard().close_batches();
    shop.adyen.dashboard().fail_modification(&refund).unwrap();
    let _ = shop.adyen.dashboard().close_batches();
    let notice = shop.notices().pop().unwrap();
    let rows = download(&mut shop, &text(&notice, "reason"));
    assert_eq!(field(&rows[0], "Type"), "RefundedReversed");
    assert_eq!(field(&rows[0], "Net Credit (NC)"), "5.00");
}
