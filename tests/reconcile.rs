//! `examples/reconcile` from files to files, run in this process.
#![allow(clippy::panic, clippy::unwrap_used)] // helpers beside the tests fail them

#[path = "../examples/reconcile/app.rs"]
mod app;
#[path = "../examples/reconcile/args.rs"]
mod args;
#[path = "../examples/reconcile/chart.rs"]
mod chart;
#[path = "../examples/reconcile/input.rs"]
mod input;
#[path = "../examples/reconcile/output.rs"]
mod output;
#[path = "../examples/reconcile/page.rs"]
mod page;
#[path = "../examples/reconcile/policy.rs"]
mod policy;
#[path = "../examples/reconcile/summary.rs"]
mod summary;

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use args::Command;

/// A folder that is removed when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("counterfoil-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_string_lossy().into_owned()
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _left_behind = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs the example with these words, and gives what it printed.
fn reconcile(words: &[&str]) -> Result<String, String> {
    let args = match args::parse(words.iter().map(OsString::from))? {
        Command::Run(args) => args,
        Command::Help => return Ok(args::HELP.to_owned()),
    };
    let mut printed = Vec::new();
    app::run(&args, &mut printed)?;
    Ok(String::from_utf8(printed).unwrap())
}

fn fixture(name: &str) -> String {
    format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The number that stands behind `name` in the table.
fn count(printed: &str, name: &str) -> u64 {
    let line = printed
        .lines()
        .find_map(|line| line.trim_start().strip_prefix(name));
    let line = line.unwrap_or_else(|| panic!("no line {name} in\n{printed}"));
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// The shared real data, or `None` and a loud word.
fn shared(file: &str) -> Option<String> {
    match std::env::var("COUNTERFOIL_SHARED") {
        Ok(folder) => Some(format!("{folder}/data/olist/{file}")),
        Err(_) => {
            // Written to the stream itself: the harness hides what a passing test prints.
            let _ = writeln!(
                std::io::stderr(),
                "NOT RUN: set COUNTERFOIL_SHARED to the folder with data/olist/{file}"
            );
            None
        }
    }
}

fn rows(path: &str) -> Vec<HashMap<String, String>> {
    let file = std::fs::File::open(path).unwrap();
    let file = counterfoil::matching::readers::unpacked(file).unwrap();
    let mut reader = csv::Reader::from_reader(file);
    reader.deserialize().map(Result::unwrap).collect()
}

#[test]
fn a_small_shop_is_reconciled() {
    let folder = Folder::new("small");
    let printed = reconcile(&[
        "--orders",
        &fixture("reconcile/orders.csv"),
        "--payments",
        &fixture("reconcile/payments.csv"),
        "--policy",
        &fixture("reconcile/policy.toml"),
        "--verdicts",
        &folder.file("verdicts.csv"),
        "--matches",
        &folder.file("matches.csv"),
        "--evidence",
        &folder.file("evidence.jsonl"),
        "--html",
        &folder.file("page.html"),
    ])
    .unwrap();
    assert_eq!(
        folder.read("verdicts.csv"),
        "order_id,n_payments,paid_minor,delta_minor,verdict\n\
         A-1,1,4990,0,single_exact\n\
         A-2,1,2003,3,single_rounding\n\
         A-3,3,3000,0,split_exact\n\
         A-4,1,1200,200,single_over\n\
         A-5,1,900,-600,single_under\n\
         A-6,1,500,,no_total\n\
         A-7,0,0,,unpaid\n\
         A-8,0,0,,unpaid\n"
    );
    let matches = folder.read("matches.csv");
    assert!(matches.starts_with("payment_id,order_id,status\np1,A-1,AUTO\np2,A-2,AUTO\n"));
    assert!(!matches.contains("p9"));
    assert_eq!(count(&printed, "orders"), 8);
    assert_eq!(count(&printed, "paid exactly, by several (split)"), 1);
    assert_eq!(count(&printed, "groups alike in order and amount"), 1);
    assert!(printed.contains("4 rows were left out"), "{printed}");
    for reason in [
        "orders.csv, line 10: the order's id is missing",
        "orders.csv, line 11: amount “nine” is not a whole number",
        "payments.csv, line 11: time “not a time” is not one",
        "payments.csv, line 12: 2 fields, where the header has 6",
    ] {
        assert!(printed.contains(reason), "{reason}\n{printed}");
    }

    let evidence = folder.read("evidence.jsonl");
    let records = evidence
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let records: Vec<serde_json::Value> = records.collect();
    let about = |what: &str| records.iter().filter(|r| r["about"] == what).count();
    let counts = ["order", "entry", "rejected_row"].map(about);
    assert_eq!(counts, [8, 9, 4]);

    let page = folder.read("page.html");
    assert!(page.contains("single over"));
    for outside in ["http:", "https:", "src=", "<script"] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn verdicts_are_json_lines_unless_the_file_is_called_csv() {
    let folder = Folder::new("json");
    let orders = fixture("reconcile/orders.csv");
    let payments = fixture("reconcile/payments.csv");
    let policy = fixture("reconcile/policy.toml");
    let verdicts = folder.file("verdicts.jsonl");
    let words = [
        "--orders",
        &orders,
        "--payments",
        &payments,
        "--policy",
        &policy,
    ];
    let _printed = reconcile(&[&words[..], &["--verdicts", &verdicts]].concat()).unwrap();
    let first = folder.read("verdicts.jsonl");
    assert_eq!(
        first.lines().next().unwrap(),
        r#"{"order_id":"A-1","n_payments":1,"paid_minor":4990,"delta_minor":0,"verdict":"single_exact"}"#
    );
}

#[test]
fn names_from_outside_are_escaped_on_the_page() {
    let folder = Folder::new("escape");
    let orders = folder.file("orders.csv");
    let payments = folder.file("payments.csv");
    let hostile = "<img src=x onerror=alert(1)>&'";
    let order = format!("order_id,total_minor,currency,placed_at\n{hostile},500,EUR,2026-11-22\n");
    let header = "payment_id,order_ref,amount_minor,currency,paid_at";
    let payment = format!("{header}\n{hostile},nowhere,900,EUR,2026-11-22\n");
    std::fs::write(&orders, order).unwrap();
    std::fs::write(&payments, payment).unwrap();
    let html = folder.file("page.html");
    let words = [
        "--orders",
        &orders,
        "--payments",
        &payments,
        "--html",
        &html,
    ];
    let _printed = reconcile(&words).unwrap();
    let page = folder.read("page.html");
    assert!(!page.contains("<img"));
    assert_eq!(
        page.matches("&lt;img src=x onerror=alert(1)&gt;&amp;&#39;")
            .count(),
        2
    );
}

#[test]
fn provider_reports_and_bank_statements_are_taken_as_they_are() {
    let folder = Folder::new("reports");
    let stripe = fixture("readers/stripe.csv");
    let lines = folder.file("lines.csv");
    let bank = fixture("readers/camt053.xml");
    let words = [
        "--payments",
        &stripe,
        "--payouts",
        &stripe,
        "--report",
        &stripe,
    ];
    let printed = reconcile(&[&words[..], &["--lines", &lines]].concat()).unwrap();
    assert_eq!(count(&printed, "closed to the minor unit"), 1);
    assert_eq!(
        folder.read("lines.csv"),
        "line_id,payout_id\ntxn_1,po_1\ntxn_2,po_1\ntxn_3,po_1\ntxn_4,po_1\n"
    );
    let orders = fixture("reconcile/orders.csv");
    for payments in [
        "readers/adyen.csv",
        "readers/paypal.json",
        "readers/mt940.txt",
    ] {
        let printed = reconcile(&["--orders", &orders, "--payments", &fixture(payments)]).unwrap();
        assert!(count(&printed, "payments") >= 2, "{payments}");
    }
    let printed = reconcile(&["--orders", &orders, "--payments", &bank]).unwrap();
    assert_eq!(count(&printed, "payments"), 4);
}

#[test]
fn wrong_usage_and_unreadable_input_are_told_apart() {
    for words in [
        &[][..],
        &["--orders", "x"],
        &["--payments", "x"],
        &["--payments"],
        &["--orders", "x", "--orders", "y", "--payments", "z"],
        &["--orders", "x", "--payments", "y", "--lines", "z"],
        &["--frobnicate"],
    ] {
        let words = words.iter().map(OsString::from);
        assert!(args::parse(words).is_err());
    }
    let orders = fixture("reconcile/orders.csv");
    let payments = fixture("reconcile/payments.csv");
    let error = reconcile(&["--orders", "/nowhere", "--payments", &payments]).unwrap_err();
    assert!(error.starts_with("/nowhere: "), "{error}");
    let page = fixture("readers/paypal.json");
    let error = reconcile(&["--orders", &page, "--payments", &payments]).unwrap_err();
    assert!(
        error.ends_with("a PayPal transaction search holds no orders"),
        "{error}"
    );
    let strict = ["--orders", &orders, "--payments", &payments, "--strict"];
    let error = reconcile(&strict).unwrap_err();
    assert!(
        error.contains("line 10: the order's id is missing"),
        "{error}"
    );
    let policy = [
        "--orders",
        &orders,
        "--payments",
        &payments,
        "--policy",
        &orders,
    ];
    let error = reconcile(&policy).unwrap_err();
    assert!(error.contains("is not a policy"), "{error}");
}

#[test]
fn the_real_shop_has_the_counts_that_are_known() {
    let Some(orders) = shared("orders.csv.gz") else {
        return;
    };
    let payments = shared("payments.csv.gz").unwrap();
    assert!(Path::new(&orders).exists(), "{orders}");
    let printed = reconcile(&["--orders", &orders, "--payments", &payments]).unwrap();
    for (name, expected) in [
        ("orders", 99_441),
        ("paid exactly, by one payment", 95_179),
        ("paid exactly, by several (split)", 2_910),
        ("paid within rounding", 316),
        ("overpaid", 241),
        ("underpaid", 19),
        ("unpaid", 1),
        ("of unknown total", 775),
        ("payments", 103_886),
        ("groups alike in order and amount", 308),
        ("payments in them, honest unless shown otherwise", 923),
    ] {
        assert_eq!(count(&printed, name), expected, "{name}");
    }
}

#[test]
fn every_order_of_task_1_has_its_class_and_difference() {
    let Some(orders) = shared("tasks/task1_orders.csv.gz") else {
        return;
    };
    let payments = shared("tasks/task1_payments.csv.gz").unwrap();
    let folder = Folder::new("task1");
    let verdicts = folder.file("verdicts.csv");
    let words = [
        "--orders",
        &orders,
        "--payments",
        &payments,
        "--verdicts",
        &verdicts,
    ];
    let _printed = reconcile(&words).unwrap();
    let found = rows(&verdicts);
    let found: HashMap<_, _> = found.iter().map(|row| (&row["order_id"], row)).collect();
    let truth = rows(&shared("tasks/task1_truth.csv.gz").unwrap());
    assert_eq!((found.len(), truth.len()), (45_430, 45_430));
    for row in &truth {
        let found = found[&row["order_id"]];
        for column in ["n_payments", "paid_minor", "delta_minor"] {
            assert_eq!(
                found[column], row[column],
                "{column} of {}",
                row["order_id"]
            );
        }
        assert_eq!(found["verdict"], row["class"], "{}", row["order_id"]);
    }
}

/// Scores lines as the shared script does: those of the truth that are not unexplained.
fn score_lines(path: &str) -> (usize, usize, usize) {
    let truth = rows(&shared("tasks/task3_truth.csv.gz").unwrap());
    let truth: HashMap<_, _> = truth
        .iter()
        .filter(|row| row["kind"] != "unexplained")
        .map(|row| (row["line_id"].clone(), row["payout_id"].clone()))
        .collect();
    let found = rows(path);
    let right =
        |row: &&HashMap<String, String>| truth.get(&row["line_id"]) == Some(&row["payout_id"]);
    let right = found.iter().filter(right).count();
    (truth.len(), found.len(), found.len() - right)
}

/// Reconciles the payouts of task 3 with `more` words, if its files are there.
fn task_3(more: &[&str]) -> Option<String> {
    let payouts = shared("tasks/task3_payouts.csv.gz")?;
    let payments = shared("tasks/task3_payments.csv.gz")?;
    let refunds = shared("tasks/task3_refunds.csv.gz")?;
    let mut words = vec!["--payouts", &payouts, "--payments", &payments];
    words.extend(["--refunds", &refunds]);
    words.extend(more);
    Some(reconcile(&words).unwrap())
}

#[test]
fn task_3_with_the_report_has_every_line_and_cent() {
    let Some(report) = shared("tasks/task3_truth.csv.gz") else {
        return;
    };
    let folder = Folder::new("task3-report");
    let lines = folder.file("lines.csv");
    let printed = task_3(&["--report", &report, "--lines", &lines]).unwrap();
    assert_eq!(count(&printed, "closed to the minor unit"), 713);
    assert_eq!(score_lines(&lines), (45_111, 45_111, 0));
}

#[test]
fn task_3_without_the_report_assigns_nothing_wrong() {
    let folder = Folder::new("task3");
    let lines = folder.file("lines.csv");
    let Some(printed) = task_3(&["--lines", &lines]) else {
        return;
    };
    let (all, assigned, wrong) = score_lines(&lines);
    assert_eq!((all, wrong), (45_111, 0));
    // A search for one or two late lines, refused where chance explains it, assigns 26,237 lines
    // and closes 671 payouts.
    assert!(assigned >= 35_000, "{assigned}");
    let closed = count(&printed, "closed to the minor unit");
    let named = count(&printed, "closed with a named residual");
    assert!(closed + named >= 680, "{closed} and {named}");
}
