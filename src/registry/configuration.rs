//! The settings of every provider in both modes, from the environment or a file.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::settings::{Origin, upper};
use super::{Configured, ProviderKind, Registry, Settings};
use crate::error::{Error, ErrorKind, Result};
use crate::mode::ModeKind;
use crate::secret::Secret;

/// The settings of every provider, both modes side by side and never mixed.
///
/// A provider gets the settings of one mode. A credential that stands in both is refused.
///
/// ```
/// use counterfoil::ModeKind;
/// use counterfoil::registry::{Configuration, Registry};
///
/// let registry = Registry::built_in();
/// let configuration = Configuration::from_vars(
///     &registry,
///     [
///         ("COUNTERFOIL_MODE", "test"),
///         ("COUNTERFOIL_STRIPE_TEST_NAMESPACE", "shop"),
///         ("COUNTERFOIL_STRIPE_TEST_SECRET_KEY", "rk_test_1"),
///         ("COUNTERFOIL_STRIPE_TEST_WEBHOOK_SECRET", "whsec_1"),
///     ],
/// )?;
/// let mode = configuration.mode().unwrap_or(ModeKind::Test);
/// let providers = configuration.configure(&registry, mode)?;
/// assert_eq!(providers.len(), 1);
/// # Ok::<(), counterfoil::Error>(())
/// ```
///
/// In a file, which can be of any format that `serde` reads:
///
/// ```
/// let file = r#"
///     mode = "test"
///
///     [providers.stripe.test]
///     namespace = "shop"
///     secret_key = "rk_test_1"
///     webhook_secret = "whsec_1"
/// "#;
/// let configuration: counterfoil::registry::Configuration = toml::from_str(file)?;
/// # Ok::<(), toml::de::Error>(())
/// ```
///
/// Where the reader's error quotes the file, as that of `toml` does, show its `message()` alone:
/// the line that it quotes may hold a secret.
#[derive(Debug, Clone)]
pub struct Configuration {
    mode: Option<ModeKind>,
    sections: BTreeMap<(String, ModeKind), Section>,
    origin: Origin,
}

type Section = BTreeMap<String, Secret>;

impl Configuration {
    /// Reads the variables of the environment that begin with `COUNTERFOIL_`, named as the table of
    /// [this module](super) says.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`], naming at once every variable that is nothing's setting and every
    /// value that is not UTF-8.
    pub fn from_env(registry: &Registry) -> Result<Self> {
        let ours = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            // Text that is not UTF-8 holds a control character afterwards, and is refused for it.
            let lossy = |_| "\u{fffd}\u{7f}".to_owned();
            let value = value.into_string().unwrap_or_else(lossy);
            name.starts_with(PREFIX).then_some((name, value))
        });
        Self::from_vars(registry, ours)
    }

    /// Reads variables from elsewhere than the environment.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    pub fn from_vars<K: AsRef<str>, V: Into<Secret>>(
        registry: &Registry,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self> {
        let mut read = Self::empty(Origin::Environment);
        let mut faults = Vec::new();
        for (name, value) in variables {
            let name = name.as_ref();
            let Some(rest) = name.strip_prefix(PREFIX) else {
                continue;
            };
            if rest == "MODE" {
                read.take_mode(name, value.into().expose(), &mut faults);
                continue;
            }
            match place_of(registry, rest) {
                Some((provider, mode, setting)) => {
                    let before = read.section(provider, mode).insert(setting, value.into());
                    if before.is_some() {
                        faults.push(format!("{name} is set twice"));
                    }
                }
                None if rest.eq_ignore_ascii_case("MODE") => {
                    faults.push(format!("{name} is no setting: write COUNTERFOIL_MODE"));
                }
                None if is_meant_as_setting(registry, rest) => faults.push(format!(
                    "{name} is no setting: write COUNTERFOIL_<provider>_<TEST or LIVE>_<setting>, \
                     with a provider of {}",
                    names(registry)
                )),
                None => {}
            }
        }
        read.unless(faults)
    }

    /// Reads a JSON file.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`], naming every fault at once and no value.
    pub fn from_json(text: &str) -> Result<Self> {
        let tree: Tree = serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let message = format!("the settings are not JSON: line {line}, column {column}");
            Error::new(ErrorKind::Settings, message)
        })?;
        Self::from_tree(tree)
    }

    /// The mode that they say to run in, if they do.
    #[must_use]
    pub const fn mode(&self) -> Option<ModeKind> {
        self.mode
    }

    /// The providers that have settings for `mode`.
    pub fn providers(&self, mode: ModeKind) -> impl Iterator<Item = &str> {
        let sections = self.sections.keys();
        sections.filter_map(move |(name, of)| (*of == mode).then_some(name.as_str()))
    }

    /// The settings of one provider in one mode.
    #[must_use]
    pub fn settings(&self, provider: &str, mode: ModeKind) -> Option<Settings> {
        let section = self.sections.get(&(provider.to_owned(), mode))?;
        let values = section.iter().map(|(key, value)| (key, value.clone()));
        Some(Settings::new(mode, values).loaded_from(self.origin))
    }

    /// Makes every provider that has settings for `mode`. Those of the other mode are not used.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`], naming every fault of every provider at once and no value:
    /// settings that are missing, malformed, unknown or of the other mode, a credential that stands
    /// in both modes, and no provider at all.
    pub fn configure(&self, registry: &Registry, mode: ModeKind) -> Result<Vec<Configured>> {
        let mut faults = Vec::new();
        let mut made = Vec::new();
        for provider in self.providers(mode) {
            match self.configure_one(registry, provider, mode) {
                Ok(configured) => made.push(configured),
                Err(error) => faults.push(error.message().to_owned()),
            }
        }
        if made.is_empty() && faults.is_empty() {
            let example = self.origin.key("<provider>", mode, "<setting>");
            faults.push(format!(
                "no provider has settings for {mode} mode: set {example}, with a provider of {}",
                names(registry)
            ));
        }
        refuse(&faults)?;
        Ok(made)
    }

    /// Makes one provider.
    ///
    /// # Errors
    /// As [`configure`](Self::configure).
    pub fn configure_one(
        &self,
        registry: &Registry,
        provider: &str,
        mode: ModeKind,
    ) -> Result<Configured> {
        let kind = registry.kind(provider)?;
        let settings = self.settings(provider, mode).ok_or_else(|| {
            let required = kind.settings.iter().filter(|setting| setting.is_required);
            let names = required.map(|setting| self.origin.key(provider, mode, setting.name));
            let names: Vec<_> = names.collect();
            let names = names.join(", ");
            let message = format!("{provider} has no settings for {mode} mode: set {names}");
            Error::new(ErrorKind::Settings, message)
        })?;
        let mut faults = self.shared_credentials(registry, provider);
        let configured = registry.configure(provider, settings);
        if let Err(error) = &configured {
            faults.push(error.message().to_owned());
        }
        refuse(&faults)?;
        configured
    }

    /// The credentials that stand in both modes, be it under another name: one of the two is in the
    /// wrong place.
    fn shared_credentials<'s>(&'s self, registry: &Registry, provider: &str) -> Vec<String> {
        let section = |mode| self.sections.get(&(provider.to_owned(), mode));
        let (Some(test), Some(live)) = (section(ModeKind::Test), section(ModeKind::Live)) else {
            return Vec::new();
        };
        let kind = registry.kinds().find(|(name, _)| *name == provider);
        let known = kind.map_or(&[][..], |(_, kind)| kind.settings);
        let credentials = |section: &'s Section| {
            let names = known.iter().filter(|setting| setting.is_credential);
            names.filter_map(|setting| Some((setting.name, section.get(setting.name)?.expose())))
        };
        let mut faults = Vec::new();
        for (in_test, test) in credentials(test) {
            for (in_live, live) in credentials(live) {
                if test == live && !test.is_empty() {
                    let test = self.origin.key(provider, ModeKind::Test, in_test);
                    let live = self.origin.key(provider, ModeKind::Live, in_live);
                    faults.push(format!(
                        "{test} and {live} are the same: one of them is in the wrong place"
                    ));
                }
            }
        }
        faults
    }

    fn empty(origin: Origin) -> Self {
        Self {
            mode: None,
            sections: BTreeMap::new(),
            origin,
        }
    }

    fn section(&mut self, provider: &str, mode: ModeKind) -> &mut Section {
        self.sections
            .entry((provider.to_owned(), mode))
            .or_default()
    }

    fn take_mode(&mut self, key: &str, text: &str, faults: &mut Vec<String>) {
        if self.mode.is_some() {
            faults.push(format!("{key} is set twice"));
        }
        match text.parse() {
            Ok(mode) => self.mode = Some(mode),
            Err(_) => faults.push(format!("{key} must be `test` or `live`")),
        }
    }

    fn from_tree(tree: Tree) -> Result<Self> {
        let mut read = Self::empty(Origin::File);
        let mut faults = Vec::new();
        for (key, value) in tree.table("the file", &mut faults) {
            match (key.as_str(), value) {
                ("mode", Tree::Text(mode)) => read.take_mode("mode", mode.expose(), &mut faults),
                ("mode", _) => faults.push("mode must be `test` or `live`".to_owned()),
                ("providers", value) => read.take_providers(value, &mut faults),
                _ => faults.push(format!("{key} is no key of the file: mode, providers")),
            }
        }
        read.unless(faults)
    }

    fn take_providers(&mut self, providers: Tree, faults: &mut Vec<String>) {
        for (provider, modes) in providers.table("providers", faults) {
            let path = format!("providers.{provider}");
            for (mode, section) in modes.table(&path, faults) {
                let path = format!("{path}.{mode}");
                let Ok(mode) = mode.parse() else {
                    faults.push(format!("{path} must be called test or live"));
                    continue;
                };
                for (setting, value) in section.table(&path, faults) {
                    match value {
                        Tree::Text(value) => {
                            self.section(&provider, mode).insert(setting, value);
                        }
                        _ => faults.push(format!("{path}.{setting} must be text, in quotes")),
                    }
                }
            }
        }
    }

    fn unless(self, faults: Vec<String>) -> Result<Self> {
        refuse(&faults).map(|()| self)
    }
}

const PREFIX: &str = "COUNTERFOIL_";

impl<'de> Deserialize<'de> for Configuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let tree = Tree::deserialize(deserializer)?;
        Self::from_tree(tree).map_err(|error| de::Error::custom(error.message()))
    }
}

/// Which setting a variable is, behind the prefix: `STRIPE_EU_LIVE_SECRET_KEY`. Where the name of
/// one provider begins another's, the longer one counts.
fn place_of<'r>(registry: &'r Registry, rest: &str) -> Option<(&'r str, ModeKind, String)> {
    let mut found: Vec<_> = registry
        .kinds()
        .filter_map(|(provider, _): (&str, &ProviderKind)| {
            let rest = rest.strip_prefix(&upper(provider))?.strip_prefix('_')?;
            let (mode, setting) = rest.split_once('_')?;
            let mode = match mode {
                "TEST" => ModeKind::Test,
                "LIVE" => ModeKind::Live,
                _ => return None,
            };
            let is_upper = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
            (!setting.is_empty() && setting.bytes().all(is_upper))
                .then(|| (provider, mode, setting.to_ascii_lowercase()))
        })
        .collect();
    found.sort_by_key(|(provider, ..)| provider.len());
    found.pop()
}

/// Whether someone who wrote this variable meant a setting: it names a provider or a mode.
fn is_meant_as_setting(registry: &Registry, rest: &str) -> bool {
    let rest = rest.to_ascii_uppercase();
    let mut names = registry.kinds().map(|(provider, _)| upper(provider));
    ["TEST", "LIVE"]
        .iter()
        .any(|mode| rest.split('_').any(|part| part == *mode))
        || names.any(|name| rest.starts_with(&name))
}

fn names(registry: &Registry) -> String {
    let names: Vec<_> = registry.kinds().map(|(name, _)| name).collect();
    names.join(", ")
}

fn refuse(faults: &[String]) -> Result<()> {
    if faults.is_empty() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Settings, faults.join("; ")))
}

/// A file as it is, so that all that is wrong with it can be told at once, and without its values.
enum Tree {
    Text(Secret),
    Table(Vec<(String, Tree)>),
    Other,
}

impl Tree {
    /// The entries of a table; what is none has none, and is a fault, as is a key that comes twice.
    fn table(self, path: &str, faults: &mut Vec<String>) -> BTreeMap<String, Tree> {
        let Self::Table(entries) = self else {
            faults.push(format!("{path} must be a table"));
            return BTreeMap::new();
        };
        let mut table = BTreeMap::new();
        for (key, value) in entries {
            if table.contains_key(&key) {
                faults.push(format!("{path} has {key} twice"));
            }
            table.insert(key, value);
        }
        table
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text or a table")
    }

    fn visit_str<E>(self, text: &str) -> std::result::Result<Tree, E> {
        Ok(Tree::Text(Secret::new(text)))
    }

    fn visit_bool<E>(self, _: bool) -> std::result::Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_i64<E>(self, _: i64) -> std::result::Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_u64<E>(self, _: u64) -> std::result::Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_i128<E>(self, _: i128) -> std::result::Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_u128<E>(self, _: u128) -> std::result::Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_f64<E>(self, _: f64) -> std::result::Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_unit<E>(self) -> std::result::Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Tree, A::Error> {
        while items.next_element::<de::IgnoredAny>()?.is_some() {}
        Ok(Tree::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Tree, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Tree::Table(entries))
    }
}
