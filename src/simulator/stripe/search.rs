//! Search over intents, which lags behind by a minute as Stripe's does.
//!
//! Source: docs.stripe.com/search. It is not for reading what was just written.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::errors::ApiError;
use super::intents::Intent;
use super::listing;
use super::router::Call;
use super::state::{Record, Task, World};

const LAG: Duration = Duration::from_secs(60);
const CLAUSES_MAX: usize = 10;

/// Intents as they were when they were last indexed, in the order in which they were made.
#[derive(Debug)]
pub(super) struct SearchIndex {
    intents: BTreeMap<(i64, String), Intent>,
    /// Whether the account has the search at all.
    pub(super) is_offered: bool,
}

impl Default for SearchIndex {
    fn default() -> Self {
        Self {
            intents: BTreeMap::new(),
            is_offered: true,
        }
    }
}

/// Plans to index an intent as it will be in a minute.
pub(super) fn plan(world: &mut World, id: &str) {
    world.plan(LAG, Task::IndexIntent(id.to_owned()));
}

pub(super) fn index(world: &mut World, id: &str) {
    if let Ok(intent) = world.find::<Intent>(id) {
        let key = (intent.created.unix(), intent.id.clone());
        let _ = world.search.intents.insert(key, intent);
    }
}

pub(super) fn search(world: &mut World, mut call: Call) -> Result<Value, ApiError> {
    if !world.search.is_offered {
        let message = "The search feature is temporarily unavailable in your region.";
        return Err(ApiError::invalid_request(message));
    }
    let query = call.params.required("query")?;
    let limit = listing::limit(&mut call.params)?;
    let page = call.params.filled("page")?;
    call.params.finish()?;
    let query = Query::parse(&query)?;
    let skip: usize = match page {
        None => 0,
        Some(page) => page.parse().map_err(|_| {
            ApiError::invalid_param("page", None, "Invalid page: not from an earlier answer")
        })?,
    };
    let found = world.search.intents.values().rev();
    let mut found = found.filter(|intent| query.fits(intent)).skip(skip);
    let data: Vec<Value> = found
        .by_ref()
        .take(limit)
        .filter_map(|indexed| world.intents.get(&indexed.id))
        .map(|intent| intent.render(world))
        .collect();
    let has_more = found.next().is_some();
    Ok(json!({
        "object": "search_result",
        "url": "/v1/payment_intents/search",
        "data": data,
        "has_more": has_more,
        "next_page": has_more.then(|| (skip + limit).to_string()),
    }))
}

/// Clauses joined by `AND` or by `OR`, never by both.
#[derive(Debug)]
struct Query {
    clauses: Vec<Clause>,
    any: bool,
}

#[derive(Debug)]
struct Clause {
    negated: bool,
    field: String,
    operator: Operator,
    value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Is,
    Contains,
    Above,
    AtLeast,
    Below,
    AtMost,
}

impl Query {
    fn parse(text: &str) -> Result<Self, ApiError> {
        let mut clauses = Vec::new();
        let mut any = None;
        let mut rest = text.trim();
        loop {
            let (clause, after) = Clause::parse(rest).ok_or_else(|| malformed(text))?;
            clauses.push(clause);
            rest = after.trim_start();
            if rest.is_empty() {
                break;
            }
            let (joins_any, after) = match (strip_word(rest, "AND"), strip_word(rest, "OR")) {
                (Some(after), _) => (false, after),
                (_, Some(after)) => (true, after),
                _ => return Err(malformed(text)),
            };
            if any.is_some_and(|any| any != joins_any) || clauses.len() >= CLAUSES_MAX {
                return Err(malformed(text));
            }
            any = Some(joins_any);
            rest = after.trim_start();
        }
        Ok(Self {
            clauses,
            any: any.unwrap_or(false),
        })
    }

    fn fits(&self, intent: &Intent) -> bool {
        let mut fits = self.clauses.iter().map(|clause| clause.fits(intent));
        if self.any {
            fits.any(|fits| fits)
        } else {
            fits.all(|fits| fits)
        }
    }
}

impl Clause {
    fn parse(text: &str) -> Option<(Self, &str)> {
        let (negated, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (field, rest) = if let Some(rest) = text.strip_prefix("metadata[") {
            let (key, rest) = quoted(rest)?;
            (format!("metadata.{key}"), rest.strip_prefix(']')?)
        } else {
            let end = text.find(|c: char| !(c.is_ascii_lowercase() || c == '_'))?;
            let (field, rest) = text.split_at(end);
            (field.to_owned(), rest)
        };
        let known = ["amount", "created", "currency", "customer", "status"];
        if !field.starts_with("metadata.") && !known.contains(&field.as_str()) {
            return None;
        }
        let operators = [
            (">=", Operator::AtLeast),
            ("<=", Operator::AtMost),
            (">", Operator::Above),
            ("<", Operator::Below),
            (":", Operator::Is),
            ("~", Operator::Contains),
        ];
        let (rest, operator) = operators
            .iter()
            .find_map(|(sign, operator)| Some((rest.strip_prefix(sign)?, *operator)))?;
        let (value, rest) = if rest.starts_with(['\'', '"']) {
            quoted(rest)?
        } else {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            let (value, rest) = rest.split_at(end);
            (value.to_owned(), rest)
        };
        let clause = Self {
            negated,
            field,
            operator,
            value,
        };
        Some((clause, rest))
    }

    fn fits(&self, intent: &Intent) -> bool {
        self.negated != self.holds(intent)
    }

    fn holds(&self, intent: &Intent) -> bool {
        let text = match self.field.as_str() {
            "amount" => return self.compares(intent.amount),
            "created" => return self.compares(intent.created.unix()),
            "currency" => Some(intent.currency.as_str()),
            "customer" => intent.customer.as_deref(),
            "status" => Some(intent.status.as_str()),
            other => {
                let key = other.strip_prefix("metadata.").unwrap_or(other);
                intent.metadata.get(key).map(String::as_str)
            }
        };
        match (text, self.operator) {
            (None, _) => self.value == "null",
            (Some(text), Operator::Is) => text == self.value,
            (Some(text), Operator::Contains) => text.contains(&self.value),
            (Some(_), _) => false,
        }
    }

    fn compares(&self, number: i64) -> bool {
        let Ok(value) = self.value.parse::<i64>() else {
            return false;
        };
        match self.operator {
            Operator::Is => number == value,
            Operator::Contains => false,
            Operator::Above => number > value,
            Operator::AtLeast => number >= value,
            Operator::Below => number < value,
            Operator::AtMost => number <= value,
        }
    }
}

/// A text in quotes of either kind, with `\` before what is meant literally.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut characters = text.char_indices();
    let (_, quote) = characters.next()?;
    if quote != '\'' && quote != '"' {
        return None;
    }
    let mut value = String::new();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => value.push(characters.next()?.1),
            end if end == quote => return Some((value, text.get(at + 1..)?)),
            other => value.push(other),
        }
    }
    None
}

fn strip_word<'text>(text: &'text str, word: &str) -> Option<&'text str> {
    let start = text.get(..word.len())?;
    let rest = text.get(word.len()..)?;
    (start.eq_ignore_ascii_case(word) && rest.starts_with(char::is_whitespace)).then_some(rest)
}

fn malformed(query: &str) -> ApiError {
    let message = format!("We were unable to parse your search query: `{query}`.");
    ApiError::invalid_param("query", None, &message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read_with_either_quote_and_escapes() {
        for text in [
            "metadata['order_id']:'A-1'",
            "metadata[\"order_id\"]:\"A\\\"1\" AND status:'succeeded'",
            "amount>100 OR amount<=5",
            "-currency:'usd' and created>=0",
            "metadata['a']:null",
        ] {
            assert!(Query::parse(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "metadata[",
            "metadata['a'",
            "metadata['a']:'",
            "amount",
            "amount:1 XOR amount:2",
            "amount:1 AND amount:2 OR amount:3",
            "colour:'red'",
            "é:'1'",
            "amount:1 A",
        ] {
            assert!(Query::parse(text).is_err(), "{text}");
        }
    }
}
