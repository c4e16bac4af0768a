#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod clock;
pub mod id;
pub mod matching;
pub mod mode;
pub mod money;
mod secret;

pub use mode::{Live, Mode, ModeKind, Test};
pub use secret::Secret;
