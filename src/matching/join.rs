//! A hash join of text keys: radix-partitioned on a seeded 64-bit hash, the bytes always compared.
//!
//! A plain hash table misses the cache at each row once it is larger than the cache. Here the hashes
//! of both sides are first scattered into partitions small enough to stay in it, and each partition
//! is joined on its own, which is also what the threads share out. The text stays where it is.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread;

use super::table::{NONE, Span};

/// Rows of the build side in one partition, so that its table stays in the cache of a core.
const PARTITION_ROWS: usize = 2048;
/// More partitions than this make the scattering itself miss the cache.
const PARTITION_BITS_MAX: u32 = 11;

/// One side of a join: the keys of its rows, as pieces of a text.
pub(crate) struct Side<'a, F> {
    pub(crate) rows: usize,
    pub(crate) text: &'a [u8],
    /// The key of a row; `None` takes the row out of the join.
    pub(crate) key: F,
}

impl<F: Fn(usize) -> Option<Span>> Side<'_, F> {
    fn bytes(&self, row: usize) -> Option<&[u8]> {
        let span = (self.key)(row)?;
        let start = span.start as usize;
        self.text.get(start..start + usize::from(span.len))
    }
}

/// What a join found.
pub(crate) struct Joined {
    /// For each probe row the first build row of the same key, or [`NONE`].
    pub(crate) first: Vec<u32>,
    /// Build rows whose key an earlier build row has, with that row; in order.
    pub(crate) repeated: Vec<(u32, u32)>,
}

/// Joins `probe` to `build`. The result does not depend on the seed of the hash or on `threads`.
pub(crate) fn join<B, P, S>(
    build: &Side<'_, B>,
    probe: &Side<'_, P>,
    seed: &S,
    threads: usize,
) -> Joined
where
    B: Fn(usize) -> Option<Span> + Sync,
    P: Fn(usize) -> Option<Span> + Sync,
    S: BuildHasher + Sync,
{
    let [of_build] = hashes(seed, build.rows, threads, |row| [build.bytes(row)]);
    let [of_probe] = hashes(seed, probe.rows, threads, |row| [probe.bytes(row)]);
    let mut joined = join_by_hash(build, &of_build, &of_probe, threads);
    let mut misled: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (row, first) in joined.first.iter_mut().enumerate() {
        if *first != NONE && build.bytes(*first as usize) != probe.bytes(row) {
            *first = NONE;
            if let Some(key) = probe.bytes(row) {
                misled.entry(key).or_default().push(row);
            }
        }
    }
    if !misled.is_empty() {
        for at in 0..build.rows {
            let wanted = build.bytes(at).and_then(|key| misled.remove(key));
            for row in wanted.into_iter().flatten() {
                if let Some(first) = joined.first.get_mut(row) {
                    *first = at as u32;
                }
            }
        }
    }
    joined
}

/// As [`join`], but a probe row is led to a build row of the same hash: whoever follows it must
/// compare the keys. Build rows are repeated only if their keys are the same.
///
/// Comparing costs a cache miss or two for each pair, which is less for those who come by anyway.
pub(crate) fn join_by_hash<B>(
    build: &Side<'_, B>,
    of_build: &[u64],
    of_probe: &[u64],
    threads: usize,
) -> Joined
where
    B: Fn(usize) -> Option<Span> + Sync,
{
    let wanted = of_build.len().div_ceil(PARTITION_ROWS).next_power_of_two();
    let bits = wanted.trailing_zeros().min(PARTITION_BITS_MAX);
    let build_parts = scatter(of_build, bits, threads);
    let probe_parts = scatter(of_probe, bits, threads);
    let first: Vec<AtomicU32> = of_probe.iter().map(|_| AtomicU32::new(NONE)).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut repeated = Vec::new();
        let (mut keys, mut slots) = (Vec::new(), Vec::new());
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >> bits > 0 {
                return repeated;
            }
            let mut partition = Partition {
                keys: in_one_piece(segments(&build_parts, at), &mut keys),
                slots: std::mem::take(&mut slots),
            };
            partition.fill(build, &mut repeated);
            for key in segments(&probe_parts, at).flatten() {
                let found = partition.find(key.hash, |_| true);
                if let (Ok(found), Some(slot)) = (found, first.get(key.row as usize)) {
                    slot.store(found, Ordering::Relaxed);
                }
            }
            slots = partition.slots;
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

/// Stands for the hash of a row without key.
const NO_KEY: u64 = 0;

/// The hashes of one or more columns of keys, in one pass over the rows.
pub(crate) fn hashes<'t, const COLUMNS: usize, S: BuildHasher + Sync>(
    seed: &S,
    rows: usize,
    threads: usize,
    keys: impl Fn(usize) -> [Option<&'t [u8]>; COLUMNS] + Sync,
) -> [Vec<u64>; COLUMNS] {
    let hash = |key: &[u8]| {
        let mut hasher = seed.build_hasher();
        hasher.write(key);
        hasher.finish().max(NO_KEY + 1)
    };
    let parts = in_stretches(rows, threads, |stretch| {
        let mut columns = [const { Vec::new() }; COLUMNS];
        columns
            .iter_mut()
            .for_each(|hashes| hashes.reserve_exact(stretch.len()));
        for row in stretch {
            for (hashes, key) in columns.iter_mut().zip(keys(row)) {
                hashes.push(key.map_or(NO_KEY, hash));
            }
        }
        columns
    });
    let mut parts = parts.into_iter();
    let mut all = parts.next().unwrap_or([const { Vec::new() }; COLUMNS]);
    for part in parts {
        for (all, mut hashes) in all.iter_mut().zip(part) {
            all.append(&mut hashes);
        }
    }
    all
}

/// Runs `work` on one stretch of the rows for each thread, and returns what each gave, in order.
fn in_stretches<T: Send>(
    rows: usize,
    threads: usize,
    work: impl Fn(Range<usize>) -> T + Sync,
) -> Vec<T> {
    let stretch = rows.div_ceil(threads.max(1)).max(1);
    let next = AtomicUsize::new(0);
    let mut parts = in_threads(threads, &|| {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let rows = (at * stretch).min(rows)..((at + 1) * stretch).min(rows);
        (at, work(rows))
    });
    parts.sort_by_key(|(at, _)| *at);
    parts.into_iter().map(|(_, part)| part).collect()
}

/// A key on its way through the join.
#[derive(Debug, Clone, Copy, Default)]
struct Key {
    hash: u64,
    row: u32,
}

/// The keys of one stretch of rows, partition by partition.
struct Scattered {
    keys: Vec<Key>,
    starts: Vec<usize>,
}

/// The keys of one partition, from each stretch of rows.
fn segments(parts: &[Scattered], at: usize) -> impl Iterator<Item = &[Key]> {
    parts.iter().filter_map(move |part| {
        let start = *part.starts.get(at)?;
        let end = *part.starts.get(at + 1)?;
        part.keys.get(start..end)
    })
}

/// The keys of all segments side by side, copied only if there are several.
fn in_one_piece<'k>(
    mut segments: impl Iterator<Item = &'k [Key]>,
    room: &'k mut Vec<Key>,
) -> &'k [Key] {
    let first = segments.next().unwrap_or_default();
    let Some(second) = segments.next() else {
        return first;
    };
    room.clear();
    room.extend_from_slice(first);
    room.extend_from_slice(second);
    segments.for_each(|keys| room.extend_from_slice(keys));
    room
}

/// Scatters hashes into `1 << bits` partitions, one stretch of rows for each thread.
fn scatter(hashes: &[u64], bits: u32, threads: usize) -> Vec<Scattered> {
    let partition = |hash: u64| (hash >> 32 >> (32 - bits)) as usize;
    in_stretches(hashes.len(), threads, |rows| {
        let of_rows = hashes.get(rows.clone()).unwrap_or_default();
        let mut starts = vec![0_usize; (1 << bits) + 1];
        for hash in of_rows.iter().filter(|hash| **hash != NO_KEY) {
            if let Some(count) = starts.get_mut(partition(*hash) + 1) {
                *count += 1;
            }
        }
        let mut total = 0;
        for start in &mut starts {
            total += *start;
            *start = total;
        }
        let mut ends = starts.clone();
        let mut keys = vec![Key::default(); total];
        for (row, &hash) in rows.zip(of_rows).filter(|(_, hash)| **hash != NO_KEY) {
            if let Some(end) = ends.get_mut(partition(hash)) {
                if let Some(key) = keys.get_mut(*end) {
                    let row = row as u32;
                    *key = Key { hash, row };
                }
                *end += 1;
            }
        }
        Scattered { keys, starts }
    })
}

/// The hash table of one partition of the build side, open addressing with linear probing.
struct Partition<'k> {
    keys: &'k [Key],
    /// Places in `keys`, counted from 1; 0 is free.
    slots: Vec<u32>,
}

impl Partition<'_> {
    fn fill<F: Fn(usize) -> Option<Span>>(
        &mut self,
        build: &Side<'_, F>,
        repeated: &mut Vec<(u32, u32)>,
    ) {
        self.slots.clear();
        self.slots
            .resize((self.keys.len() * 2).next_power_of_two(), 0);
        for (place, key) in (1_u32..).zip(self.keys) {
            // Equal hashes are not equal keys, so that the bytes decide.
            let same = |row: u32| build.bytes(row as usize) == build.bytes(key.row as usize);
            match self.find(key.hash, same) {
                Ok(first) => repeated.push((key.row, first)),
                Err(free) => {
                    if let Some(slot) = self.slots.get_mut(free) {
                        *slot = place;
                    }
                }
            }
        }
    }

    /// The first row of this hash that is `wanted`, or the free slot where it would be.
    fn find(&self, hash: u64, wanted: impl Fn(u32) -> bool) -> Result<u32, usize> {
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = hash as usize & mask;
        loop {
            let place = match self.slots.get(at) {
                None | Some(0) => return Err(at),
                Some(&place) => place,
            };
            if let Some(other) = self.keys.get(place as usize - 1)
                && other.hash == hash
                && wanted(other.row)
            {
                return Ok(other.row);
            }
            at = (at + 1) & mask;
        }
    }
}

/// A hash under which all keys collide, with what stands for no key too.
#[cfg(test)]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OneHash;

#[cfg(test)]
impl BuildHasher for OneHash {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        *self
    }
}

#[cfg(test)]
impl Hasher for OneHash {
    fn finish(&self) -> u64 {
        NO_KEY
    }

    fn write(&mut self, _: &[u8]) {}
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
        let seed = foldhash::fast::RandomState::default();
        for threads in [1, 2, 5] {
            let joined = join(&build, &probe, &seed, threads);
            for (at, first) in joined.first.iter().enumerate() {
                let number = 29_999 - at as u32;
                assert_eq!(*first, if number < 15_000 { number } else { NONE });
            }
            let repeated: Vec<_> = (15_000..20_000).map(|row| (row, row - 15_000)).collect();
            assert_eq!(joined.repeated, repeated);
        }
    }

    #[test]
    fn hashes_are_scattered_over_all_partitions() {
        let hashes: Vec<u64> = (0..1 << 13).map(|n| (n << 51) + 1).collect();
        let scattered = scatter(&hashes, 4, 1);
        let starts = scattered[0].starts.windows(2);
        let sizes: Vec<usize> = starts.map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(sizes, [512; 16]);
    }

    #[test]
    fn keys_of_one_hash_are_told_apart_by_their_bytes() {
        let names: Vec<String> = (0..300).map(|n| format!("order-{}", n % 200)).collect();
        let (text, spans) = laid_out(&names);
        let wanted: Vec<String> = (0..250).map(|n| format!("order-{n}")).collect();
        let (probe_text, probe_spans) = laid_out(&wanted);
        let (build, probe) = (side(&text, &spans), side(&probe_text, &probe_spans));
        let joined = join(&build, &probe, &OneHash, 2);
        let expected: Vec<_> = (0..250).map(|n| if n < 200 { n } else { NONE }).collect();
        assert_eq!(joined.first, expected);
        let repeated: Vec<_> = (200..300).map(|row| (row, row - 200)).collect();
        assert_eq!(joined.repeated, repeated);
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
