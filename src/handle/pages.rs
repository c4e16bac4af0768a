//! A provider's list as one stream, read page by page.

use std::collections::HashSet;
use std::future::Future;

use futures_util::Stream;
use futures_util::stream::unfold;

use super::Provider;
use crate::capability::Operation;
use crate::error::{Error, ErrorKind, Result};
use crate::mode::Mode;
use crate::request::{Cursor, Page};

impl<M: Mode> Provider<M> {
    /// What could not be read comes behind what could be, page by page. An error that ends the list
    /// is the last thing in it.
    pub(super) fn pages<'p, T, F>(
        &'p self,
        operation: Operation,
        fetch: impl FnMut(Option<Cursor>) -> F + 'p,
    ) -> impl Stream<Item = Result<T>> + 'p
    where
        T: 'p,
        F: Future<Output = Result<Page<T>>> + 'p,
    {
        let start = Reading {
            entries: Vec::new().into_iter(),
            next: None,
            has_more: true,
            been: HashSet::new(),
            fetch,
        };
        unfold(Some(start), move |reading| async move {
            let mut reading = reading?;
            loop {
                if let Some(entry) = reading.entries.next() {
                    return Some((entry, Some(reading)));
                }
                if !reading.has_more {
                    return None;
                }
                let page = self.run(operation, (reading.fetch)(reading.next.take()));
                if let Err(error) = page.await.and_then(|page| reading.turn_to(page)) {
                    let error = error.in_operation(self.name(), operation);
                    return Some((Err(error), None));
                }
            }
        })
    }
}

/// How far a list was read.
struct Reading<T, F> {
    entries: std::vec::IntoIter<Result<T>>,
    next: Option<Cursor>,
    has_more: bool,
    been: HashSet<Cursor>,
    fetch: F,
}

impl<T, F> Reading<T, F> {
    fn turn_to(&mut self, page: Page<T>) -> Result<()> {
        if page.next.iter().any(|next| !self.been.insert(next.clone())) {
            let message = "a list says that it goes on, and goes on from where it was before";
            return Err(Error::new(ErrorKind::UnexpectedResponse, message));
        }
        let unreadable = page.unreadable.into_iter().map(Err);
        let entries: Vec<_> = page.items.into_iter().map(Ok).chain(unreadable).collect();
        self.entries = entries.into_iter();
        self.has_more = page.next.is_some();
        self.next = page.next;
        Ok(())
    }
}
