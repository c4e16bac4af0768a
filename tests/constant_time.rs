//! A MAC is compared in constant time only, which `Mac::verify_slice` does: the tag that it is
//! compared with is never at hand.

#![allow(clippy::unwrap_used)] // helpers beside the tests fail them

use std::fs;
use std::path::{Path, PathBuf};

/// Where tags are finished, as signatures that are sent, and how many times. What is finished in
/// another place must be looked at before it is added here.
const SENT: [(&str, usize); 3] = [
    ("providers/adyen/webhook.rs", 3),
    ("providers/stripe/setup.rs", 1),
    ("providers/stripe/webhook.rs", 1),
];
/// Where tags are compared.
const COMPARED: [&str; 2] = ["providers/adyen/webhook.rs", "providers/stripe/webhook.rs"];

#[test]
fn tags_are_compared_by_verify_slice_alone() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut sent, mut compared) = (Vec::new(), Vec::new());
    for path in rust_files(&src) {
        let name = path
            .strip_prefix(&src)
            .unwrap()
            .to_str()
            .unwrap()
            .replace('\\', "/");
        // A simulator signs, and its tests compare what it has signed.
        if name.starts_with("simulator/") {
            continue;
        }
        let code = fs::read_to_string(&path).unwrap();
        let code = code.split("#[cfg(test)]").next().unwrap();
        let is_of_macs = ["tag_of(", "Hmac<", "hmac::"]
            .iter()
            .any(|mark| code.contains(mark));
        let finished = code.matches("finalize").count();
        if is_of_macs && finished > 0 {
            sent.push((name.clone(), finished));
        }
        if is_of_macs && code.contains(".verify_slice(") {
            compared.push(name.clone());
        }
        for shortcut in ["verify_truncated", "ct_eq"] {
            assert!(!code.contains(shortcut), "{name} has {shortcut}");
        }
    }
    sent.sort();
    compared.sort();
    let expected = SENT.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(sent, expected);
    assert_eq!(compared, COMPARED);
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}
