//! Request bodies: JSON objects, read field by field, so that one that Adyen does not know is found.

use serde_json::{Map, Value};

use super::amounts::Amount;
use super::errors::ApiError;
use crate::clock::Timestamp;

/// The fields of a request that were not read yet.
#[derive(Debug)]
pub(super) struct Body {
    structure: &'static str,
    fields: Map<String, Value>,
}

impl Body {
    /// `structure` is Adyen's name for the whole, which errors use.
    pub(super) fn parse(structure: &'static str, bytes: &[u8]) -> Result<Self, ApiError> {
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(fields)) => Ok(Self { structure, fields }),
            Ok(_) => Err(ApiError::malformed("Unexpected input: expected: {")),
            Err(_) => Err(ApiError::malformed("Unexpected input: it is not JSON")),
        }
    }

    /// What the request said, to be answered back.
    pub(super) fn echo(&self) -> Map<String, Value> {
        self.fields.clone()
    }

    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        match self.fields.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
            Some(_) => Err(wrong_type(name, "a string")),
        }
    }

    pub(super) fn boolean(&mut self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.fields.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(_) => Err(wrong_type(name, "a boolean")),
        }
    }

    pub(super) fn integer(&mut self, name: &str) -> Result<Option<i64>, ApiError> {
        match self.fields.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Number(number)) => match number.as_i64() {
                Some(value) => Ok(Some(value)),
                None => Err(wrong_type(name, "an integer")),
            },
            Some(_) => Err(wrong_type(name, "an integer")),
        }
    }

    pub(super) fn object(&mut self, name: &str) -> Result<Option<Map<String, Value>>, ApiError> {
        match self.fields.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(fields)),
            Some(_) => Err(wrong_type(name, "an object")),
        }
    }

    pub(super) fn texts(&mut self, name: &str) -> Result<Vec<String>, ApiError> {
        let rows = match self.fields.remove(name) {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Array(rows)) => rows,
            Some(_) => return Err(wrong_type(name, "an array")),
        };
        let text = |row: Value| row.as_str().map(str::to_owned);
        let texts = rows.into_iter().map(text).collect::<Option<Vec<_>>>();
        texts.ok_or_else(|| wrong_type(name, "an array of strings"))
    }

    /// An object of texts, such as `metadata` and `additionalData`.
    pub(super) fn pairs(&mut self, name: &str) -> Result<Vec<(String, String)>, ApiError> {
        let fields = self.object(name)?.unwrap_or_default();
        let pair = |(key, value): (String, Value)| Some((key, value.as_str()?.to_owned()));
        let pairs = fields.into_iter().map(pair).collect::<Option<Vec<_>>>();
        pairs.ok_or_else(|| wrong_type(name, "an object of strings"))
    }

    /// The amount, which most requests must have.
    pub(super) fn amount(&mut self) -> Result<Amount, ApiError> {
        let Some(mut amount) = self.object("amount")? else {
            return Err(ApiError::validation("100", "No amount specified"));
        };
        let value = amount.remove("value");
        let currency = amount.remove("currency");
        if let Some(unknown) = amount.keys().next() {
            return Err(ApiError::unknown_fields(
                "Amount",
                std::slice::from_ref(unknown),
            ));
        }
        let value = match value {
            Some(Value::Number(number)) => number.as_i64(),
            None => return Err(ApiError::validation("137", "Invalid amount specified")),
            Some(_) => None,
        };
        let value = value.ok_or_else(|| wrong_type("value", "an integer"))?;
        match currency {
            Some(Value::String(currency)) => Amount::new(value, &currency),
            None => Err(ApiError::validation(
                "138",
                "Unsupported currency specified",
            )),
            Some(_) => Err(wrong_type("currency", "a string")),
        }
    }

    /// Your reference, which payments must have: at most 80 characters.
    pub(super) fn reference(&mut self) -> Result<String, ApiError> {
        let reference = self.optional_reference()?;
        reference.ok_or_else(|| ApiError::validation("130", "Reference Missing"))
    }

    pub(super) fn optional_reference(&mut self) -> Result<Option<String>, ApiError> {
        let reference = self.text("reference")?;
        if reference
            .as_ref()
            .is_some_and(|text| text.chars().count() > 80)
        {
            let message = "Reference must be at most 80 characters";
            return Err(ApiError::validation("702", message));
        }
        Ok(reference)
    }

    /// An instant such as `2026-11-23T10:15:30+01:00`.
    pub(super) fn instant(&mut self, name: &str) -> Result<Option<Timestamp>, ApiError> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        match text.parse::<jiff::Timestamp>() {
            Ok(instant) => Ok(Some(Timestamp::from_unix(instant.as_second()))),
            Err(_) => Err(wrong_type(name, "a date and time")),
        }
    }

    /// Takes fields that change nothing here.
    pub(super) fn accept(&mut self, names: &[&str]) {
        for name in names {
            let _ = self.fields.remove(*name);
        }
    }

    /// Refuses what is left.
    pub(super) fn finish(self) -> Result<(), ApiError> {
        if self.fields.is_empty() {
            return Ok(());
        }
        let unknown: Vec<String> = self.fields.keys().cloned().collect();
        Err(ApiError::unknown_fields(self.structure, &unknown))
    }
}

fn wrong_type(name: &str, wanted: &str) -> ApiError {
    ApiError::malformed(&format!("Unexpected input: {name} must be {wanted}")).with_field(name, "")
}

/// An instant as Adyen writes it, in UTC.
pub(super) fn date(at: Timestamp) -> String {
    at.to_string().replace('Z', "+00:00")
}
