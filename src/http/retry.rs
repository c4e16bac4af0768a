//! Whether a request is sent again, and when: a pure function.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

use super::request::Safety;
use super::transport::Delivered;

/// How often and how long a request is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// How often it is sent at most, the first time included: 3.
    pub attempts_max: u32,
    /// The wait before the second attempt, before jitter takes up to half of it away: 500 ms. It
    /// doubles with each attempt.
    pub wait_first: Duration,
    /// The longest wait that is chosen here: 5 s. `Retry-After` can ask for more.
    pub wait_max: Duration,
    /// No attempt begins later than this after the first: 60 s.
    pub total_max: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts_max: 3,
            wait_first: Duration::from_millis(500),
            wait_max: Duration::from_secs(5),
            total_max: Duration::from_secs(60),
        }
    }
}

impl RetryPolicy {
    /// Sends each request once.
    #[must_use]
    pub fn never() -> Self {
        Self::default().with_attempts(1)
    }

    /// Sets how often a request is sent at most.
    #[must_use]
    pub const fn with_attempts(mut self, attempts_max: u32) -> Self {
        self.attempts_max = attempts_max;
        self
    }

    /// Sets the wait before the second attempt, and the longest.
    #[must_use]
    pub const fn with_waits(mut self, first: Duration, max: Duration) -> Self {
        self.wait_first = first;
        self.wait_max = max;
        self
    }

    /// Sets how long after the first attempt another may begin.
    #[must_use]
    pub const fn with_total(mut self, total_max: Duration) -> Self {
        self.total_max = total_max;
        self
    }

    /// The wait after this attempt: exponential, with up to half of it taken away by `jitter`.
    fn wait(&self, attempt: u32, jitter: u16) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        let full = self.wait_first.saturating_mul(1 << doublings);
        let half = full.min(self.wait_max) / 2;
        half + half / u32::from(u16::MAX) * u32::from(jitter)
    }
}

/// What a provider's own headers or body say about sending again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RetryHint {
    /// Send it again.
    Retry,
    /// Do not send it again.
    Stop,
    /// Nothing.
    None,
}

/// Reads a provider's hint from its answer.
pub type RetryAdviser = fn(&http::Response<Bytes>) -> RetryHint;

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// An answer.
    Answered {
        /// Its status.
        status: StatusCode,
        /// How long the provider asks to wait.
        after: Option<Duration>,
        /// What the provider says about sending again.
        hint: RetryHint,
    },
    /// No answer that could be read.
    NoAnswer(Delivered),
}

impl Outcome {
    /// Whether a write may have been processed though nothing says so. A 409 may mean that the
    /// same write is under way.
    pub(super) fn leaves_doubt(self) -> bool {
        match self {
            Self::NoAnswer(delivered) => delivered != Delivered::No,
            Self::Answered { status, .. } => {
                status.is_server_error() || status == StatusCode::CONFLICT
            }
        }
    }
}

/// What to do after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Give the outcome back.
    Return,
    /// Send it again after this wait.
    RetryAfter(Duration),
}

/// Decides whether a request is sent again after its `attempt`, counted from 1, which ended
/// `elapsed` after the first began. `jitter` is drawn evenly from all its values.
///
/// A write without a key is sent again only if it surely was not sent. If the provider asks for a
/// longer wait than the policy has left, the outcome is given back, with that wait in it.
#[must_use]
pub fn decide(
    policy: &RetryPolicy,
    attempt: u32,
    elapsed: Duration,
    safety: Safety,
    outcome: Outcome,
    jitter: u16,
) -> Decision {
    if attempt >= policy.attempts_max || !may_help(safety, outcome) {
        return Decision::Return;
    }
    let own = policy.wait(attempt, jitter);
    let wait = match outcome {
        Outcome::Answered { after, .. } => own.max(after.unwrap_or_default()),
        Outcome::NoAnswer(_) => own,
    };
    if elapsed.saturating_add(wait) > policy.total_max {
        return Decision::Return;
    }
    Decision::RetryAfter(wait)
}

/// Whether sending again is allowed and may give another outcome.
fn may_help(safety: Safety, outcome: Outcome) -> bool {
    match outcome {
        Outcome::NoAnswer(Delivered::No) => true,
        Outcome::NoAnswer(Delivered::Perhaps) => safety != Safety::UnkeyedWrite,
        Outcome::NoAnswer(Delivered::Answered) => false,
        Outcome::Answered { status, hint, .. } => {
            safety != Safety::UnkeyedWrite
                && match hint {
                    RetryHint::Retry => !status.is_success(),
                    RetryHint::Stop => false,
                    RetryHint::None => {
                        matches!(status.as_u16(), 408 | 409 | 429 | 500 | 502..=599)
                    }
                }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAFETIES: [Safety; 3] = [Safety::Read, Safety::KeyedWrite, Safety::UnkeyedWrite];
    const HINTS: [RetryHint; 3] = [RetryHint::Retry, RetryHint::Stop, RetryHint::None];

    fn answered(status: u16, hint: RetryHint) -> Outcome {
        Outcome::Answered {
            status: StatusCode::from_u16(status).unwrap(),
            after: None,
            hint,
        }
    }

    fn first(safety: Safety, outcome: Outcome) -> Decision {
        decide(
            &RetryPolicy::default(),
            1,
            Duration::ZERO,
            safety,
            outcome,
            0,
        )
    }

    /// Every status with every hint and safety, against the rule in words.
    #[test]
    fn answers_are_retried_by_the_table() {
        let retried = [408, 409, 429, 500].into_iter().chain(502..=599);
        let retried: std::collections::BTreeSet<u16> = retried.collect();
        for status in 100..=599 {
            for hint in HINTS {
                for safety in SAFETIES {
                    let by_status = match hint {
                        RetryHint::Retry => !(200..300).contains(&status),
                        RetryHint::Stop => false,
                        RetryHint::None => retried.contains(&status),
                    };
                    let expected = by_status && safety != Safety::UnkeyedWrite;
                    let decision = first(safety, answered(status, hint));
                    let was_retried = decision != Decision::Return;
                    assert_eq!(was_retried, expected, "{status} {hint:?} {safety:?}");
                }
            }
        }
    }

    #[test]
    fn without_an_answer_only_what_cannot_be_done_twice_is_held_back() {
        for (safety, delivered, expected) in [
            (Safety::Read, Delivered::No, true),
            (Safety::Read, Delivered::Perhaps, true),
            (Safety::Read, Delivered::Answered, false),
            (Safety::KeyedWrite, Delivered::No, true),
            (Safety::KeyedWrite, Delivered::Perhaps, true),
            (Safety::KeyedWrite, Delivered::Answered, false),
            (Safety::UnkeyedWrite, Delivered::No, true),
            (Safety::UnkeyedWrite, Delivered::Perhaps, false),
            (Safety::UnkeyedWrite, Delivered::Answered, false),
        ] {
            let decision = first(safety, Outcome::NoAnswer(delivered));
            let was_retried = decision != Decision::Return;
            assert_eq!(was_retried, expected, "{safety:?} {delivered:?}");
        }
    }

    #[test]
    fn waits_double_up_to_the_longest_and_lose_at_most_half() {
        let policy = RetryPolicy::default().with_attempts(u32::MAX);
        let lost = Outcome::NoAnswer(Delivered::Perhaps);
        let millis = [500, 1000, 2000, 4000, 5000, 5000];
        for (attempt, full) in (1..).zip(millis.map(Duration::from_millis)) {
            for jitter in 0..=u16::MAX {
                let decision = decide(&policy, attempt, Duration::ZERO, Safety::Read, lost, jitter);
                let Decision::RetryAfter(wait) = decision else {
                    panic!("attempt {attempt} with jitter {jitter} was not retried");
                };
                assert!(
                    full / 2 <= wait && wait <= full,
                    "{attempt} {jitter}: {wait:?}"
                );
            }
        }
        let last = decide(&policy, u32::MAX - 1, Duration::ZERO, Safety::Read, lost, 0);
        assert_eq!(last, Decision::RetryAfter(Duration::from_millis(2500)));
    }

    #[test]
    fn attempts_and_total_time_end() {
        let lost = Outcome::NoAnswer(Delivered::No);
        let policy = RetryPolicy::default();
        let after = |attempt, elapsed| {
            let elapsed = Duration::from_millis(elapsed);
            decide(&policy, attempt, elapsed, Safety::KeyedWrite, lost, 0)
        };
        assert_ne!(after(2, 0), Decision::Return);
        assert_eq!(after(3, 0), Decision::Return);
        assert_ne!(after(1, 59_750), Decision::Return);
        assert_eq!(after(1, 59_751), Decision::Return);
        let never = decide(
            &RetryPolicy::never(),
            1,
            Duration::ZERO,
            Safety::Read,
            lost,
            0,
        );
        assert_eq!(never, Decision::Return);
    }

    #[test]
    fn retry_after_is_waited_for_or_given_back() {
        let asked = |seconds| Outcome::Answered {
            status: StatusCode::TOO_MANY_REQUESTS,
            after: Some(Duration::from_secs(seconds)),
            hint: RetryHint::None,
        };
        let wait = |seconds| Decision::RetryAfter(Duration::from_secs(seconds));
        assert_eq!(first(Safety::Read, asked(20)), wait(20));
        assert_eq!(first(Safety::Read, asked(60)), wait(60));
        assert_eq!(first(Safety::Read, asked(61)), Decision::Return);
        assert_eq!(first(Safety::Read, asked(u64::MAX)), Decision::Return);
        let own = Decision::RetryAfter(Duration::from_millis(250));
        assert_eq!(first(Safety::Read, asked(0)), own);
    }

    #[test]
    fn a_policy_of_ones_own_is_waited_and_ended_by() {
        let seconds = Duration::from_secs;
        let policy = RetryPolicy::default()
            .with_waits(seconds(4), seconds(6))
            .with_total(seconds(10));
        let after = |attempt, elapsed| {
            let lost = Outcome::NoAnswer(Delivered::No);
            decide(&policy, attempt, seconds(elapsed), Safety::Read, lost, 0)
        };
        assert_eq!(after(1, 0), Decision::RetryAfter(seconds(2)));
        assert_eq!(after(2, 7), Decision::RetryAfter(seconds(3)));
        assert_eq!(after(2, 8), Decision::Return);
    }

    #[test]
    fn what_leaves_a_write_in_doubt() {
        assert!(Outcome::NoAnswer(Delivered::Perhaps).leaves_doubt());
        assert!(Outcome::NoAnswer(Delivered::Answered).leaves_doubt());
        assert!(!Outcome::NoAnswer(Delivered::No).leaves_doubt());
        assert!(answered(500, RetryHint::None).leaves_doubt());
        assert!(answered(409, RetryHint::None).leaves_doubt());
        assert!(!answered(429, RetryHint::None).leaves_doubt());
    }
}
