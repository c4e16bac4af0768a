//! The policy file.

use std::path::Path;

use counterfoil::matching::Policy;
use counterfoil::matching::payout::PayoutTerms;
use counterfoil::matching::readers::csv::CsvMapping;
use serde::Deserialize;

/// What the host declares.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PolicyFile {
    pub(crate) matching: Policy,
    pub(crate) orders: CsvMapping,
    pub(crate) payments: CsvMapping,
    pub(crate) refunds: CsvMapping,
    pub(crate) report: CsvMapping,
    pub(crate) payouts: PayoutTerms,
    pub(crate) payouts_file: CsvMapping,
}

/// Reads the policy, or the one that stands beside this file.
pub(crate) fn load(path: Option<&Path>) -> Result<PolicyFile, String> {
    let Some(path) = path else {
        let own = include_str!("policy.toml");
        return toml::from_str(own).map_err(|error| format!("policy.toml: {error}"));
    };
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
    toml::from_str(&text).map_err(|error| format!("{shown} is not a policy: {error}"))
}
