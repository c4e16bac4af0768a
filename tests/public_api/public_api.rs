//! The public API is what `counterfoil.txt` says, line by line. A change that is meant renews it:
//!
//! ```sh
//! UPDATE_SNAPSHOTS=yes cargo test -p counterfoil-public-api
//! ```
//!
//! A line that goes or changes breaks hosts, and so does a new variant of an enum, a new public field
//! of a struct that can be written out, or a method of a trait that others implement. The rest of
//! what is new breaks nobody.

use std::path::Path;
use std::process::Command;

#[test]
fn the_public_api_is_as_it_was() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    // The JSON is not stable, and only rustdoc is told to write it all the same: the compiler would
    // build all that it depends on once more.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("..");
    let status = Command::new(env!("CARGO"))
        .args([
            "rustdoc",
            "--quiet",
            "--lib",
            "--all-features",
            "--target-dir",
        ])
        .args([target.as_os_str(), "--".as_ref()])
        .args([
            "-Zunstable-options",
            "--output-format=json",
            "--cap-lints=allow",
        ])
        .env("RUSTDOC", here.join("rustdoc.sh"))
        .env_remove("RUSTDOCFLAGS")
        .current_dir(here.join("../.."))
        .status()
        .unwrap();
    assert!(status.success(), "rustdoc failed");
    public_api::Builder::from_rustdoc_json(target.join("doc/counterfoil.json"))
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .unwrap()
        .assert_eq_or_update(here.join("counterfoil.txt"));
}
