//! Says whether a webhook that was captured is genuine, of which mode, and if not, why.
//!
//!     cargo run --example verify_webhook -- --provider stripe --secret whsec_... \
//!         --headers FILE --body FILE [--now UNIX] [--mode test|live] [--url URL]
//!
//! `--secret` may be repeated, as while secrets are rotated. The headers are lines of
//! `Name: value`. Without `--now`, the machine's clock judges the age. Without `--mode` the mode is
//! told, not judged. Exit status: 0 accepted, 1 refused, 2 wrong usage.

use std::fs;
use std::process::ExitCode;
use std::sync::Arc;

use counterfoil::clock::{Clock, ManualClock, SystemClock, Timestamp};
use counterfoil::id::Namespace;
use counterfoil::providers::stripe::{Stripe, StripeConfig};
use counterfoil::webhook::{Delivery, SetAsideReason, WebhookRefusal, WebhookRequest};
use counterfoil::{Live, Mode, ModeKind, Provider, Result, Test};
use http::{HeaderMap, HeaderName, HeaderValue};

const USAGE: &str = "\
usage: verify_webhook --provider stripe --secret SECRET [--secret SECRET ...]
                      --headers FILE --body FILE [--now UNIX] [--mode test|live] [--url URL]";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match judge(&arguments).await {
        Ok(verdict) => {
            println!("{}", verdict.text);
            if verdict.is_accepted {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(1)
            }
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(2)
        }
    }
}

/// What came of it.
pub(crate) struct Verdict {
    /// Whether a host should act on it.
    pub(crate) is_accepted: bool,
    /// The same for people, with the reason.
    pub(crate) text: String,
}

/// Verifies in the mode asked for; if none was, in whichever the webhook itself is of.
pub(crate) async fn judge(arguments: &Arguments) -> Result<Verdict> {
    let request = WebhookRequest::new(arguments.headers.clone(), arguments.body.clone());
    let verdict = match arguments.mode {
        Some(ModeKind::Live) => describe::<Live>(verify(arguments, &request).await?, true),
        Some(ModeKind::Test) => describe::<Test>(verify(arguments, &request).await?, true),
        None => {
            let as_test = verify::<Test>(arguments, &request).await?;
            match as_test.as_ref().map(is_of_other_mode) {
                Ok(true) => describe::<Live>(verify(arguments, &request).await?, false),
                _ => describe::<Test>(as_test, false),
            }
        }
    };
    Ok(verdict)
}

async fn verify<M: Mode>(
    arguments: &Arguments,
    request: &WebhookRequest,
) -> Result<std::result::Result<Delivery<M>, WebhookRefusal>> {
    let mut secrets = arguments.secrets.iter();
    let first = secrets.next().map_or("", String::as_str);
    // Nothing is sent, so the key only has to be of the mode.
    let mut config = StripeConfig::<M>::new(format!("rk_{}_unused", M::KIND), first)?;
    for secret in secrets {
        config = config.with_webhook_secret(secret.as_str())?;
    }
    let provider: Provider<M> = Stripe::new(config)?
        .into_provider(Namespace::new("verify")?)
        .with_clock(arguments.clock());
    Ok(provider.webhook(request).await)
}

fn describe<M: Mode>(
    verified: std::result::Result<Delivery<M>, WebhookRefusal>,
    mode_is_judged: bool,
) -> Verdict {
    let delivery = match verified {
        Ok(delivery) => delivery,
        Err(refusal) => {
            let text = format!("refused: {refusal}\nanswer {} to it", refusal.answer());
            return Verdict {
                is_accepted: false,
                text,
            };
        }
    };
    let mut lines = Vec::new();
    for event in &delivery.events {
        let secret = event.secret_index() + 1;
        lines.push(format!(
            "accepted: {} {}, {} mode, by secret number {secret}",
            event.type_text(),
            event.id().raw(),
            M::KIND
        ));
    }
    let mut is_wrong_mode = false;
    for set_aside in &delivery.set_aside {
        let reason = match &set_aside.reason {
            SetAsideReason::WrongMode { found } => {
                is_wrong_mode = true;
                format!("it is of {found} mode, and {} mode is expected", M::KIND)
            }
            SetAsideReason::OtherAccount => "it is of another account".to_owned(),
            SetAsideReason::OtherInstallation => "its order is of another namespace".to_owned(),
            other => format!("{other:?}"),
        };
        lines.push(format!(
            "genuine: {} {}; {reason}",
            set_aside.type_text, set_aside.id
        ));
    }
    lines.push(format!("answer {} to it", delivery.answer()));
    Verdict {
        is_accepted: !(mode_is_judged && is_wrong_mode),
        text: lines.join("\n"),
    }
}

fn is_of_other_mode<M: Mode>(delivery: &Delivery<M>) -> bool {
    let other = |reason: &SetAsideReason| matches!(reason, SetAsideReason::WrongMode { .. });
    delivery
        .set_aside
        .iter()
        .any(|set_aside| other(&set_aside.reason))
}

/// What the command line says.
pub(crate) struct Arguments {
    secrets: Vec<String>,
    headers: HeaderMap,
    body: Vec<u8>,
    now: Option<i64>,
    mode: Option<ModeKind>,
}

impl Arguments {
    /// Reads the command line and the files that it names.
    pub(crate) fn parse(
        mut words: impl Iterator<Item = String>,
    ) -> std::result::Result<Self, String> {
        let (mut provider, mut secrets, mut headers, mut body) = (None, vec![], None, None);
        let (mut now, mut mode) = (None, None);
        while let Some(name) = words.next() {
            let value = words
                .next()
                .ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--provider" => provider = Some(value),
                "--secret" => secrets.push(value),
                "--headers" => headers = Some(read_headers(&value)?),
                "--body" => body = Some(read(&value)?),
                "--now" => now = Some(value.parse().map_err(|_| "--now takes Unix seconds")?),
                "--mode" => mode = Some(value.parse().map_err(|e| format!("--mode: {e}"))?),
                // For providers that sign the address too; those here do not.
                "--url" => {}
                _ => return Err(format!("{name} is not an option")),
            }
        }
        match provider.as_deref() {
            Some("stripe") => {}
            Some(other) => return Err(format!("{other} is not a provider here: stripe")),
            None => return Err("--provider is missing".to_owned()),
        }
        if secrets.is_empty() {
            return Err("--secret is missing".to_owned());
        }
        let headers = headers.ok_or("--headers is missing")?;
        let body = body.ok_or("--body is missing")?;
        Ok(Self {
            secrets,
            headers,
            body,
            now,
            mode,
        })
    }

    fn clock(&self) -> Arc<dyn Clock> {
        match self.now {
            Some(now) => Arc::new(ManualClock::new(Timestamp::from_unix(now))),
            None => Arc::new(SystemClock),
        }
    }
}

fn read(path: &str) -> std::result::Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{path}: {error}"))
}

fn read_headers(path: &str) -> std::result::Result<HeaderMap, String> {
    let text = String::from_utf8(read(path)?).map_err(|_| format!("{path} is not text"))?;
    let mut headers = HeaderMap::new();
    for (number, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let malformed = || format!("{path}, line {}: not `Name: value`", number + 1);
        let (name, value) = line.split_once(':').ok_or_else(malformed)?;
        let name: HeaderName = name.trim().parse().map_err(|_| malformed())?;
        let value: HeaderValue = value.trim().parse().map_err(|_| malformed())?;
        headers.append(name, value);
    }
    Ok(headers)
}
