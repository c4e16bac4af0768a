//! Reads the JSON of a request, field by field, with PayPal's errors for what is wrong.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::amounts::{self, Amount, Api};
use super::errors::ApiError;

/// An object of a request, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Fields<'body> {
    object: Option<&'body Map<String, Value>>,
    pointer: String,
    api: Api,
}

impl<'body> Fields<'body> {
    /// The body itself; none at all is an object without fields.
    pub(super) fn of_body(body: &'body Value, api: Api) -> Result<Self, ApiError> {
        match body {
            Value::Null => Ok(None),
            Value::Object(object) => Ok(Some(object)),
            _ => Err(ApiError::malformed_json()),
        }
        .map(|object| Self {
            object,
            pointer: String::new(),
            api,
        })
    }

    /// A field; `null` is as good as none.
    fn value(&self, name: &str) -> Option<&'body Value> {
        self.object?.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn pointer_to(&self, name: &str) -> String {
        format!("{}/{name}", self.pointer)
    }

    fn syntax(&self, name: &str) -> ApiError {
        ApiError::invalid("INVALID_PARAMETER_SYNTAX", &self.pointer_to(name))
    }

    pub(super) fn missing(&self, name: &str) -> ApiError {
        ApiError::invalid("MISSING_REQUIRED_PARAMETER", &self.pointer_to(name))
    }

    /// A text whose length is within `length`.
    pub(super) fn text(
        &self,
        name: &str,
        length: RangeInclusive<usize>,
    ) -> Result<Option<String>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) if length.contains(&text.chars().count()) => {
                Ok(Some(text.clone()))
            }
            Some(Value::String(_)) => {
                let pointer = self.pointer_to(name);
                Err(ApiError::invalid("INVALID_STRING_LENGTH", &pointer))
            }
            Some(_) => Err(self.syntax(name)),
        }
    }

    pub(super) fn needed_text(
        &self,
        name: &str,
        length: RangeInclusive<usize>,
    ) -> Result<String, ApiError> {
        self.text(name, length)?.ok_or_else(|| self.missing(name))
    }

    pub(super) fn boolean(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => match value.as_bool() {
                Some(value) => Ok(Some(value)),
                None => Err(self.syntax(name)),
            },
        }
    }

    /// One of the texts that the field can have.
    pub(super) fn one_of(
        &self,
        name: &str,
        known: &[&'static str],
    ) -> Result<Option<&'static str>, ApiError> {
        let Some(text) = self.text(name, 0..=255)? else {
            return Ok(None);
        };
        let found = known.iter().find(|known| **known == text);
        found.copied().map(Some).ok_or_else(|| {
            ApiError::invalid("INVALID_PARAMETER_VALUE", &self.pointer_to(name)).with_value(&text)
        })
    }

    pub(super) fn object(&self, name: &str) -> Result<Option<Fields<'body>>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(Fields {
                object: Some(object),
                pointer: self.pointer_to(name),
                api: self.api,
            })),
            Some(_) => Err(self.syntax(name)),
        }
    }

    /// An array of objects.
    pub(super) fn rows(&self, name: &str) -> Result<Option<Vec<Fields<'body>>>, ApiError> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        let rows = value.as_array().ok_or_else(|| self.syntax(name))?;
        let row = |(at, row): (usize, &'body Value)| match row {
            Value::Object(object) => Ok(Fields {
                object: Some(object),
                pointer: format!("{}/{at}", self.pointer_to(name)),
                api: self.api,
            }),
            _ => Err(self.syntax(name)),
        };
        rows.iter()
            .enumerate()
            .map(row)
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// An amount of money of any sign.
    pub(super) fn amount(&self, name: &str) -> Result<Option<Amount>, ApiError> {
        let Some(amount) = self.object(name)? else {
            return Ok(None);
        };
        amount.as_amount().map(Some)
    }

    /// This object as an amount of money.
    pub(super) fn as_amount(&self) -> Result<Amount, ApiError> {
        let code = self.needed_text("currency_code", 3..=3)?;
        let value = self.needed_text("value", 0..=usize::MAX)?;
        amounts::read(&code, &value, self.api, &self.pointer_to("value"))
    }

    /// An amount of money above zero.
    pub(super) fn positive_amount(&self, name: &str) -> Result<Option<Amount>, ApiError> {
        let amount = self.amount(name)?;
        match amount {
            Some(amount) if amount.units <= 0 => {
                let field = format!("{}/value", self.pointer_to(name));
                Err(ApiError::refused("CANNOT_BE_ZERO_OR_NEGATIVE").at(&field))
            }
            amount => Ok(amount),
        }
    }

    /// The field as it came, to be given back.
    pub(super) fn raw(&self, name: &str) -> Option<Value> {
        self.value(name).cloned()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }
}
