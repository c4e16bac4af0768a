//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

pub(crate) const HELP: &str = "\
usage: reconcile --orders FILE --payments FILE [options]

input, plain or gzipped; a table, a provider's report or a bank statement
  --orders FILE     what is owed
  --payments FILE   what came in (may be given again)
  --refunds FILE    what went back (may be given again)
  --payouts FILE    what the provider paid out; enough without --orders (may be given again)
  --report FILE     the provider's list of what is in each payout (may be given again)
  --policy FILE     what is tolerated, and how payouts are made (TOML; see policy.toml here)
  --strict          stop at the first row that is not sound

output
  --verdicts FILE   a row per order, as CSV if FILE ends in .csv, else as JSON Lines
  --matches FILE    payment_id,order_id,status
  --lines FILE      line_id,payout_id
  --evidence FILE   everything that is known about each verdict, as JSON Lines
  --html FILE       a page to look at, print and keep";

/// What was asked for.
pub(crate) enum Command {
    /// To reconcile.
    Run(Box<Args>),
    /// To be told how.
    Help,
}

/// The files to read and to write.
#[derive(Debug, Default)]
pub(crate) struct Args {
    pub(crate) orders: Option<PathBuf>,
    pub(crate) payments: Vec<PathBuf>,
    pub(crate) refunds: Vec<PathBuf>,
    pub(crate) payouts: Vec<PathBuf>,
    pub(crate) report: Vec<PathBuf>,
    pub(crate) policy: Option<PathBuf>,
    pub(crate) verdicts: Option<PathBuf>,
    pub(crate) matches: Option<PathBuf>,
    pub(crate) lines: Option<PathBuf>,
    pub(crate) evidence: Option<PathBuf>,
    pub(crate) html: Option<PathBuf>,
    pub(crate) strict: bool,
}

/// Reads the command line, or says what is wrong with it.
pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let mut args = Args::default();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let option = word.to_string_lossy().into_owned();
        let once = match option.as_str() {
            "-h" | "--help" => return Ok(Command::Help),
            "--strict" => {
                args.strict = true;
                continue;
            }
            "--orders" => &mut args.orders,
            "--policy" => &mut args.policy,
            "--verdicts" => &mut args.verdicts,
            "--matches" => &mut args.matches,
            "--lines" => &mut args.lines,
            "--evidence" => &mut args.evidence,
            "--html" => &mut args.html,
            "--payments" | "--refunds" | "--payouts" | "--report" => {
                let file = PathBuf::from(words.next().ok_or(format!("{option} needs a FILE"))?);
                match option.as_str() {
                    "--payments" => args.payments.push(file),
                    "--refunds" => args.refunds.push(file),
                    "--payouts" => args.payouts.push(file),
                    _ => args.report.push(file),
                }
                continue;
            }
            _ => return Err(format!("{option} is not an option")),
        };
        let file = words.next().ok_or(format!("{option} needs a FILE"))?;
        if once.replace(PathBuf::from(file)).is_some() {
            return Err(format!("{option} is given twice"));
        }
    }
    if args.payments.is_empty() {
        return Err("--payments is missing".to_owned());
    }
    let has_payouts = !args.payouts.is_empty() || !args.report.is_empty();
    if args.orders.is_none() && !has_payouts {
        return Err("--orders is missing".to_owned());
    }
    if args.lines.is_some() && !has_payouts {
        return Err("--lines needs --payouts".to_owned());
    }
    Ok(Command::Run(Box::new(args)))
}
