#![doc = include_str!("../README.md")]
#![doc = include_str!("security.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

// The domain: no I/O, no async.
pub mod capture;
mod card_number;
pub mod clock;
pub mod country;
pub mod dispute;
pub mod error;
pub mod id;
pub mod ledger;
pub mod mode;
pub mod money;
mod operation;
pub mod order;
pub mod payment;
pub mod payout;
pub mod refund;
mod secret;
pub mod warning;

// The contract between hosts and providers.
pub mod capability;
mod handle;
mod html;
pub mod http;
pub mod provider;
pub mod providers;
pub mod registry;
pub mod request;
pub mod setup;
pub mod telemetry;
pub mod webhook;

// Which payment pays which order. Pure, and usable alone.
pub mod matching;

// The same providers from the other side of the wire.
#[cfg(feature = "simulator")]
pub mod simulator;

// What is composed from them.
#[cfg(feature = "cashier")]
#[cfg_attr(docsrs, doc(cfg(feature = "cashier")))]
pub mod cashier;
#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "preflight")]
#[cfg_attr(docsrs, doc(cfg(feature = "preflight")))]
pub mod preflight;
#[cfg(feature = "rehearsal")]
pub mod rehearsal;

pub use capability::Capabilities;
pub use error::{Effect, Error, ErrorKind, Result};
pub use handle::Provider;
pub use mode::{Live, Mode, ModeKind, Test};
pub use provider::PaymentProvider;
pub use secret::Secret;
