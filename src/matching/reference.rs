//! Rules by which a reference is normalised before it is compared, always whole.

use serde::{Deserialize, Serialize};

/// How references are normalised. Both sides are: order ids and the references on entries.
///
/// Normalised references are compared whole, never as parts of each other. Where two orders become
/// the same text, a reference that names one of them byte for byte still finds it, and any other
/// is ambiguous.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ReferenceRules {
    /// Whether ASCII letters are read as small ones. True unless set.
    pub ignore_case: bool,
    /// Characters that are dropped wherever they stand. Unless set: space, tab, `-`, `_`, `.`, `/`
    /// and `#`.
    pub separators: String,
    /// Words that may stand before a reference, such as `ORDER`. One of them is dropped, after the
    /// two rules above. None unless set.
    pub prefixes: Vec<String>,
    /// What a reference in free text looks like: `#` is a digit, `@` a letter, `?` either, and
    /// anything else is itself. `INV-####` finds `INV-1001` in "thanks for INV-1001!", and where a
    /// bank cut the text within it. For a separator the text may have another one or up to three,
    /// or none between a letter and a digit: `inv 1001` is found too.
    pub patterns: Vec<String>,
    /// Whether structured references (RF, KID, OCR) are looked for in free text. True unless set.
    pub structured: bool,
}

impl Default for ReferenceRules {
    fn default() -> Self {
        Self {
            ignore_case: true,
            separators: " \t-_./#".to_owned(),
            prefixes: Vec::new(),
            patterns: Vec::new(),
            structured: true,
        }
    }
}

impl ReferenceRules {
    /// Declares a word that may stand before a reference.
    #[must_use]
    pub fn with_prefix(mut self, prefix: &str) -> Self {
        self.prefixes.push(prefix.to_owned());
        self
    }

    /// Declares what a reference in free text looks like.
    #[must_use]
    pub fn with_pattern(mut self, pattern: &str) -> Self {
        self.patterns.push(pattern.to_owned());
        self
    }

    /// The reference as it is compared.
    #[must_use]
    pub fn normalise(&self, raw: &str) -> String {
        let mut key = self.fold(raw);
        let folded = self.prefixes.iter().map(|prefix| self.fold(prefix));
        let longest = folded
            .filter(|prefix| key.len() > prefix.len() && key.starts_with(prefix.as_str()))
            .max_by_key(String::len);
        if let Some(prefix) = longest {
            key.drain(..prefix.len());
        }
        key
    }

    /// Whether normalising would change nothing, which is true of most references.
    pub(crate) fn is_normal(&self, raw: &str) -> bool {
        let plain = raw.bytes().all(|b| {
            b.is_ascii_lowercase()
                || b.is_ascii_digit()
                || (b.is_ascii_uppercase() && !self.ignore_case)
        });
        plain && self.prefixes.is_empty()
    }

    fn fold(&self, raw: &str) -> String {
        let mut key = String::with_capacity(raw.len());
        for c in raw.trim().chars() {
            let kept =
                c.is_ascii_alphanumeric() || (!c.is_control() && !self.separators.contains(c));
            if kept {
                key.push(if self.ignore_case {
                    c.to_ascii_lowercase()
                } else {
                    c
                });
            }
        }
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_that_is_declared_is_dropped_and_nothing_else() {
        let rules = ReferenceRules::default().with_prefix("ORDER-");
        for noisy in [
            "ab-12",
            " ab12 ",
            "AB12",
            "ORDER-ab12",
            "order ab_12",
            "a b 1 2",
        ] {
            assert_eq!(rules.normalise(noisy), "ab12", "{noisy}");
        }
        assert_eq!(rules.normalise("order"), "order");
        assert_eq!(rules.normalise("\u{7}Zoé+1\n2"), "zoé+12");
        assert_ne!(rules.normalise("ab123"), rules.normalise("ab12"));
    }

    #[test]
    fn what_is_called_normal_stays_as_it_is() {
        let rules = ReferenceRules::default();
        for raw in ["ab12", "0f", "x"] {
            assert!(rules.is_normal(raw));
            assert_eq!(rules.normalise(raw), raw);
        }
        for raw in ["A", "a-b", " a", "é"] {
            assert!(!rules.is_normal(raw), "{raw}");
        }
    }

    #[test]
    fn letters_and_digits_are_kept_even_where_they_are_declared_as_separators() {
        let rules = ReferenceRules {
            separators: "-x1é".to_owned(),
            ..ReferenceRules::default()
        };
        assert_eq!(rules.normalise("ax-1é"), "ax1");
        assert!(rules.is_normal("ax1"));
    }
}
