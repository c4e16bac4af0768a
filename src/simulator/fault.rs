//! Faults on demand: scripted for a certain request, or by odds drawn from the seed.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use http::{Method, Request};

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The connection drops before the request is read: nothing happened.
    DropBefore,
    /// The request takes effect, then the connection drops without an answer.
    DropAfter,
    /// A 500 from in front of the API: nothing happened and nothing is stored.
    ErrorBefore,
    /// A 500 from inside the API before it did anything: nothing happened, but the 500 is stored
    /// under the idempotency key and comes back for it.
    ErrorStored,
    /// The request takes effect, but a 500 is answered, and stored under the idempotency key.
    ErrorAfter,
    /// A 503 from in front of the API: nothing happened and nothing is stored.
    Unavailable,
    /// A 429: nothing happened.
    RateLimited,
    /// A 409, since another request is said to hold the key or the object: nothing happened.
    Locked,
    /// The request takes effect, but the body of the answer breaks off half-way.
    Truncated,
    /// The request takes effect, but the body of the answer is not what it should be.
    Garbage,
    /// The request takes effect, and its answer comes this much later.
    Slow(Duration),
}

/// A fault for the requests that it fits.
#[derive(Debug, Clone)]
pub struct FaultRule {
    fault: Fault,
    method: Option<Method>,
    path: Option<String>,
    skip: u32,
    times: u32,
}

impl FaultRule {
    /// A fault for the next request, whatever it is.
    #[must_use]
    pub fn next(fault: Fault) -> Self {
        Self {
            fault,
            method: None,
            path: None,
            skip: 0,
            times: 1,
        }
    }

    /// Only for requests with this method.
    #[must_use]
    pub fn with_method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    /// Only for requests whose path begins with `path`.
    #[must_use]
    pub fn with_path(mut self, path: &str) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    /// Lets this many fitting requests pass first. Default: 0.
    #[must_use]
    pub fn with_skip(mut self, requests: u32) -> Self {
        self.skip = requests;
        self
    }

    /// For this many fitting requests. Default: 1.
    #[must_use]
    pub fn with_times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    fn fits<B>(&self, request: &Request<B>) -> bool {
        let method = self.method.as_ref().is_none_or(|m| m == request.method());
        let path = self.path.as_ref();
        method && path.is_none_or(|path| request.uri().path().starts_with(path.as_str()))
    }
}

/// The faults that are to come: rules first, then odds.
pub struct FaultPlan {
    rules: Vec<FaultRule>,
    odds: Vec<(Fault, u16)>,
    rng: fastrand::Rng,
}

impl FaultPlan {
    /// No faults. `seed` decides what odds added later will bring.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            rules: Vec::new(),
            odds: Vec::new(),
            rng: fastrand::Rng::with_seed(seed),
        }
    }

    /// Adds a rule. Of several that fit a request, the oldest is used.
    pub fn script(&mut self, rule: FaultRule) {
        self.rules.push(rule);
    }

    /// Lets `fault` happen to `permille` of a thousand requests for which no rule has a fault.
    pub fn set_odds(&mut self, fault: Fault, permille: u16) {
        self.odds.retain(|(known, _)| *known != fault);
        if permille > 0 {
            self.odds.push((fault, permille));
        }
    }

    /// Forgets all rules and odds.
    pub fn clear(&mut self) {
        self.rules.clear();
        self.odds.clear();
    }

    pub(crate) fn draw<B>(&mut self, request: &Request<B>) -> Option<Fault> {
        let mut scripted = None;
        for rule in self.rules.iter_mut().filter(|rule| rule.fits(request)) {
            if rule.skip > 0 {
                rule.skip -= 1;
            } else if scripted.is_none() && rule.times > 0 {
                rule.times -= 1;
                scripted = Some(rule.fault);
            }
        }
        self.rules.retain(|rule| rule.times > 0);
        if scripted.is_some() || self.odds.is_empty() {
            return scripted;
        }
        let mut drawn = self.rng.u16(..1000);
        for (fault, permille) in &self.odds {
            if drawn < *permille {
                return Some(*fault);
            }
            drawn -= permille;
        }
        None
    }
}

impl fmt::Debug for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultPlan")
            .field("rules", &self.rules)
            .field("odds", &self.odds)
            .finish_non_exhaustive()
    }
}

/// What goes wrong with one webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebhookFault {
    /// Nothing goes wrong; lets a script pass a webhook.
    None,
    /// It is never sent.
    Drop,
    /// It is sent twice.
    Duplicate,
    /// It is sent this much later.
    Delay(Duration),
    /// It is sent after the one that follows it.
    Reorder,
}

/// How often webhooks go wrong, each in thousandths; and what is scripted for the next ones.
pub struct WebhookOdds {
    script: VecDeque<WebhookFault>,
    odds: Vec<(WebhookFault, u16)>,
    rng: fastrand::Rng,
}

impl WebhookOdds {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            script: VecDeque::new(),
            odds: Vec::new(),
            rng: fastrand::Rng::with_seed(seed),
        }
    }

    /// Decides about the next webhook that has none decided yet.
    pub fn script(&mut self, fault: WebhookFault) {
        self.script.push_back(fault);
    }

    /// Lets `fault` happen to `permille` of a thousand webhooks. A delay is drawn evenly from
    /// nothing up to the one given.
    pub fn set_odds(&mut self, fault: WebhookFault, permille: u16) {
        self.odds.retain(|(known, _)| *known != fault);
        if permille > 0 {
            self.odds.push((fault, permille));
        }
    }

    pub(crate) fn draw(&mut self) -> WebhookFault {
        if let Some(scripted) = self.script.pop_front() {
            return scripted;
        }
        if self.odds.is_empty() {
            return WebhookFault::None;
        }
        let mut drawn = self.rng.u16(..1000);
        for (fault, permille) in &self.odds {
            if drawn < *permille {
                return match fault {
                    WebhookFault::Delay(most) => {
                        let seconds = self.rng.u64(0..=most.as_secs());
                        WebhookFault::Delay(Duration::from_secs(seconds))
                    }
                    other => *other,
                };
            }
            drawn -= permille;
        }
        WebhookFault::None
    }
}

impl fmt::Debug for WebhookOdds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookOdds")
            .field("script", &self.script)
            .field("odds", &self.odds)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, path: &str) -> Request<()> {
        Request::builder()
            .method(method)
            .uri(path)
            .body(())
            .unwrap()
    }

    #[test]
    fn a_rule_waits_for_its_request_and_is_used_up() {
        let mut plan = FaultPlan::new(1);
        let rule = FaultRule::next(Fault::DropAfter)
            .with_method(Method::POST)
            .with_path("/v1/refunds")
            .with_skip(1)
            .with_times(2);
        plan.script(rule);
        let refund = request("POST", "/v1/refunds");
        assert_eq!(plan.draw(&request("GET", "/v1/refunds")), None);
        assert_eq!(plan.draw(&refund), None);
        assert_eq!(plan.draw(&refund), Some(Fault::DropAfter));
        assert_eq!(plan.draw(&refund), Some(Fault::DropAfter));
        assert_eq!(plan.draw(&refund), None);
    }

    #[test]
    fn odds_come_from_the_seed() {
        let run = |seed| {
            let mut plan = FaultPlan::new(seed);
            plan.set_odds(Fault::RateLimited, 300);
            plan.set_odds(Fault::DropBefore, 200);
            let draws = std::iter::repeat_with(|| plan.draw(&request("GET", "/")));
            draws.take(1000).collect::<Vec<_>>()
        };
        let drawn = run(7);
        assert_eq!(drawn, run(7));
        assert_ne!(drawn, run(8));
        let limited = drawn.iter().filter(|f| **f == Some(Fault::RateLimited));
        assert!((200..400).contains(&limited.count()));
    }
}
