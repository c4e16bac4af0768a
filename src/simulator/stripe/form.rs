//! Form bodies and query strings, decoded as Stripe does: `a[b][]=1`, `a[0]=1`, brackets escaped
//! or not.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use super::errors::ApiError;

const DEPTH_MAX: usize = 8;

/// One decoded parameter: a text, or named or numbered parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field {
    Text(String),
    Parts(BTreeMap<String, Field>),
}

/// The parameters of a request, taken out one by one by the endpoint that knows them.
///
/// What is left at [`Params::finish`] is unknown, and refused as Stripe refuses it.
#[derive(Debug, Clone, Default)]
pub(super) struct Params {
    within: Option<String>,
    fields: BTreeMap<String, Field>,
}

impl Params {
    /// Decodes a form or a query string.
    pub(super) fn decode(form: &str) -> Result<Self, ApiError> {
        let mut params = Self::default();
        for pair in form.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (unescape(name)?, unescape(value)?);
            let path = split_brackets(&name)?;
            insert(&mut params.fields, &path, value, &name)?;
        }
        Ok(params)
    }

    /// The decoded pairs in a fixed order, to compare two requests by.
    pub(super) fn fingerprint(&self) -> String {
        format!("{:?}", self.fields)
    }

    /// A text; an empty one is given as it is, since it clears a value.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        match self.fields.remove(name) {
            None => Ok(None),
            Some(Field::Text(text)) => Ok(Some(text)),
            Some(Field::Parts(_)) => Err(ApiError::invalid_param(
                &self.full(name),
                None,
                "Invalid string: {...} must be a string",
            )),
        }
    }

    /// A text that must be there and not be empty.
    pub(super) fn required(&mut self, name: &str) -> Result<String, ApiError> {
        match self.text(name)? {
            None => Err(ApiError::missing_param(&self.full(name))),
            Some(text) if text.is_empty() => Err(ApiError::empty_param(&self.full(name))),
            Some(text) => Ok(text),
        }
    }

    /// A text that, if it is there, is not empty.
    pub(super) fn filled(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        match self.text(name)? {
            Some(text) if text.is_empty() => Err(ApiError::empty_param(&self.full(name))),
            other => Ok(other),
        }
    }

    /// A text of at most `max` characters.
    pub(super) fn bounded(&mut self, name: &str, max: usize) -> Result<Option<String>, ApiError> {
        let text = self.text(name)?;
        match &text {
            Some(long) if long.chars().count() > max => Err(ApiError::invalid_param(
                &self.full(name),
                Some("parameter_invalid_string_length"),
                &format!("Invalid string: must be at most {max} characters"),
            )),
            _ => Ok(text),
        }
    }

    /// An address of the web.
    pub(super) fn url(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        let url = self.filled(name)?;
        let is_web = |url: &String| {
            let rest = url.strip_prefix("https://").or(url.strip_prefix("http://"));
            rest.is_some_and(|rest| {
                !rest.is_empty() && !rest.contains(|c: char| c.is_whitespace() || c.is_control())
            })
        };
        match url {
            Some(url) if !is_web(&url) => {
                let message = "Not a valid URL";
                Err(ApiError::invalid_param(
                    &self.full(name),
                    Some("url_invalid"),
                    message,
                ))
            }
            other => Ok(other),
        }
    }

    /// A whole number.
    pub(super) fn integer(&mut self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.filled(name)? else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| {
            ApiError::invalid_param(
                &self.full(name),
                Some("parameter_invalid_integer"),
                &format!("Invalid integer: {text}"),
            )
        })
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.filled(name)?.as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(ApiError::invalid_param(
                &self.full(name),
                None,
                &format!("Invalid boolean: {other}"),
            )),
        }
    }

    /// One of a closed set of words.
    pub(super) fn one_of(
        &mut self,
        name: &str,
        words: &[&'static str],
    ) -> Result<Option<&'static str>, ApiError> {
        let Some(text) = self.filled(name)? else {
            return Ok(None);
        };
        match words.iter().find(|word| **word == text) {
            Some(word) => Ok(Some(word)),
            None => {
                let (full, words) = (self.full(name), words.join(", "));
                let message = format!("Invalid {full}: must be one of {words}");
                Err(ApiError::invalid_param(&full, None, &message))
            }
        }
    }

    /// Named parts: `shipping[name]=…`.
    pub(super) fn parts(&mut self, name: &str) -> Result<Option<Params>, ApiError> {
        let within = self.full(name);
        match self.fields.remove(name) {
            None => Ok(None),
            Some(Field::Parts(fields)) => Ok(Some(Params {
                within: Some(within),
                fields,
            })),
            Some(Field::Text(_)) => Err(ApiError::invalid_param(&within, None, "Invalid object")),
        }
    }

    /// Numbered parts that are themselves named: `line_items[0][quantity]=…`.
    pub(super) fn rows(&mut self, name: &str) -> Result<Vec<Params>, ApiError> {
        let within = self.full(name);
        let rows = self.numbered(name)?.into_iter();
        rows.map(|(index, field)| match field {
            Field::Parts(fields) => Ok(Params {
                within: Some(format!("{within}[{index}]")),
                fields,
            }),
            Field::Text(_) => Err(ApiError::invalid_param(&within, None, "Invalid object")),
        })
        .collect()
    }

    /// Numbered texts: `expand[]=…`.
    pub(super) fn texts(&mut self, name: &str) -> Result<Vec<String>, ApiError> {
        let within = self.full(name);
        let rows = self.numbered(name)?.into_iter();
        rows.map(|(_, field)| match field {
            Field::Text(text) => Ok(text),
            Field::Parts(_) => Err(ApiError::invalid_param(&within, None, "Invalid string")),
        })
        .collect()
    }

    /// What is to change in the metadata, by key; an empty text removes the key.
    pub(super) fn metadata(&mut self) -> Result<MetadataChange, ApiError> {
        let within = self.full("metadata");
        let fields = match self.fields.remove("metadata") {
            None => return Ok(MetadataChange::default()),
            Some(Field::Text(text)) if text.is_empty() => return Ok(MetadataChange::Clear),
            Some(Field::Text(_)) => {
                return Err(ApiError::invalid_param(&within, None, "Invalid object"));
            }
            Some(Field::Parts(fields)) => fields,
        };
        let mut change = BTreeMap::new();
        for (key, field) in fields {
            let Field::Text(value) = field else {
                let message = "Metadata values must be strings";
                return Err(ApiError::invalid_param(&within, None, message));
            };
            if key.chars().count() > 40 {
                let message = "Metadata keys must be at most 40 characters";
                return Err(ApiError::invalid_param(&within, None, message));
            }
            if value.chars().count() > 500 {
                let message = "Metadata values must be at most 500 characters";
                return Err(ApiError::invalid_param(&within, None, message));
            }
            let _ = change.insert(key, value);
        }
        if change.len() > 50 {
            let message = "Metadata can have at most 50 keys";
            return Err(ApiError::invalid_param(&within, None, message));
        }
        Ok(MetadataChange::Merge(change))
    }

    /// Takes parameters that Stripe knows and that change nothing here.
    pub(super) fn accept(&mut self, names: &[&str]) {
        for name in names {
            let _ = self.fields.remove(*name);
        }
    }

    /// Refuses what no one has taken.
    pub(super) fn finish(self) -> Result<(), ApiError> {
        match self.fields.keys().next() {
            None => Ok(()),
            Some(name) => Err(ApiError::unknown_param(&self.full(name))),
        }
    }

    /// The name as Stripe's errors write it: `payment_intent_data[metadata]`.
    pub(super) fn full(&self, name: &str) -> String {
        match &self.within {
            None => name.to_owned(),
            Some(within) => format!("{within}[{name}]"),
        }
    }

    fn numbered(&mut self, name: &str) -> Result<Vec<(u32, Field)>, ApiError> {
        let invalid = ApiError::invalid_param(&self.full(name), None, "Invalid array");
        let fields = match self.fields.remove(name) {
            None => return Ok(Vec::new()),
            Some(Field::Text(text)) if text.is_empty() => return Ok(Vec::new()),
            Some(Field::Text(_)) => return Err(invalid),
            Some(Field::Parts(fields)) => fields,
        };
        let mut rows = Vec::new();
        for (index, field) in fields {
            match index.parse() {
                Ok(index) => rows.push((index, field)),
                Err(_) => return Err(invalid),
            }
        }
        rows.sort_by_key(|(index, _)| *index);
        Ok(rows)
    }
}

/// A request's say about metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MetadataChange {
    Merge(BTreeMap<String, String>),
    Clear,
}

impl Default for MetadataChange {
    fn default() -> Self {
        Self::Merge(BTreeMap::new())
    }
}

impl MetadataChange {
    pub(super) fn apply(self, metadata: &mut BTreeMap<String, String>) {
        match self {
            Self::Clear => metadata.clear(),
            Self::Merge(change) => {
                for (key, value) in change {
                    if value.is_empty() {
                        let _ = metadata.remove(&key);
                    } else {
                        let _ = metadata.insert(key, value);
                    }
                }
            }
        }
    }

    /// The metadata of something new.
    pub(super) fn initial(self) -> BTreeMap<String, String> {
        let mut metadata = BTreeMap::new();
        self.apply(&mut metadata);
        metadata
    }
}

fn unescape(text: &str) -> Result<String, ApiError> {
    let spaced = text.replace('+', " ");
    match percent_decode_str(&spaced).decode_utf8() {
        Ok(decoded) => Ok(decoded.into_owned()),
        Err(_) => Err(ApiError::invalid_request("Invalid UTF-8 in the request")),
    }
}

fn split_brackets(name: &str) -> Result<Vec<&str>, ApiError> {
    let malformed = || ApiError::invalid_request("Invalid parameter name: brackets do not pair");
    let (first, mut rest) = match name.find('[') {
        Some(at) => name.split_at(at),
        None => (name, ""),
    };
    let mut path = vec![first];
    while !rest.is_empty() {
        let inner = rest.strip_prefix('[').ok_or_else(malformed)?;
        let (segment, after) = inner.split_once(']').ok_or_else(malformed)?;
        path.push(segment);
        rest = after;
        if path.len() > DEPTH_MAX {
            return Err(ApiError::invalid_request(
                "Parameters are nested too deeply",
            ));
        }
    }
    Ok(path)
}

fn insert(
    fields: &mut BTreeMap<String, Field>,
    path: &[&str],
    value: String,
    name: &str,
) -> Result<(), ApiError> {
    let Some((first, rest)) = path.split_first() else {
        return Ok(());
    };
    // `[]` appends: it takes the next free number.
    let key = if first.is_empty() {
        fields.len().to_string()
    } else {
        (*first).to_owned()
    };
    if rest.is_empty() {
        let _ = fields.insert(key, Field::Text(value));
        return Ok(());
    }
    let part = fields
        .entry(key)
        .or_insert_with(|| Field::Parts(BTreeMap::new()));
    match part {
        Field::Parts(parts) => insert(parts, rest, value, name),
        Field::Text(_) => Err(ApiError::invalid_request(&format!(
            "The parameter {name} is both a value and an object"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_numbers_and_escapes_are_decoded() {
        let form = "metadata[order]=A+1&expand[]=a&expand[]=b&items[1][q]=2&items%5B0%5D%5Bq%5D=1";
        let mut params = Params::decode(form).unwrap();
        let metadata = params.metadata().unwrap().initial();
        assert_eq!(metadata.get("order").map(String::as_str), Some("A 1"));
        assert_eq!(params.texts("expand").unwrap(), ["a", "b"]);
        let mut quantities = Vec::new();
        for mut row in params.rows("items").unwrap() {
            quantities.push(row.integer("q").unwrap().unwrap());
            row.finish().unwrap();
        }
        assert_eq!(quantities, [1, 2]);
        params.finish().unwrap();
    }

    #[test]
    fn what_no_one_takes_is_unknown() {
        let mut params = Params::decode("a[b]=1&a[c]=2").unwrap();
        let mut a = params.parts("a").unwrap().unwrap();
        assert_eq!(a.integer("b").unwrap(), Some(1));
        let error = a.finish().unwrap_err();
        assert_eq!(error.param(), Some("a[c]"));
    }

    #[test]
    fn hostile_forms_are_refused_and_never_panic() {
        for form in [
            "%ff=1",
            "a[b=1",
            "a]b[=1",
            "a[b]c=1",
            "a=1&a[b]=2",
            "a[1][2][3][4][5][6][7][8][9]=1",
        ] {
            assert!(Params::decode(form).is_err(), "{form}");
        }
        for form in ["", "&&", "=", "a", "a=%", "a=%zz", "[]=1", "a[]"] {
            let _ = Params::decode(form);
        }
        let mut params = Params::decode("n=1.5&b=yes&l=x&m=x").unwrap();
        assert!(params.integer("n").is_err());
        assert!(params.boolean("b").is_err());
        assert!(params.texts("l").is_err());
        assert!(params.parts("m").is_err());
    }
}
