//! Disputes. A list does not name the payments in dispute, so each dispute is fetched.

use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::PayPal;
use super::convert::time_or;
use super::wire::{self, DisputeList};
use crate::clock::Timestamp;
use crate::dispute::Dispute;
use crate::error::Result;
use crate::mode::Mode;
use crate::request::{Cursor, Page, Period};

/// How far back PayPal lists disputes by their last change: 180 days, less one for clocks that
/// differ.
const LISTED: Duration = Duration::from_secs(179 * 24 * 60 * 60);
/// How many are fetched at a time.
const AT_A_TIME: usize = 8;

impl<M: Mode> PayPal<M> {
    pub(super) async fn disputes_page(
        &self,
        period: &Period,
        after: Option<&Cursor>,
    ) -> Result<Page<Dispute<M>>> {
        // What was opened in the period has changed since it began. An earlier beginning than
        // PayPal knows of is the same as none.
        let oldest = self.client.now().saturating_sub(LISTED);
        let from = period.from.filter(|from| *from > oldest);
        let token = after.map(|cursor| &*cursor.0);
        let answer = self.client.disputes(from, token).await?;
        let (ids, next) = self.client.read(&answer, |reader, list: DisputeList| {
            reader.check_mode(&list.links)?;
            let mut ids = Vec::new();
            for item in list.items {
                let opened_at = time_or(&item.create_time, reader.as_of())?;
                if is_within(opened_at, period) {
                    ids.push(item.dispute_id);
                }
            }
            Ok((ids, next_token(&list.links)))
        })?;
        let fetched = stream::iter(ids).map(|id| async move {
            let dispute = self.fetch_dispute(&id).await;
            (id, dispute)
        });
        let fetched: Vec<_> = fetched.buffered(AT_A_TIME).collect().await;
        Page::of_each(fetched, next)
    }

    async fn fetch_dispute(&self, id: &str) -> Result<Dispute<M>> {
        let answer = self.client.dispute(id).await?;
        self.client.read(&answer, |reader, dispute: wire::Dispute| {
            reader.dispute(&dispute)
        })
    }
}

fn is_within(at: Timestamp, period: &Period) -> bool {
    period.from.is_none_or(|from| from <= at) && period.to.is_none_or(|to| at <= to)
}

/// The token in the link to the next page.
fn next_token(links: &[wire::Link]) -> Option<Cursor> {
    let next = links.iter().find(|link| link.rel == "next")?;
    let (_, query) = next.href.split_once('?')?;
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let (_, token) = pairs.find(|(name, _)| name == "next_page_token")?;
    Some(Cursor(token.into()))
}
