//! The settings of one provider, and how each is told to be wrong.

use std::collections::BTreeMap;

use crate::error::{Error, ErrorKind, Result};
use crate::http::BaseUrl;
use crate::id::ProviderName;
use crate::mode::{ModeKind, Test};
use crate::secret::Secret;

/// One setting of a provider, as someone who fills it in must know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setting {
    /// Its name, such as `secret_key`.
    pub name: &'static str,
    /// Whether the provider cannot do without it.
    pub is_required: bool,
    /// Whether it opens or proves something, so that test and live never have the same.
    pub is_credential: bool,
    /// What it is and where it is found.
    pub what: &'static str,
}

impl Setting {
    /// A setting that must be there.
    #[must_use]
    pub const fn required(name: &'static str, what: &'static str) -> Self {
        Self {
            name,
            is_required: true,
            is_credential: false,
            what,
        }
    }

    /// A setting that may be there.
    #[must_use]
    pub const fn optional(name: &'static str, what: &'static str) -> Self {
        Self {
            is_required: false,
            ..Self::required(name, what)
        }
    }

    /// It opens or proves something.
    #[must_use]
    pub const fn credential(mut self) -> Self {
        self.is_credential = true;
        self
    }
}

/// Where settings were loaded from, and so what each is called there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The host gave them by their names.
    Host,
    /// Variables of the environment.
    Environment,
    /// A file.
    File,
}

impl Origin {
    /// What a setting is called where it was loaded from.
    pub(super) fn key(self, provider: &str, mode: ModeKind, setting: &str) -> String {
        match self {
            Self::Host => setting.to_owned(),
            Self::Environment => {
                let parts = ["COUNTERFOIL", provider, mode.as_str(), setting];
                parts.map(upper).join("_")
            }
            Self::File => format!("providers.{provider}.{mode}.{setting}"),
        }
    }
}

/// A name as variables have it: `stripe-eu` is `STRIPE_EU`.
pub(super) fn upper(name: &str) -> String {
    name.to_ascii_uppercase().replace(['-', '.'], "_")
}

/// The settings of one provider: names and values, each value kept as a secret.
#[derive(Debug, Clone)]
pub struct Settings {
    name: Option<ProviderName>,
    mode: ModeKind,
    values: BTreeMap<String, Secret>,
    known: &'static [Setting],
    origin: Origin,
    faults: Vec<String>,
}

impl Settings {
    /// Settings for `mode`, as a host loaded them.
    pub fn new<K: Into<String>, V: Into<Secret>>(
        mode: ModeKind,
        values: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let values = values
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()))
            .collect();
        Self {
            name: None,
            mode,
            values,
            known: &[],
            origin: Origin::Host,
            faults: Vec::new(),
        }
    }

    /// The same, called in errors as they are called where they were loaded from.
    pub(super) fn loaded_from(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    /// The same, for the provider registered as `name`, which reads the settings `known`.
    pub(super) fn for_provider(mut self, name: ProviderName, known: &'static [Setting]) -> Self {
        self.name = Some(name);
        self.known = known;
        self
    }

    /// The name under which the provider was registered. A maker gives it to its provider, so
    /// that two accounts of one provider never take each other's ids.
    #[must_use]
    pub fn name(&self) -> Option<&ProviderName> {
        self.name.as_ref()
    }

    /// The mode that they are for.
    #[must_use]
    pub const fn mode(&self) -> ModeKind {
        self.mode
    }

    /// Takes a setting that must be there. What is missing or malformed is told by
    /// [`finish`](Self::finish), and an empty secret stands in for it until then.
    pub fn take(&mut self, name: &str) -> Secret {
        if let Some(value) = self.take_optional(name) {
            return value;
        }
        let fault = match self.known.iter().find(|setting| setting.name == name) {
            Some(setting) => format!("{name} is missing: set it to {}", setting.what),
            None => format!("{name} is missing"),
        };
        self.fault(name, &fault);
        Secret::new("")
    }

    /// Takes a setting that may be there.
    pub fn take_optional(&mut self, name: &str) -> Option<Secret> {
        let value = self.values.remove(name)?;
        if let Some(fault) = fault_of(value.expose()) {
            self.fault(name, fault);
        }
        Some(value)
    }

    /// Takes a setting that must be there and pass the provider's own `check`.
    pub fn take_checked(&mut self, name: &str, check: impl FnOnce(&str) -> Result<()>) -> Secret {
        let faults_before = self.faults.len();
        let value = self.take(name);
        self.check(name, faults_before, &value, check);
        value
    }

    /// Takes a setting that may be there and must then pass the provider's own `check`.
    pub fn take_optional_checked(
        &mut self,
        name: &str,
        check: impl FnOnce(&str) -> Result<()>,
    ) -> Option<Secret> {
        let faults_before = self.faults.len();
        let value = self.take_optional(name)?;
        self.check(name, faults_before, &value, check);
        Some(value)
    }

    /// Refuses settings of the other mode than the configuration is for that reads them, so that
    /// what is for test mode only reaches no live provider.
    ///
    /// # Errors
    /// [`ErrorKind::WrongMode`].
    pub fn require_mode(&self, mode: ModeKind) -> Result<()> {
        if self.mode == mode {
            return Ok(());
        }
        let message = format!(
            "the settings are for {} mode and the configuration is for {mode} mode: load those of \
             {mode} mode",
            self.mode
        );
        Err(Error::new(ErrorKind::WrongMode, message))
    }

    /// Takes `base_url`, where a simulator on this machine stands in for the provider. In live mode
    /// it is a fault, and in test mode every address that is not this machine's own.
    pub fn take_base_url(&mut self) -> Option<BaseUrl<Test>> {
        let mode = self.mode;
        let mut taken = None;
        self.take_optional_checked("base_url", |url| {
            if mode == ModeKind::Live {
                let message = "base_url is for test mode only: take it away";
                return Err(Error::new(ErrorKind::Settings, message));
            }
            let elsewhere = |_| {
                let message =
                    "base_url is not on this machine: write http://127.0.0.1:… or leave it";
                Error::new(ErrorKind::Settings, message)
            };
            taken = Some(BaseUrl::loopback(url).map_err(elsewhere)?);
            Ok(())
        });
        taken
    }

    /// What is not even well formed is not looked at further: one fault is told once.
    fn check(
        &mut self,
        name: &str,
        faults_before: usize,
        value: &Secret,
        check: impl FnOnce(&str) -> Result<()>,
    ) {
        if self.faults.len() == faults_before
            && let Err(fault) = check(value.expose())
        {
            self.fault(name, fault.message());
        }
    }

    /// Notes a fault under the name that the setting has where it was loaded from.
    fn fault(&mut self, setting: &str, fault: &str) {
        let provider = self.name.as_ref().map_or("", ProviderName::as_str);
        let key = self.origin.key(provider, self.mode, setting);
        let fault = fault.strip_prefix(setting).unwrap_or(fault).trim_start();
        self.faults.push(format!("{key} {fault}"));
    }

    /// Ends the reading: every setting must have been there, well formed and taken.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`], naming every fault at once and no value.
    pub fn finish(mut self) -> Result<()> {
        let known: Vec<_> = self.known.iter().map(|setting| setting.name).collect();
        let fault = match known.as_slice() {
            [] => "is not a setting of it".to_owned(),
            known => format!("is not a setting of it; it has {}", known.join(", ")),
        };
        for name in std::mem::take(&mut self.values).into_keys() {
            self.fault(&name, &fault);
        }
        if self.faults.is_empty() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Settings, self.faults.join("; ")))
    }
}

/// The usual marks of a value that was pasted wrongly or never filled in.
fn fault_of(value: &str) -> Option<&'static str> {
    const PLACEHOLDERS: [&str; 11] = [
        "change", "todo", "xxx", "your_", "your-", "<", "${", "{{", "replace", "insert", "example",
    ];
    const INSIDE: [&str; 3] = ["...", "xxxx", "****"];
    let lower = value.to_ascii_lowercase();
    if value.is_empty() {
        Some("is empty")
    } else if value.trim() != value {
        Some("has white space around it")
    } else if value.starts_with(['"', '\'', '`', '\u{2018}', '\u{201c}']) {
        Some("has quotes around it")
    } else if value.contains(|c: char| c.is_control() || is_invisible(c)) {
        Some("has an invisible character in it")
    } else if PLACEHOLDERS.iter().any(|mark| lower.starts_with(mark))
        || INSIDE.iter().any(|mark| lower.contains(mark))
        || value.contains('\u{2026}')
    {
        Some("is still a placeholder")
    } else {
        None
    }
}

/// What a web page or an editor leaves in a text without being seen, such as a byte order mark.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[(&str, &str)]) -> Result<()> {
        let mut settings = Settings::new(ModeKind::Test, values.iter().copied());
        settings.take("secret_key");
        settings.take("webhook_secret");
        settings.take_optional("account");
        settings.finish()
    }

    #[test]
    fn every_fault_is_told_at_once_and_no_value() {
        let error = read(&[
            ("secret_key", " sk_test_1"),
            ("webhok_secret", "whsec_hidden"),
        ]);
        let text = error.unwrap_err().to_string();
        for part in [
            "secret_key has white space",
            "webhook_secret is missing",
            "webhok_secret",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(
            !text.contains("hidden") && !text.contains("sk_test_1"),
            "{text}"
        );
        assert!(read(&[("secret_key", "sk_test_1"), ("webhook_secret", "whsec_1")]).is_ok());
    }

    #[test]
    fn values_that_were_never_filled_in_are_refused() {
        for value in [
            "",
            "changeme",
            "TODO",
            "<key>",
            "\"sk_test_1\"",
            "your_key_here",
            "a\nb",
        ] {
            let error = read(&[("secret_key", value), ("webhook_secret", "whsec_1")]);
            assert!(
                error.unwrap_err().to_string().contains("secret_key"),
                "{value:?}"
            );
        }
    }
}
