//! The settlement details report as payouts and their lines.

use counterfoil::error::ErrorKind;
use counterfoil::money::{Currency, Money};
use counterfoil::payout::{PayoutLineKind, PayoutLineSource, PayoutStatus};
use counterfoil::simulator::SimulatedProvider;
use counterfoil::simulator::adyen::{AdyenSimulator, MERCHANT_ACCOUNT};
use http::Request;
use serde_json::json;

use crate::shop::{HMAC_KEY, NOW, Shop, reference};

const REPORT: &str = "\
Company Account,Merchant Account,Psp Reference,Merchant Reference,Type,Creation Date,TimeZone,\
Modification Reference,Net Currency,Net Debit (NC),Net Credit (NC),Commission (NC),Markup (NC),\
Scheme Fees (NC),Interchange (NC),Batch Number
Shop,ShopECOM,9913140798220028,shop:A-1:1,Settled,2026-11-16 12:00:00,CET,QFQTPCQ8HXSKGK82,EUR,,19.79,,0.12,0.02,0.06,7
Shop,ShopECOM,9913140798220029,shop:A-2:1:held,Settled,2026-11-16 12:00:00,CET,QFQTPCQ8HXSKGK83,EUR,,9.90,0.10,,,,7
Shop,ShopECOM,9913140798220028,shop:A-1:1,Refunded,2026-11-16 13:00:00,CET,REFUND0000000001,EUR,5.00,,,,,,7
Shop,ShopECOM,9913140798220029,shop:A-2:1:held,Chargeback,2026-11-16 14:00:00,CET,DISPUTE000000001,EUR,10.00,,,,,,7
Shop,ShopECOM,,,Fee,2026-11-17 00:00:00,CET,Transaction Fees,EUR,0.20,,,,,,7
Shop,ShopECOM,,,MerchantPayout,2026-11-17 00:00:00,CET,batch 7,EUR,14.49,,,,,,7
Shop,ShopECOM,9913140798220030,shop:A-3:1,Settled,2026-11-17 12:00:00,CET,QFQTPCQ8HXSKGK84,EUR,,1.00,,,,,8
";

fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

#[test]
fn a_batch_is_a_payout_and_its_lines_sum_to_it() {
    let shop = Shop::open();
    let settlements = shop.adyen.settlements(REPORT.as_bytes()).unwrap();
    let [paid, open] = settlements.as_slice() else {
        panic!("{settlements:?}");
    };
    assert_eq!(paid.payout.id.raw(), "batch-7");
    assert_eq!(
        (paid.payout.amount, &paid.payout.status),
        (eur(1449), &PayoutStatus::InTransit)
    );
    assert!(paid.payout.lines_complete);
    let sum = Money::sum(Currency::EUR, paid.lines.iter().map(|line| line.net));
    assert_eq!(sum.unwrap(), paid.payout.amount);

    let line = &paid.lines[0];
    assert_eq!(
        (line.gross, line.fee, line.net),
        (eur(1999), eur(20), eur(1979))
    );
    assert_eq!(
        line.source,
        PayoutLineSource::Payment(shop.id("9913140798220028"))
    );
    assert_eq!(line.reference, Some(reference("A-1")));
    assert_eq!(paid.lines[1].reference, Some(reference("A-2")));
    let kinds: Vec<_> = paid.lines.iter().map(|line| line.kind.clone()).collect();
    use PayoutLineKind as Kind;
    let expected = [
        Kind::Payment,
        Kind::Payment,
        Kind::Refund,
        Kind::Dispute,
        Kind::Fee,
    ];
    assert_eq!(kinds, expected);
    let PayoutLineSource::Refund(refund, of) = &paid.lines[2].source else {
        panic!("{:?}", paid.lines[2]);
    };
    assert_eq!(
        (refund.raw(), of),
        ("REFUND0000000001", &Some(shop.id("9913140798220028")))
    );

    assert_eq!(
        (open.payout.amount, &open.payout.status),
        (eur(100), &PayoutStatus::Pending)
    );
}

#[test]
fn a_row_that_is_missing_shows() {
    let shop = Shop::open();
    let without: Vec<_> = REPORT
        .lines()
        .filter(|line| !line.contains("Refunded"))
        .collect();
    let settlements = shop
        .adyen
        .settlements(without.join("\n").as_bytes())
        .unwrap();
    assert!(!settlements[0].payout.lines_complete);
    for broken in [
        REPORT.replace("19.79", "19,79"),
        REPORT.replace("Batch Number", "Number"),
        REPORT.replace("EUR,,9.90", "EURO,,9.90"),
        format!("{REPORT}Shop,ShopECOM,,,MerchantPayout,2026-11-17 00:00:00,CET,,EUR,1,,,,,,7\n"),
        String::new(),
    ] {
        let error = shop.adyen.settlements(broken.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::UnexpectedResponse);
    }
}

#[test]
fn credentials_go_to_adyens_hosts_alone() {
    let shop = Shop::open();
    let check = |url: &str| shop.adyen.check_report_url(url);
    let good = "https://ca-test.adyen.com/reports/download/MerchantAccount/Shop/report_7.csv";
    assert!(check(good).is_ok());
    for url in [
        "http://ca-test.adyen.com/reports/x",
        "https://ca-live.adyen.com/reports/x",
        "https://ca-test.adyen.com:8443/x",
        "https://user@ca-test.adyen.com/x",
        "https://ca-test.adyen.com.evil.example/x",
        "https://evil.example/ca-test.adyen.com",
        "ca-test.adyen.com",
        "",
    ] {
        assert_eq!(
            check(url).unwrap_err().kind(),
            &ErrorKind::NotAuthentic,
            "{url}"
        );
    }
}

#[tokio::test]
async fn the_simulators_report_closes_to_the_cent() {
    let mut simulator = AdyenSimulator::new(3, NOW);
    simulator.add_webhook(MERCHANT_ACCOUNT, "https://shop.example/hook", HMAC_KEY);
    for order in 1..=3 {
        let body = json!({
            "merchantAccount": MERCHANT_ACCOUNT, "reference": format!("shop:A-{order}:1"),
            "amount": {"value": 1999 * order, "currency": "EUR"},
            "returnUrl": "https://shop.example/done", "captureDelayHours": 0,
            "paymentMethod": {
                "type": "scheme", "encryptedCardNumber": "test_4111111111111111",
                "encryptedExpiryMonth": "test_03", "encryptedExpiryYear": "test_2030",
                "encryptedSecurityCode": "test_737",
            },
        });
        let request = Request::post("https://checkout-test.adyen.com/v72/payments")
            .header("x-api-key", "AQE1")
            .header("content-type", "application/json");
        simulator.handle(&request.body(body.to_string().into()).unwrap());
    }
    simulator.dashboard().close_batches();
    let notices = simulator.due_webhooks().into_iter();
    let url = notices.filter_map(|delivery| {
        let body: serde_json::Value = serde_json::from_slice(delivery.request.body()).unwrap();
        let item = &body["notificationItems"][0]["NotificationRequestItem"];
        let is_report = item["eventCode"] == "REPORT_AVAILABLE";
        is_report.then(|| item["reason"].as_str().unwrap().to_owned())
    });
    let url = url.last().unwrap();
    let request = Request::get(&url).header("x-api-key", "AQE1");
    let answer = simulator.handle(&request.body(bytes::Bytes::new()).unwrap());
    let counterfoil::simulator::Answer::Response(report) = answer else {
        panic!("{answer:?}");
    };
    let shop = Shop::open();
    let settlements = shop.adyen.settlements(report.body().as_ref()).unwrap();
    let [settlement] = settlements.as_slice() else {
        panic!("{settlements:?}");
    };
    assert!(settlement.payout.lines_complete && settlement.payout.amount.is_positive());
    let payments = settlement
        .lines
        .iter()
        .filter(|line| line.kind == PayoutLineKind::Payment);
    assert_eq!(payments.count(), 3);
}
