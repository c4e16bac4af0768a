//! A report as text, as JSON and as a page.

use counterfoil::preflight::Report;

use super::shop::Shop;

#[tokio::test]
async fn a_report_survives_json_and_escapes_what_it_shows() {
    let mut shop = Shop::new();
    shop.acme.account().id = "<script>".into();
    let report = shop.preflight.check(&shop.acme.provider()).await;
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);

    let page = report.html();
    assert!(
        page.contains("&lt;script&gt;") && !page.contains("<script"),
        "{page}"
    );
    for outside in ["src=", "href=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    let text = report.to_string();
    assert!(
        text.contains("the credentials open <script>, and acct_1 is meant"),
        "{text}"
    );
    assert!(
        text.contains("FAIL    The account is open to these credentials"),
        "{text}"
    );
}
