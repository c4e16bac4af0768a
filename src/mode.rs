//! Test and live, as types that cannot meet.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The mode that everything with an `M` belongs to: [`Test`] or [`Live`], and nothing else.
///
/// A value of one mode given where the other is asked for does not compile. Where types end
/// (settings, databases, a provider's answer) the mode is written down as a [`ModeKind`] and
/// checked on the way back in.
pub trait Mode:
    sealed::Sealed + fmt::Debug + Copy + Eq + Ord + std::hash::Hash + Send + Sync + Unpin + 'static
{
    /// The mode as a value.
    const KIND: ModeKind;
}

/// Test mode: no money moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Test {}

/// Live mode: money moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Live {}

impl Mode for Test {
    const KIND: ModeKind = ModeKind::Test;
}

impl Mode for Live {
    const KIND: ModeKind = ModeKind::Live;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Test {}
    impl Sealed for super::Live {}
}

/// The mode as a value, for where types end. Written `test` and `live`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModeKind {
    /// No money moves.
    Test,
    /// Money moves.
    Live,
}

impl ModeKind {
    /// The mode that a provider's `livemode` flag names.
    #[must_use]
    pub const fn from_livemode(livemode: bool) -> Self {
        if livemode { Self::Live } else { Self::Test }
    }

    /// `test` or `live`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Live => "live",
        }
    }
}

impl fmt::Display for ModeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ModeKind {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        match text {
            "test" => Ok(Self::Test),
            "live" => Ok(Self::Live),
            _ => Err(UnknownMode),
        }
    }
}

/// A mode is `test` or `live`, in small letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the mode must be `test` or `live`")]
pub struct UnknownMode;
