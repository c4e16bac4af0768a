//! What all lists share: cursors, `limit`, `created`.

use serde_json::Value;

use super::errors::ApiError;
use super::form::Params;
use super::state::{Record, World, list_object};
use crate::clock::Timestamp;

/// Where a page of a list begins and how long it is.
#[derive(Debug, Default)]
pub(super) struct Page {
    limit: usize,
    after: Option<String>,
    before: Option<String>,
    created: Span,
}

impl Page {
    pub(super) fn take(params: &mut Params) -> Result<Self, ApiError> {
        let limit = limit(params)?;
        let after = params.filled("starting_after")?;
        let before = params.filled("ending_before")?;
        if after.is_some() && before.is_some() {
            let message = "You can only use one of starting_after and ending_before";
            return Err(ApiError::invalid_request(message));
        }
        let created = Span::take(params, "created")?;
        Ok(Self {
            limit,
            after,
            before,
            created,
        })
    }

    /// One page of the records that `keep` lets through, newest first.
    pub(super) fn of<T: Record>(
        self,
        world: &World,
        url: &str,
        keep: impl Fn(&T) -> bool,
    ) -> Result<Value, ApiError> {
        let kept = |record: &&T| keep(record) && self.created.holds(record.created());
        let table = T::table(world);
        let (mut rows, has_more): (Vec<&T>, bool);
        if let Some(cursor) = &self.before {
            check_cursor::<T>(world, cursor, "ending_before")?;
            let newer = table.oldest_first().skip_while(|row| row.id() != cursor);
            (rows, has_more) = cut(newer.skip(1).filter(kept), self.limit);
            rows.reverse();
        } else if let Some(cursor) = &self.after {
            check_cursor::<T>(world, cursor, "starting_after")?;
            let older = table.newest_first().skip_while(|row| row.id() != cursor);
            (rows, has_more) = cut(older.skip(1).filter(kept), self.limit);
        } else {
            (rows, has_more) = cut(table.newest_first().filter(kept), self.limit);
        }
        let data = rows.into_iter().map(|row| row.render(world)).collect();
        Ok(list_object(url, data, has_more))
    }
}

/// `limit`: 1 to 100, and 10 where it is not said.
pub(super) fn limit(params: &mut Params) -> Result<usize, ApiError> {
    let limit = params.integer("limit")?.unwrap_or(10);
    if !(1..=100).contains(&limit) {
        let message = "Invalid limit: must be between 1 and 100";
        let code = Some("parameter_invalid_integer");
        return Err(ApiError::invalid_param("limit", code, message));
    }
    Ok(usize::try_from(limit).unwrap_or(10))
}

fn cut<'row, T>(rows: impl Iterator<Item = &'row T>, limit: usize) -> (Vec<&'row T>, bool) {
    let mut page: Vec<&T> = rows.take(limit + 1).collect();
    let has_more = page.len() > limit;
    page.truncate(limit);
    (page, has_more)
}

fn check_cursor<T: Record>(world: &World, id: &str, param: &str) -> Result<(), ApiError> {
    match T::table(world).get(id) {
        Some(_) => Ok(()),
        None => Err(ApiError::missing(T::OBJECT, id, param)),
    }
}

/// A filter on an instant: `created=…` or `created[gte]=…`.
#[derive(Debug, Default)]
pub(super) struct Span {
    from: Option<i64>,
    until: Option<i64>,
}

impl Span {
    pub(super) fn take(params: &mut Params, name: &str) -> Result<Self, ApiError> {
        // A plain number is an exact instant; what is not a text is read as parts.
        if let Ok(Some(exact)) = params.clone().integer(name) {
            params.accept(&[name]);
            return Ok(Self {
                from: Some(exact),
                until: Some(exact),
            });
        }
        let Some(mut parts) = params.parts(name)? else {
            return Ok(Self::default());
        };
        let after = parts.integer("gt")?.map(|at| at.saturating_add(1));
        let before = parts.integer("lt")?.map(|at| at.saturating_sub(1));
        let span = Self {
            from: parts.integer("gte")?.max(after),
            until: match (parts.integer("lte")?, before) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            },
        };
        parts.finish()?;
        Ok(span)
    }

    pub(super) fn holds(&self, at: Timestamp) -> bool {
        let at = at.unix();
        self.from.is_none_or(|from| at >= from) && self.until.is_none_or(|until| at <= until)
    }
}
