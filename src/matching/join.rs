//! A hash join of text keys: radix-partitioned on a seeded 64-bit hash, the bytes always compared.
//!
//! A plain hash table misses the cache at each row once it is larger than the cache. Here both
//! sides are first scattered, with their text, into partitions small enough to stay in it, and each
//! partition is joined on its own, which is also what the threads share out.

use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread;

use super::table::{NONE, Span};

/// Rows of the build side in one partition, so that its table stays in the second-level cache.
const PARTITION_ROWS: usize = 4096;
/// More partitions than this make the scattering itself miss the cache.
const PARTITION_BITS_MAX: u32 = 11;

/// One side of a join: the keys of its rows, as pieces of a text.
pub(crate) struct Side<'a, F> {
    pub(crate) rows: usize,
    pub(crate) text: &'a [u8],
    /// The key of a row; `None` takes the row out of the join.
    pub(crate) key: F,
}

/// What a join found.
pub(crate) struct Joined {
    /// For each probe row the first build row of the same key, or [`NONE`].
    pub(crate) first: Vec<u32>,
    /// Build rows whose key an earlier build row has, with that row; in order.
    pub(crate) repeated: Vec<(u32, u32)>,
}

/// Joins `probe` to `build`. The result does not depend on the seed of the hash or on `threads`.
pub(crate) fn join<B, P>(build: &Side<'_, B>, probe: &Side<'_, P>, threads: usize) -> Joined
where
    B: Fn(usize) -> Option<Span> + Sync,
    P: Fn(usize) -> Option<Span> + Sync,
{
    // A seed of its own for each join: nobody can choose keys that collide.
    let seed = foldhash::fast::RandomState::default();
    let wanted = build.rows.div_ceil(PARTITION_ROWS).next_power_of_two();
    let bits = wanted.trailing_zeros().min(PARTITION_BITS_MAX);
    let build_parts = scatter(build, &seed, bits, threads);
    let probe_parts = scatter(probe, &seed, bits, threads);
    let first: Vec<AtomicU32> = (0..probe.rows).map(|_| AtomicU32::new(NONE)).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut repeated = Vec::new();
        let mut partition = Partition::default();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >> bits > 0 {
                return repeated;
            }
            partition.fill(segments(&build_parts, at), &mut repeated);
            let probes = segments(&probe_parts, at);
            for (text, key) in probes.flat_map(|(text, keys)| keys.iter().map(move |k| (text, k))) {
                let found = partition.find(key, bytes(text, key.span));
                if let (Some(found), Some(slot)) = (found, first.get(key.row as usize)) {
                    slot.store(found, Ordering::Relaxed);
                }
            }
        }
    };
    let mut repeated = in_threads(threads, &work).concat();
    repeated.sort_unstable();
    Joined {
        first: first.into_iter().map(AtomicU32::into_inner).collect(),
        repeated,
    }
}

/// Runs `work` in `threads` threads, this one among them, and returns what each gave.
pub(crate) fn in_threads<T: Send>(threads: usize, work: &(dyn Fn() -> T + Sync)) -> Vec<T> {
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut all = vec![work()];
        for other in others {
            match other.join() {
                Ok(value) => all.push(value),
                // A panic in a thread goes on here, as it would with one thread.
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    })
}

/// A key on its way through the join.
#[derive(Debug, Clone, Copy, Default)]
struct Key {
    hash: u32,
    row: u32,
    span: Span,
}

/// The keys of one stretch of rows, partition by partition.
struct Scattered {
    keys: Vec<Key>,
    /// The text of the keys, in the same order: joining them reads memory in a row.
    text: Vec<u8>,
    starts: Vec<usize>,
}

/// The keys of one partition, from each stretch of rows, with the text that they are pieces of.
fn segments(parts: &[Scattered], at: usize) -> impl Iterator<Item = (&[u8], &[Key])> {
    parts.iter().filter_map(move |part| {
        let start = *part.starts.get(at)?;
        let end = *part.starts.get(at + 1)?;
        Some((part.text.as_slice(), part.keys.get(start..end)?))
    })
}

/// Scatters a side into `1 << bits` partitions, one stretch of rows for each thread.
fn scatter<F>(
    side: &Side<'_, F>,
    seed: &foldhash::fast::RandomState,
    bits: u32,
    threads: usize,
) -> Vec<Scattered>
where
    F: Fn(usize) -> Option<Span> + Sync,
{
    let stretch = side.rows.div_ceil(threads.max(1)).max(1);
    let next = AtomicUsize::new(0);
    let work = || {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let rows = (at * stretch).min(side.rows)..((at + 1) * stretch).min(side.rows);
        (at, scatter_rows(side, seed, bits, rows))
    };
    let mut parts = in_threads(threads, &work);
    parts.sort_by_key(|(at, _)| *at);
    parts.into_iter().map(|(_, part)| part).collect()
}

fn scatter_rows<F>(
    side: &Side<'_, F>,
    seed: &foldhash::fast::RandomState,
    bits: u32,
    rows: std::ops::Range<usize>,
) -> Scattered
where
    F: Fn(usize) -> Option<Span>,
{
    let partition = |hash: u64| (hash >> 32 >> (32 - bits)) as usize;
    let mut starts = vec![0_usize; (1 << bits) + 1];
    let mut ends_of_text = vec![0_usize; (1 << bits) + 1];
    let mut hashes = Vec::with_capacity(rows.len());
    for row in rows.clone() {
        let span = (side.key)(row);
        let hash = span.map_or(0, |span| hash_of(seed, bytes(side.text, span)));
        hashes.push(hash);
        let at = partition(hash) + 1;
        if let (Some(span), Some(count), Some(length)) =
            (span, starts.get_mut(at), ends_of_text.get_mut(at))
        {
            *count += 1;
            *length += usize::from(span.len);
        }
    }
    let total = sum_up(&mut starts);
    let mut text = vec![0; sum_up(&mut ends_of_text)];
    let mut ends = starts.clone();
    let mut keys = vec![Key::default(); total];
    for (row, hash) in rows.zip(hashes) {
        let Some(span) = (side.key)(row) else {
            continue;
        };
        let at = partition(hash);
        if let (Some(end), Some(end_of_text)) = (ends.get_mut(at), ends_of_text.get_mut(at)) {
            let start = *end_of_text;
            *end_of_text += usize::from(span.len);
            if let Some(copy) = text.get_mut(start..*end_of_text) {
                copy.copy_from_slice(bytes(side.text, span));
            }
            if let Some(key) = keys.get_mut(*end) {
                let start = start as u32;
                *key = Key {
                    hash: hash as u32,
                    row: row as u32,
                    span: Span { start, ..span },
                };
            }
            *end += 1;
        }
    }
    Scattered { keys, text, starts }
}

/// Turns counts into starts, and returns what they come to.
fn sum_up(counts: &mut [usize]) -> usize {
    let mut total = 0;
    for count in counts {
        total += *count;
        *count = total;
    }
    total
}

/// The hash of a key.
fn hash_of(seed: &foldhash::fast::RandomState, key: &[u8]) -> u64 {
    let mut hasher = seed.build_hasher();
    hasher.write(key);
    hasher.finish()
}

fn bytes(text: &[u8], span: Span) -> &[u8] {
    let start = span.start as usize;
    let found = text.get(start..start + usize::from(span.len));
    found.unwrap_or_default()
}

/// The hash table of one partition of the build side, open addressing with linear probing.
#[derive(Default)]
struct Partition {
    keys: Vec<Key>,
    text: Vec<u8>,
    /// Places in `keys`, counted from 1; 0 is free.
    slots: Vec<u32>,
}

impl Partition {
    fn fill<'k>(
        &mut self,
        segments: impl Iterator<Item = (&'k [u8], &'k [Key])>,
        repeated: &mut Vec<(u32, u32)>,
    ) {
        self.keys.clear();
        self.text.clear();
        for (text, keys) in segments {
            let Some((first, last)) = keys.first().zip(keys.last()) else {
                continue;
            };
            let from = first.span.start as usize;
            let until = last.span.start as usize + usize::from(last.span.len);
            let moved = self.text.len();
            self.text
                .extend_from_slice(text.get(from..until).unwrap_or_default());
            self.keys.extend(keys.iter().map(|key| Key {
                span: Span {
                    start: (key.span.start as usize - from + moved) as u32,
                    ..key.span
                },
                ..*key
            }));
        }
        let size = (self.keys.len() * 2).next_power_of_two();
        self.slots.clear();
        self.slots.resize(size, 0);
        for (place, key) in (1_u32..).zip(&self.keys) {
            let free = match probe(
                &self.slots,
                &self.keys,
                &self.text,
                key.hash,
                bytes(&self.text, key.span),
            ) {
                Ok(first) => {
                    repeated.push((key.row, first));
                    continue;
                }
                Err(free) => free,
            };
            if let Some(slot) = self.slots.get_mut(free) {
                *slot = place;
            }
        }
    }

    fn find(&self, key: &Key, text: &[u8]) -> Option<u32> {
        probe(&self.slots, &self.keys, &self.text, key.hash, text).ok()
    }
}

/// The row with the same key, or the free slot where it would be.
fn probe(slots: &[u32], keys: &[Key], text: &[u8], hash: u32, wanted: &[u8]) -> Result<u32, usize> {
    let mask = slots.len().wrapping_sub(1);
    let mut at = hash as usize & mask;
    loop {
        let place = match slots.get(at) {
            None | Some(0) => return Err(at),
            Some(&place) => place,
        };
        // Equal hashes are not equal keys, so that the bytes decide.
        if let Some(other) = keys.get(place as usize - 1)
            && other.hash == hash
            && bytes(text, other.span) == wanted
        {
            return Ok(other.row);
        }
        at = (at + 1) & mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_first_of_each_key_with_any_number_of_threads() {
        let names: Vec<String> = (0..20_000)
            .map(|n| format!("order-{}", n % 15_000))
            .collect();
        let (text, spans) = laid_out(&names);
        let build = side(&text, &spans);
        let wanted: Vec<String> = (0..30_000).rev().map(|n| format!("order-{n}")).collect();
        let (probe_text, probe_spans) = laid_out(&wanted);
        let probe = side(&probe_text, &probe_spans);
        for threads in [1, 2, 5] {
            let joined = join(&build, &probe, threads);
            for (at, first) in joined.first.iter().enumerate() {
                let number = 29_999 - at as u32;
                assert_eq!(*first, if number < 15_000 { number } else { NONE });
            }
            let repeated: Vec<_> = (15_000..20_000).map(|row| (row, row - 15_000)).collect();
            assert_eq!(joined.repeated, repeated);
        }
    }

    fn laid_out(names: &[String]) -> (Vec<u8>, Vec<Span>) {
        let mut start = 0;
        let mut span = |name: &String| {
            let len = name.len() as u16;
            start += u32::from(len);
            let start = start - u32::from(len);
            Span { start, len }
        };
        let spans = names.iter().map(&mut span).collect();
        (names.concat().into_bytes(), spans)
    }

    fn side<'a>(text: &'a [u8], spans: &'a [Span]) -> Side<'a, impl Fn(usize) -> Option<Span>> {
        Side {
            rows: spans.len(),
            text,
            key: |row| Some(spans[row]),
        }
    }
}
