//! Writes the files under test once more, with shuttle's locks in place of the machine's; and one of
//! them with a planted defect.

use std::path::Path;
use std::{env, fs};

fn main() {
    let out = env::var_os("OUT_DIR").unwrap();
    let out = Path::new(&out);
    for name in ["retry_budget.rs", "sensitive.rs", "token.rs"] {
        let path = Path::new("../../src/http").join(name);
        println!("cargo::rerun-if-changed={}", path.display());
        let code = fs::read_to_string(&path).unwrap();
        let code = code.split("#[cfg(test)]").next().unwrap();
        let has_locks = code.contains("std::sync::");
        assert!(
            has_locks || name == "sensitive.rs",
            "{name} locks otherwise now"
        );
        let code = code.replace("std::sync::", "crate::sync::");
        let lines = code.lines().filter(|line| !line.starts_with("//!"));
        let code = lines.collect::<Vec<_>>().join("\n");
        fs::write(out.join(name), &code).unwrap();
        if name == "token.rs" {
            let careless = code.replace("self.fetched_meanwhile(failures)", "NOTHING_MEANWHILE");
            assert_ne!(careless, code, "the planted defect has no place any more");
            fs::write(out.join("careless_token.rs"), careless).unwrap();
        }
    }
}
