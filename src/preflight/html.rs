//! A report as one page: no script, nothing fetched.

use std::fmt::Write;

use super::report::{Check, Readiness, Report, Verdict};
use crate::html::escape;

impl Report {
    /// The report as one page that needs nothing else, to be shown to a colleague.
    #[must_use]
    pub fn html(&self) -> String {
        let mut page = String::new();
        // Writing to a string cannot fail.
        let _ = write(self, &mut page);
        page
    }
}

fn write(report: &Report, page: &mut String) -> std::fmt::Result {
    let provider = escape(&report.provider);
    let state = match report.readiness() {
        Readiness::Ready => "pass",
        Readiness::Provisional => "unknown",
        Readiness::Blocked => "fail",
    };
    write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Preflight: {provider}, {mode} mode</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <main>\n<header class=\"{state}\">\n<p class=\"over\">Preflight</p>\n\
         <h1>{provider} <span class=\"mode\">{mode}</span></h1>\n<p class=\"headline\">{headline}</p>\n\
         <p class=\"counts\"><b>{passed}</b> passed <b>{failed}</b> failed <b>{unknown}</b> unknown</p>\n\
         </header>\n",
        mode = report.mode,
        headline = escape(report.headline()),
        passed = report.count(Verdict::Pass),
        failed = report.count(Verdict::Fail),
        unknown = report.count(Verdict::Unknown),
    )?;
    for verdict in [Verdict::Fail, Verdict::Unknown, Verdict::Pass] {
        let checks = report.checks.iter().enumerate();
        let mut checks = checks
            .filter(|(_, check)| check.verdict() == verdict)
            .peekable();
        if checks.peek().is_none() {
            continue;
        }
        let (class, title) = words(verdict);
        writeln!(page, "<h2 class=\"{class}\">{title}</h2>")?;
        for (index, check) in checks {
            section(page, index + 1, check)?;
        }
    }
    write!(page, "<footer><dl>")?;
    let at = report.at.to_string();
    let facts = [
        ("looked at", Some(at.as_str())),
        ("installation", report.namespace.as_deref()),
        ("address", report.api.as_deref()),
        ("library", Some(&*report.library_version)),
        ("fingerprint", report.fingerprint.as_deref()),
    ];
    for (name, fact) in facts {
        if let Some(fact) = fact {
            write!(page, "<dt>{name}</dt><dd>{}</dd>", escape(fact))?;
        }
    }
    writeln!(
        page,
        "</dl><p>Only reads were sent to the provider. No secret is on this page.</p></footer>\n\
         </main>\n</body>\n</html>"
    )
}

fn section(page: &mut String, number: usize, check: &Check) -> std::fmt::Result {
    let (class, _) = words(check.verdict());
    // What passed can stay folded; what did not is open.
    let open = if check.verdict() == Verdict::Pass {
        ""
    } else {
        " open"
    };
    writeln!(
        page,
        "<details class=\"{class}\"{open}><summary><span class=\"number\">{number}</span>{title}\
         <span class=\"verdict\">{verdict}</span></summary>\n<ul>",
        title = escape(check.kind.title()),
        verdict = check.verdict().word().to_lowercase(),
    )?;
    for finding in &check.findings {
        let (class, _) = words(finding.verdict);
        write!(page, "<li class=\"{class}\">{}", escape(&finding.seen))?;
        if let Some(todo) = &finding.todo {
            write!(page, "<p class=\"todo\">{}</p>", escape(todo))?;
        }
        writeln!(page, "</li>")?;
    }
    writeln!(page, "</ul></details>")
}

const fn words(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Fail => ("fail", "To be mended"),
        Verdict::Unknown => ("unknown", "Not known"),
        Verdict::Pass => ("pass", "Right"),
    }
}

const STYLE: &str = include_str!("page.css");
