//! Evidence over the simulator and over the provider's test mode add up.

use counterfoil::preflight::{CheckKind, Evidence, Ground, Preflight, Report, Verdict};

use super::shop::{Acme, NOW, evidence, preflight};

async fn look(all: &[&Evidence]) -> Report {
    let provider = Acme::<counterfoil::Live>::new().provider();
    let with = |preflight: Preflight, evidence: &&Evidence| {
        let mut evidence = Evidence::clone(evidence);
        evidence.fingerprint = preflight.fingerprint(&provider).into();
        preflight.with_evidence(evidence)
    };
    all.iter().fold(preflight(), with).check(&provider).await
}

fn verdict(report: &Report) -> Verdict {
    report.check(CheckKind::Rehearsal).unwrap().verdict()
}

#[tokio::test]
async fn what_test_mode_cannot_reach_must_have_passed_over_the_simulator() {
    let simulated = evidence("");
    let mut tested = Evidence::new("acme", "", Ground::TestMode, NOW);
    tested.passed = vec!["S1".into(), "S2".into()];
    tested.out_of_reach = (3..=58).map(|number| format!("S{number}").into()).collect();

    let alone = look(&[&tested]).await;
    assert_eq!(verdict(&alone), Verdict::Fail, "{alone}");
    assert!(alone.to_string().contains("not tried: S3, S4"), "{alone}");

    let both = look(&[&simulated, &tested]).await;
    assert_eq!(verdict(&both), Verdict::Pass, "{both}");
    let text = both.to_string();
    assert!(
        text.contains("over the simulator, 50 scenarios passed"),
        "{text}"
    );
    assert!(text.contains("not applicable: S51, S52, S53,"), "{text}");
    let seen = "over the provider's test mode, 2 scenarios passed on";
    assert!(
        text.contains(seen) && text.contains("56 cannot be reached"),
        "{text}"
    );

    tested.failed = vec!["S3".into()];
    let failed = look(&[&simulated, &tested]).await;
    assert_eq!(verdict(&failed), Verdict::Fail, "{failed}");
    let seen = "failed over the provider's test mode: S3";
    assert!(failed.to_string().contains(seen), "{failed}");
}

#[test]
fn only_a_simulator_answers_on_this_machine() {
    for (address, ground) in [
        ("https://api.stripe.com", Ground::TestMode),
        ("http://127.0.0.1:12111", Ground::Simulator),
        ("http://localhost:1/v72", Ground::Simulator),
    ] {
        assert_eq!(Ground::at(address), ground, "{address}");
    }
    let kept = Evidence::new("acme", "", Ground::TestMode, NOW);
    let json = serde_json::to_string(&kept).unwrap();
    assert!(json.contains(r#""over":"test_mode""#), "{json}");
    assert_eq!(serde_json::from_str::<Evidence>(&json).unwrap(), kept);
}
