//! From a name and settings to a configured provider.

use std::collections::BTreeMap;
use std::fmt;

use crate::error::{Error, ErrorKind, Result};
use crate::handle::Provider;
use crate::id::ProviderName;
use crate::mode::{Live, ModeKind, Test};
use crate::secret::Secret;

/// A provider whose mode was chosen by settings. It has no payment methods: decide once, in
/// `main`, what to do in each mode, or demand the one that you expect.
#[derive(Debug, Clone)]
pub enum Configured {
    /// No money moves.
    Test(Provider<Test>),
    /// Money moves.
    Live(Provider<Live>),
}

impl Configured {
    /// Its mode.
    #[must_use]
    pub const fn mode(&self) -> ModeKind {
        match self {
            Self::Test(_) => ModeKind::Test,
            Self::Live(_) => ModeKind::Live,
        }
    }

    /// Demands live mode.
    ///
    /// # Errors
    /// [`ErrorKind::WrongMode`] if it was configured for test.
    pub fn into_live(self) -> Result<Provider<Live>> {
        match self {
            Self::Live(provider) => Ok(provider),
            Self::Test(_) => Err(wrong_mode(
                "live mode is demanded, and the settings say test",
            )),
        }
    }

    /// Demands test mode.
    ///
    /// # Errors
    /// [`ErrorKind::WrongMode`] if it was configured for live.
    pub fn into_test(self) -> Result<Provider<Test>> {
        match self {
            Self::Test(provider) => Ok(provider),
            Self::Live(_) => Err(wrong_mode(
                "test mode is demanded, and the settings say live",
            )),
        }
    }
}

/// The providers that settings may name. Those of third parties register on equal terms.
#[derive(Default)]
pub struct Registry {
    makers: BTreeMap<Box<str>, Maker>,
}

/// Makes a provider from settings.
pub type Maker = fn(Settings) -> Result<Configured>;

impl Registry {
    /// A registry that knows no provider.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a provider under `name`.
    #[must_use]
    pub fn with(mut self, name: &str, maker: Maker) -> Self {
        self.makers.insert(name.into(), maker);
        self
    }

    /// Makes the provider called `name` from `settings`.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] for a name that is not registered, and for settings that are
    /// missing, malformed, unknown or of the other mode: all of them at once.
    pub fn configure(&self, name: &str, settings: Settings) -> Result<Configured> {
        let Some(maker) = self.makers.get(name) else {
            let known: Vec<_> = self.makers.keys().map(AsRef::as_ref).collect();
            let message = format!(
                "no provider is called {name:?}; registered: {}",
                known.join(", ")
            );
            return Err(Error::new(ErrorKind::Settings, message));
        };
        let named = ProviderName::new(name)
            .map_err(|error| Error::new(ErrorKind::Settings, error.to_string()))?;
        maker(Settings {
            name: Some(named),
            ..settings
        })
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.makers.keys()).finish()
    }
}

/// The settings of one provider: names and values, each value kept as a secret.
#[derive(Debug, Clone)]
pub struct Settings {
    name: Option<ProviderName>,
    mode: ModeKind,
    values: BTreeMap<String, Secret>,
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
            faults: Vec::new(),
        }
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
        match self.take_optional(name) {
            Some(value) => value,
            None => {
                self.faults.push(format!("{name} is missing"));
                Secret::new("")
            }
        }
    }

    /// Takes a setting that may be there.
    pub fn take_optional(&mut self, name: &str) -> Option<Secret> {
        let value = self.values.remove(name)?;
        if let Some(fault) = fault_of(value.expose()) {
            self.faults.push(format!("{name} {fault}"));
        }
        Some(value)
    }

    /// Takes a setting that must be there and pass the provider's own `check`.
    pub fn take_checked(&mut self, name: &str, check: impl FnOnce(&str) -> Result<()>) -> Secret {
        let faults_before = self.faults.len();
        let value = self.take(name);
        self.check(faults_before, &value, check);
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
        self.check(faults_before, &value, check);
        Some(value)
    }

    /// What is not even well formed is not looked at further: one fault is told once.
    fn check(
        &mut self,
        faults_before: usize,
        value: &Secret,
        check: impl FnOnce(&str) -> Result<()>,
    ) {
        if self.faults.len() == faults_before
            && let Err(fault) = check(value.expose())
        {
            self.faults.push(fault.message().to_owned());
        }
    }

    /// Ends the reading: every setting must have been there, well formed and taken.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`], naming every fault at once and no value.
    pub fn finish(mut self) -> Result<()> {
        let unknown = self
            .values
            .keys()
            .map(|name| format!("{name} is not a setting of it"));
        self.faults.extend(unknown);
        if self.faults.is_empty() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Settings, self.faults.join("; ")))
    }
}

/// The usual marks of a value that was pasted wrongly or never filled in.
fn fault_of(value: &str) -> Option<&'static str> {
    const PLACEHOLDERS: [&str; 6] = ["changeme", "change_me", "todo", "xxx", "your_", "<"];
    let lower = value.to_ascii_lowercase();
    if value.is_empty() {
        Some("is empty")
    } else if value.trim() != value {
        Some("has white space around it")
    } else if value.starts_with(['"', '\'', '`']) {
        Some("has quotes around it")
    } else if value.contains(char::is_control) {
        Some("has a control character in it")
    } else if PLACEHOLDERS
        .iter()
        .any(|placeholder| lower.starts_with(placeholder))
    {
        Some("is still a placeholder")
    } else {
        None
    }
}

fn wrong_mode(message: &'static str) -> Error {
    Error::new(ErrorKind::WrongMode, message)
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

    #[test]
    fn a_name_that_is_not_registered_says_which_are() {
        let maker: Maker = |_| Err(Error::new(ErrorKind::Settings, "made"));
        let registry = Registry::new().with("stripe", maker);
        let settings = || Settings::new(ModeKind::Test, [("key", "value")]);
        let text = registry
            .configure("stirpe", settings())
            .unwrap_err()
            .to_string();
        assert!(
            text.contains("stirpe") && text.contains("registered: stripe"),
            "{text}"
        );
        assert!(
            registry
                .configure("stripe", settings())
                .unwrap_err()
                .to_string()
                .contains("made")
        );
    }
}
