//! From a name and settings to a configured provider.
//!
//! [`Configuration`] loads the settings of every provider in both modes from the environment or a
//! file; [`Registry`] knows what makes a provider of them.
//!
#![doc = include_str!("settings.md")]

mod configuration;
mod settings;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::handle::Provider;
use crate::id::ProviderName;
use crate::mode::{Live, ModeKind, Test};

pub use configuration::Configuration;
pub use settings::{Setting, Settings};

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

/// Makes a provider from settings alone. What needs more, such as a database, is given to
/// [`ProviderKind::holding`] or [`Registry::with`] as a closure.
pub type Maker = fn(Settings) -> Result<Configured>;

/// A kind of provider that settings can name: all that is special about it stands here as data.
#[derive(Clone)]
#[non_exhaustive]
pub struct ProviderKind {
    /// Its usual name, such as `stripe`.
    pub name: &'static str,
    /// The settings that it reads.
    pub settings: &'static [Setting],
    making: Making,
}

/// What makes a provider of settings.
#[derive(Clone)]
enum Making {
    /// From the settings alone, so that a kind can be a constant.
    Plain(Maker),
    /// With what the closure holds.
    Holding(Arc<dyn Fn(Settings) -> Result<Configured> + Send + Sync>),
}

impl ProviderKind {
    /// A kind that is usually called `name`.
    #[must_use]
    pub const fn new(name: &'static str, settings: &'static [Setting], maker: Maker) -> Self {
        Self {
            name,
            settings,
            making: Making::Plain(maker),
        }
    }

    /// A kind that is usually called `name`, whose `maker` holds what settings cannot say: the
    /// application's database, a clock, an HTTP client that several share.
    #[must_use]
    pub fn holding(
        name: &'static str,
        settings: &'static [Setting],
        maker: impl Fn(Settings) -> Result<Configured> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            settings,
            making: Making::Holding(Arc::new(maker)),
        }
    }

    fn make(&self, settings: Settings) -> Result<Configured> {
        match &self.making {
            Making::Plain(maker) => maker(settings),
            Making::Holding(maker) => maker(settings),
        }
    }
}

impl fmt::Debug for ProviderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderKind")
            .field("name", &self.name)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// The providers that settings may name. Those of third parties register on equal terms.
#[derive(Default)]
pub struct Registry {
    kinds: BTreeMap<Box<str>, ProviderKind>,
}

impl Registry {
    /// A registry that knows no provider.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what `maker` makes under `name`. It may hold state, and is called once for each provider
    /// that is configured.
    #[must_use]
    pub fn with(
        self,
        name: &str,
        maker: impl Fn(Settings) -> Result<Configured> + Send + Sync + 'static,
    ) -> Self {
        self.with_kind(name, ProviderKind::holding("", &[], maker))
    }

    /// Adds a kind of provider under `name`, such as `stripe-eu` for a second account.
    #[must_use]
    pub fn with_kind(mut self, name: &str, kind: ProviderKind) -> Self {
        self.kinds.insert(name.into(), kind);
        self
    }

    /// The registered names, each with its kind.
    pub fn kinds(&self) -> impl Iterator<Item = (&str, &ProviderKind)> {
        self.kinds.iter().map(|(name, kind)| (name.as_ref(), kind))
    }

    /// Makes the provider called `name` from `settings`.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] for a name that is not registered, and for settings that are
    /// missing, malformed, unknown or of the other mode: all of them at once.
    pub fn configure(&self, name: &str, settings: Settings) -> Result<Configured> {
        let kind = self.kind(name)?;
        let named = ProviderName::new(name)
            .map_err(|error| Error::new(ErrorKind::Settings, error.to_string()))?;
        kind.make(settings.for_provider(named, kind.settings))
    }

    /// The kind that is registered as `name`.
    fn kind(&self, name: &str) -> Result<&ProviderKind> {
        self.kinds.get(name).ok_or_else(|| {
            let known: Vec<_> = self.kinds.keys().map(AsRef::as_ref).collect();
            let message = format!(
                "no provider is called {name:?}; registered: {}",
                known.join(", ")
            );
            Error::new(ErrorKind::Settings, message)
        })
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.kinds.keys()).finish()
    }
}

fn wrong_mode(message: &'static str) -> Error {
    Error::new(ErrorKind::WrongMode, message)
}

#[cfg(test)]
mod tests {
    use super::*;

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
