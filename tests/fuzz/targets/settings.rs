//! Settings: after an even first byte the names of variables, one a line; after an odd one a JSON
//! file, where `@` stands for a credential. No error tells a value, and what is configured is of the
//! mode that was asked for.

#![no_main]

use std::sync::LazyLock;

use counterfoil::ModeKind;
use counterfoil::registry::{Configuration, Registry};
use libfuzzer_sys::fuzz_target;

const CANARY: &str = "rk_test_canary";

static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::built_in);

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let text = String::from_utf8_lossy(rest);
    if text.contains("canary") {
        return;
    }
    let read = if first % 2 == 0 {
        Configuration::from_vars(&REGISTRY, text.lines().map(|name| (name, CANARY)))
    } else {
        Configuration::from_json(&text.replace(":@", &format!(":\"{CANARY}\"")))
    };
    let configuration = match read {
        Ok(configuration) => configuration,
        Err(error) => return assert!(!error.to_string().contains("canary"), "{error}"),
    };
    for mode in [ModeKind::Test, ModeKind::Live] {
        match configuration.configure(&REGISTRY, mode) {
            Ok(made) => assert!(made.iter().all(|made| made.mode() == mode)),
            Err(error) => assert!(!error.to_string().contains("canary"), "{error}"),
        }
    }
});
