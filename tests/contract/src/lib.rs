//! Checks requests and answers against a payment provider's own OpenAPI 3.0 specification.
//!
//! The specifications are not part of this project. They are looked for in the folder that the
//! environment variable `COUNTERFOIL_SHARED` names; without it nothing is checked, and said so.

mod form;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use jsonschema::Validator;
use serde_json::{Map, Value, json};

/// A specification, ready to check with.
#[derive(Debug)]
pub struct Contract {
    spec: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Contract {
    /// Loads `specs/FILE` from the shared folder; `None`, with a note on stderr, if there is none.
    ///
    /// # Panics
    /// The file cannot be read as JSON.
    #[must_use]
    pub fn load(file: &str) -> Option<Self> {
        let Some(shared) = std::env::var_os("COUNTERFOIL_SHARED") else {
            // Written to the stream itself: the harness hides what a passing test prints.
            let _ = writeln!(
                std::io::stderr(),
                "NOT RUN: COUNTERFOIL_SHARED is not set, so {file} is not there to check by"
            );
            return None;
        };
        let path: PathBuf = [PathBuf::from(shared), "specs".into(), file.into()]
            .iter()
            .collect();
        let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let mut spec = serde_json::from_slice(&text).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        normalize(&mut spec);
        Some(Self {
            spec,
            validators: Mutex::default(),
        })
    }

    /// What is wrong with an answer: broken rules, and fields that the specification does not name.
    #[must_use]
    pub fn check_answer(&self, method: &str, path: &str, status: u16, body: &[u8]) -> Vec<String> {
        let path = path.split('?').next().unwrap_or_default();
        let Some((template, operation)) = self.operation(method, path) else {
            return vec![format!("{method} {path} is not in the specification")];
        };
        let responses = &operation["responses"];
        let response = match responses.get(status.to_string()) {
            Some(response) => response,
            None => &responses["default"],
        };
        let shared = response["$ref"]
            .as_str()
            .and_then(|at| self.spec.pointer(at.strip_prefix('#')?));
        let response = shared.unwrap_or(response);
        let schema = &response["content"]["application/json"]["schema"];
        match serde_json::from_slice(body) {
            Ok(body) => self.check(
                &format!("answer {method} {template} {status}"),
                schema,
                &body,
            ),
            Err(error) => vec![format!("{method} {path}: not JSON: {error}")],
        }
    }

    /// What is wrong with a request, form or JSON; `target` is its path with its query.
    #[must_use]
    pub fn check_request(&self, method: &str, target: &str, body: &[u8]) -> Vec<String> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let Some((template, operation)) = self.operation(method, path) else {
            return vec![format!("{method} {path} is not in the specification")];
        };
        let schema = self.query_schema(operation);
        let query = self.coerce(form::decode(query), &schema);
        let mut problems = self.check(&format!("query {method} {template}"), &schema, &query);
        let content = &operation["requestBody"]["content"];
        let forms = &content["application/x-www-form-urlencoded"]["schema"];
        if !forms.is_null() {
            let form = String::from_utf8_lossy(body);
            let form = self.coerce(form::decode(&form), forms);
            problems.extend(self.check(&format!("form {method} {template}"), forms, &form));
        } else if !body.is_empty() {
            let schema = &content["application/json"]["schema"];
            match serde_json::from_slice(body) {
                Ok(body) => {
                    problems.extend(self.check(&format!("body {method} {template}"), schema, &body))
                }
                Err(error) => problems.push(format!("not JSON: {error}")),
            }
        }
        problems
    }

    /// The path of the specification that `path` is one of, such as `/v1/refunds/{refund}`.
    #[must_use]
    pub fn template(&self, method: &str, path: &str) -> Option<&str> {
        Some(self.operation(method, path)?.0)
    }

    /// What is wrong with a value that should be of the schema `name`, such as `event`.
    #[must_use]
    pub fn check_schema(&self, name: &str, value: &Value) -> Vec<String> {
        let schema = json!({ "$ref": format!("#/components/schemas/{name}") });
        self.check(&format!("schema {name}"), &schema, value)
    }

    /// What is wrong with the body of a webhook that the specification names, such as `CAPTURE`.
    #[must_use]
    pub fn check_webhook(&self, name: &str, body: &Value) -> Vec<String> {
        let operation = &self.spec["webhooks"][format!("/{name}")]["post"];
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        self.check(&format!("webhook {name}"), schema, body)
    }

    /// `label` also names the compiled schema, so that it is compiled once.
    fn check(&self, label: &str, schema: &Value, value: &Value) -> Vec<String> {
        if schema.is_null() {
            return vec![format!("{label}: the specification has no schema for it")];
        }
        let validator = {
            let mut validators = self.validators.lock().unwrap();
            let compile = || Arc::new(self.compile(schema));
            Arc::clone(validators.entry(label.to_owned()).or_insert_with(compile))
        };
        let errors = validator.iter_errors(value);
        let mut problems: Vec<String> = errors
            .map(|error| format!("{label}: {}: {error}", error.instance_path()))
            .collect();
        let mut unknown = Vec::new();
        self.find_undeclared(value, &[schema], "", &mut unknown);
        problems.extend(
            unknown
                .iter()
                .map(|path| format!("{label}: {path} is not declared")),
        );
        problems
    }

    /// Compiles a schema with only those components that it reaches: the whole would take minutes.
    fn compile(&self, schema: &Value) -> Validator {
        let mut reached = BTreeMap::new();
        let mut open = vec![schema];
        while let Some(part) = open.pop() {
            match part {
                Value::Array(parts) => open.extend(parts),
                Value::Object(fields) => {
                    open.extend(fields.values());
                    if let Some(name) = reference(part)
                        && !reached.contains_key(name)
                    {
                        let target = self.component(name);
                        let _ = reached.insert(name.to_owned(), target.clone());
                        open.push(target);
                    }
                }
                _ => {}
            }
        }
        let document = json!({ "allOf": [schema], "components": { "schemas": reached } });
        jsonschema::draft7::new(&document).unwrap_or_else(|error| panic!("schema: {error}"))
    }

    fn component(&self, name: &str) -> &Value {
        &self.spec["components"]["schemas"][name]
    }

    /// The query parameters of an operation as one object schema.
    fn query_schema(&self, operation: &Value) -> Value {
        let (mut properties, mut required) = (Map::new(), BTreeSet::new());
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let shared = parameter["$ref"]
                .as_str()
                .and_then(|name| name.strip_prefix("#/components/parameters/"));
            let parameter = match shared {
                Some(name) => &self.spec["components"]["parameters"][name],
                None => parameter,
            };
            if parameter["in"] == "query"
                && let Some(name) = parameter["name"].as_str()
            {
                let _ = properties.insert(name.to_owned(), parameter["schema"].clone());
                if parameter["required"] == true {
                    let _ = required.insert(name);
                }
            }
        }
        json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
    }

    /// The operation for a path; a literal segment goes before a variable one.
    fn operation(&self, method: &str, path: &str) -> Option<(&str, &Value)> {
        let fits = |template: &str| {
            let (mut wanted, mut given) = (template.split('/'), path.split('/'));
            loop {
                match (wanted.next(), given.next()) {
                    (None, None) => return true,
                    (Some(wanted), Some(given))
                        if wanted == given || (wanted.starts_with('{') && !given.is_empty()) => {}
                    _ => return false,
                }
            }
        };
        let paths = self.spec["paths"].as_object()?.iter();
        let (template, item) = paths
            .filter(|(template, _)| fits(template))
            .min_by_key(|(template, _)| template.matches('{').count())?;
        Some((template, item.get(method.to_ascii_lowercase())?))
    }

    /// The schemas that may describe `value`: references followed, alternatives opened, and of
    /// several kinds of object the one that `value` says it is.
    fn alternatives<'a>(&'a self, schema: &'a Value, value: &Value, found: &mut Vec<&'a Value>) {
        if let Some(name) = reference(schema) {
            return self.alternatives(self.component(name), value, found);
        }
        for key in ["anyOf", "oneOf", "allOf"] {
            for part in schema[key].as_array().into_iter().flatten() {
                self.alternatives(part, value, found);
            }
        }
        let kinds = schema["properties"]["object"]["enum"].as_array();
        let other = kinds.is_some_and(|kinds| !kinds.contains(&value["object"]));
        if !other {
            found.push(schema);
        }
    }

    fn find_undeclared(
        &self,
        value: &Value,
        schemas: &[&Value],
        path: &str,
        found: &mut Vec<String>,
    ) {
        let mut alternatives = Vec::new();
        for schema in schemas {
            self.alternatives(schema, value, &mut alternatives);
        }
        if let Value::Array(rows) = value {
            let items: Vec<&Value> = alternatives.iter().filter_map(|s| s.get("items")).collect();
            for (at, row) in rows.iter().enumerate() {
                self.find_undeclared(row, &items, &format!("{path}/{at}"), found);
            }
        }
        let Value::Object(fields) = value else {
            return;
        };
        alternatives.retain(|schema| {
            schema["properties"].is_object() || schema["additionalProperties"].is_object()
        });
        let open = alternatives.is_empty()
            || alternatives
                .iter()
                .any(|schema| match &schema["additionalProperties"] {
                    Value::Bool(open) => *open,
                    other => other.is_object(),
                });
        for (name, field) in fields {
            let declared: Vec<&Value> = alternatives
                .iter()
                .filter_map(|s| s["properties"].get(name))
                .collect();
            if !declared.is_empty() {
                self.find_undeclared(field, &declared, &format!("{path}/{name}"), found);
            } else if !open {
                found.push(format!("{path}/{name}"));
            }
        }
    }

    /// Makes numbers, booleans and arrays of a form's texts where the schema has them.
    fn coerce(&self, value: Value, schema: &Value) -> Value {
        let mut alternatives = Vec::new();
        self.alternatives(schema, &value, &mut alternatives);
        let takes = |kind: &str| alternatives.iter().any(|schema| is_of_type(schema, kind));
        match value {
            Value::String(text) => match text.as_str() {
                "true" | "false" if takes("boolean") => json!(text == "true"),
                number if takes("integer") && number.parse::<i64>().is_ok() => {
                    json!(number.parse::<i64>().unwrap_or_default())
                }
                _ => Value::String(text),
            },
            Value::Object(fields)
                if takes("array") && fields.keys().all(|key| key.parse::<u32>().is_ok()) =>
            {
                let items = alternatives.iter().filter_map(|s| s.get("items")).cloned();
                let items = json!({ "anyOf": items.collect::<Vec<_>>() });
                let mut rows: Vec<(u32, Value)> = fields
                    .into_iter()
                    .map(|(key, row)| (key.parse().unwrap_or_default(), self.coerce(row, &items)))
                    .collect();
                rows.sort_by_key(|(key, _)| *key);
                rows.into_iter().map(|(_, row)| row).collect()
            }
            Value::Object(fields) => {
                let coerced = fields.into_iter().map(|(name, field)| {
                    let declared = alternatives
                        .iter()
                        .filter_map(|s| s["properties"].get(&name));
                    let declared = json!({ "anyOf": declared.cloned().collect::<Vec<_>>() });
                    let field = self.coerce(field, &declared);
                    (name, field)
                });
                Value::Object(coerced.collect())
            }
            other => other,
        }
    }
}

fn reference(schema: &Value) -> Option<&str> {
    schema
        .get("$ref")?
        .as_str()?
        .strip_prefix("#/components/schemas/")
}

fn is_of_type(schema: &Value, kind: &str) -> bool {
    match &schema["type"] {
        Value::String(one) => one == kind,
        Value::Array(several) => several.iter().any(|one| one == kind),
        _ => false,
    }
}

/// Turns OpenAPI 3.0 into JSON Schema: `nullable`, boolean `exclusiveMinimum`, no formats of its own.
fn normalize(schema: &mut Value) {
    match schema {
        Value::Array(parts) => parts.iter_mut().for_each(normalize),
        Value::Object(fields) => {
            fields.values_mut().for_each(normalize);
            for (exclusive, bound) in [
                ("exclusiveMinimum", "minimum"),
                ("exclusiveMaximum", "maximum"),
            ] {
                if fields.get(exclusive).is_some_and(Value::is_boolean) {
                    let is_exclusive = fields.remove(exclusive) == Some(Value::Bool(true));
                    if is_exclusive && let Some(limit) = fields.remove(bound) {
                        let _ = fields.insert(exclusive.to_owned(), limit);
                    }
                }
            }
            // A property may be called `format` or `nullable`; a keyword is no object.
            for keyword in ["discriminator", "format"] {
                if fields
                    .get(keyword)
                    .is_some_and(|value| value.is_string() || value.get("propertyName").is_some())
                {
                    let _ = fields.remove(keyword);
                }
            }
            if fields.get("nullable") == Some(&Value::Bool(true)) {
                let _ = fields.remove("nullable");
                let plain = Value::Object(std::mem::take(fields));
                // Kept open to `alternatives`, which follows `anyOf`.
                let _ = fields.insert("anyOf".to_owned(), json!([plain, { "type": "null" }]));
            }
        }
        _ => {}
    }
}
