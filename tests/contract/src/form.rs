//! Forms with brackets, decoded to a tree of texts: the checker's own reading of them.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// Decodes `a[b]=1&c[]=2` to `{"a":{"b":"1"},"c":{"0":"2"}}`.
pub(crate) fn decode(form: &str) -> Value {
    let mut root = Value::Object(Map::new());
    for pair in form.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = text(name);
        let mut node = &mut root;
        for segment in name.split('[').map(|segment| segment.trim_end_matches(']')) {
            if !node.is_object() {
                *node = Value::Object(Map::new());
            }
            let fields = node.as_object_mut().expect("it was just made one");
            let key = if segment.is_empty() {
                fields.len().to_string()
            } else {
                segment.to_owned()
            };
            node = fields.entry(key).or_insert(Value::Null);
        }
        *node = Value::String(text(value));
    }
    root
}

fn text(escaped: &str) -> String {
    let spaced = escaped.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}
