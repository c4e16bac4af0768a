//! The rehearsal over a provider's own test mode: what its test triggers reach without a browser.
//!
//! Everything that is judged comes from the provider's API or from the shop's own records. Faults
//! are played on this side of the wire ([`Line`]). What happens past the shop, such as a refund by
//! staff, is asked of the same API past the library.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a rig is a test: the suite tells of its panics"
)]

mod adyen;
mod line;
mod paypal;
mod stripe;

use std::fmt::Debug;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use counterfoil::clock::{Clock, SystemClock, Timestamp};
use counterfoil::conformance::{
    Booked, Fault, Happening, Rig, Shopper, SignedWith, Strikes, Unable, UnusualNotice,
};
use counterfoil::http::{Timer, TokioTimer, Transport};
use counterfoil::id::{Namespace, Reference};
use counterfoil::payment::Payment;
use counterfoil::registry::{Configuration, Registry, Settings};
use counterfoil::request::Checkout;
use counterfoil::webhook::WebhookRequest;
use counterfoil::{Error, ErrorKind, Live, ModeKind, Provider, Result, Test};

pub(crate) use adyen::AdyenTestMode;
pub(crate) use line::Line;
pub(crate) use paypal::PayPalTestMode;
pub(crate) use stripe::StripeTestMode;

/// The settings of a provider for test mode. Live credentials are refused by their prefix or, where
/// they have none, by the host that they are sent to.
///
/// # Errors
/// `Settings` for what is missing, malformed or of live mode, and where the mode is said to be live.
pub(crate) fn settings(
    configuration: &Configuration,
    registry: &Registry,
    provider: &str,
) -> Result<Settings> {
    if configuration.mode() == Some(ModeKind::Live) {
        let message = "the settings say live mode, and a rehearsal is for test mode";
        return Err(Error::new(ErrorKind::Settings, message));
    }
    // Made once as a host makes it, so that every fault is told by the name of its variable.
    let made = configuration.configure_one(registry, provider, ModeKind::Test)?;
    drop(made.into_test()?);
    let settings = configuration.settings(provider, ModeKind::Test);
    settings.ok_or_else(|| Error::new(ErrorKind::Settings, "there are no settings for test mode"))
}

/// A provider's test mode: how to open it, and what its test triggers can bring about.
pub(crate) trait TestMode: Debug {
    /// The address of its API.
    fn api_url(&self) -> &str;

    /// What the paths of requests that move money have in common.
    fn writes(&self) -> &'static str {
        "/"
    }

    /// A handle that speaks over `line`, with the account's own key or another.
    fn open(&self, with: Credentials, on: Wired, namespace: &Namespace) -> Result<Provider<Test>>;

    /// A live handle that never sends anything: its key is made up.
    fn live(&self, namespace: &Namespace) -> Provider<Live>;

    /// Every secret text that the handles were given.
    fn secrets(&self) -> Vec<String>;

    /// Why a scenario cannot be brought about by test triggers alone, with webhooks or without.
    fn out_of_reach(&self, scenario: &str, hears: bool) -> Option<&'static str>;

    /// A webhook as the provider signs it.
    fn sign(&self, body: &[u8], at: Timestamp, by: SignedWith) -> Played<WebhookRequest> {
        let _ = (body, at, by);
        Err(Unable)
    }

    /// The body of a genuine but unusual notice.
    fn unusual_notice(&self, notice: UnusualNotice<'_>, now: Timestamp) -> Played<Vec<u8>> {
        let _ = (notice, now);
        Err(Unable)
    }

    /// Whether it can be asked how a payment stands.
    fn can_be_asked(&self) -> bool {
        true
    }

    /// Whether payments begin with a token of the provider's test triggers.
    fn has_tokens(&self) -> bool;

    /// The token of a shopper.
    fn token(&self, shopper: Shopper) -> Played<Checkout>;

    /// Something happens at the provider.
    fn happen(&self, happening: Happening<'_>, wait: &Wait) -> Played;
}

/// What came of a part that the provider's test mode was to play.
pub(crate) type Played<T = ()> = std::result::Result<T, Unable>;

/// With which credentials a handle is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credentials {
    Right,
    WrongKey,
    NoWebhookSecret,
    /// With the secrets of webhooks that are trusted, in this order.
    Trusting(Vec<SignedWith>),
}

/// What a handle is wired to.
pub(crate) struct Wired {
    pub(crate) line: Arc<dyn Transport>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timer: Arc<dyn Timer>,
}

/// Waits for the provider, which has its own time.
pub(crate) type Wait = Arc<dyn Fn(Duration) + Send + Sync>;

/// Gives what has come to the shop's webhook endpoint.
pub(crate) type Letters = Arc<dyn Fn() -> Vec<WebhookRequest> + Send + Sync>;

/// The clock, the waiting and the name of a run.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timer: fn() -> Arc<dyn Timer>,
    pub(crate) wait: Wait,
    /// The webhooks that have come since this was last asked, if any reach this machine.
    pub(crate) letters: Option<Letters>,
    /// At most eight letters and digits that no other run on the account has.
    pub(crate) run: String,
}

impl Surroundings {
    /// This machine's, and a name by chance.
    pub(crate) fn real() -> Self {
        let chance = RandomState::new().build_hasher().finish();
        Self {
            clock: Arc::new(SystemClock),
            timer: || Arc::new(TokioTimer::new()),
            wait: Arc::new(std::thread::sleep),
            letters: None,
            run: format!("{:08x}", chance & 0xffff_ffff),
        }
    }
}

/// How many characters the name of a run has.
const RUN_LENGTH: usize = 8;

/// How often and how long a webhook is waited for that may be on its way.
const WAITS: [u64; 6] = [1, 2, 3, 4, 5, 15];

/// One scenario's shop on the one account: its orders have a namespace that no other has.
#[derive(Debug)]
pub(crate) struct TestModeRig<P> {
    psp: P,
    line: Arc<Line>,
    clock: Arc<dyn Clock>,
    shop_clock: Arc<Ahead>,
    timer: Arc<dyn Timer>,
    wait: Hidden<Wait>,
    letters: Hidden<Option<Letters>>,
    run: String,
}

impl<P: TestMode> TestModeRig<P> {
    /// A rig for one scenario. Make it inside of the runtime that plays it.
    pub(crate) fn new(psp: P, surroundings: &Surroundings) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        Self {
            line: Arc::new(Line::to(psp.api_url(), psp.writes())),
            psp,
            clock: Arc::clone(&surroundings.clock),
            shop_clock: Arc::new(Ahead {
                clock: Arc::clone(&surroundings.clock),
                seconds: AtomicU64::new(0),
            }),
            timer: (surroundings.timer)(),
            wait: Hidden(Arc::clone(&surroundings.wait)),
            letters: Hidden(surroundings.letters.clone()),
            run: format!("-{:0>RUN_LENGTH$}{number:x}", surroundings.run),
        }
    }

    fn open(&self, with: Credentials, installation: &Namespace) -> Result<Provider<Test>> {
        let on = Wired {
            line: Arc::clone(&self.line) as _,
            clock: Arc::clone(&self.clock),
            timer: Arc::clone(&self.timer),
        };
        let namespace = self.apart(installation);
        let provider = self.psp.open(with, on, &namespace)?;
        Ok(provider.with_clock(Arc::clone(&self.clock)))
    }

    /// Whether a webhook is about an order of another scenario of this run.
    fn is_of_another(&self, webhook: &WebhookRequest) -> bool {
        let body = String::from_utf8_lossy(webhook.body());
        let (ours, of_the_run) = (format!("{}:", self.run), &self.run[..=RUN_LENGTH]);
        body.contains(of_the_run) && !body.contains(&ours)
    }

    /// The installation's name with the run in it.
    fn apart(&self, installation: &Namespace) -> Namespace {
        let name = installation.as_str();
        if name.ends_with(&self.run) {
            return installation.clone();
        }
        Namespace::new(&format!("{name}{}", self.run)).unwrap()
    }
}

impl<P: TestMode> Rig for TestModeRig<P> {
    fn provider(&self, installation: &Namespace) -> Provider<Test> {
        self.open(Credentials::Right, installation).unwrap()
    }

    fn live_provider(&self, installation: &Namespace) -> Provider<Live> {
        let provider = self.psp.live(&self.apart(installation));
        provider.with_clock(Arc::clone(&self.clock))
    }

    fn provider_with_wrong_key(&self, installation: &Namespace) -> Provider<Test> {
        self.open(Credentials::WrongKey, installation).unwrap()
    }

    fn provider_trusting(
        &self,
        installation: &Namespace,
        secrets: &[SignedWith],
    ) -> Played<Provider<Test>> {
        let trusting = Credentials::Trusting(secrets.to_vec());
        self.open(trusting, installation).map_err(|_| Unable)
    }

    fn provider_without_secret(&self, installation: &Namespace) -> Played<Result<Provider<Test>>> {
        Ok(self.open(Credentials::NoWebhookSecret, installation))
    }

    fn secrets(&self) -> Vec<String> {
        self.psp.secrets()
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn requests(&self) -> usize {
        self.line.requests()
    }

    fn keeps_books(&self) -> bool {
        false
    }

    fn books(&self, _: &Reference) -> Vec<Booked> {
        Vec::new()
    }

    /// Where nothing can be asked either, what an answer alone decides is played all the same, and
    /// the rest is out of reach.
    fn delivers_webhooks(&self) -> bool {
        self.letters.0.is_some() || !self.psp.can_be_asked()
    }

    fn waits(&self, times: u32) -> bool {
        let seconds = WAITS.get(times as usize);
        if let (Some(seconds), Some(_)) = (seconds, &self.letters.0) {
            (self.wait.0)(Duration::from_secs(*seconds));
            return true;
        }
        false
    }

    fn shop_clock(&self) -> Option<Arc<dyn Clock>> {
        Some(Arc::clone(&self.shop_clock) as _)
    }

    fn out_of_reach(&self, scenario: &str) -> Option<&'static str> {
        self.psp.out_of_reach(scenario, self.letters.0.is_some())
    }

    /// Without a browser a shopper can leave, and nothing else.
    fn shopper(&self, _: &Payment<Test>, shopper: Shopper) -> Played {
        match shopper {
            Shopper::LeavesChallenge => Ok(()),
            _ => Err(Unable),
        }
    }

    fn prefers_tokens(&self) -> bool {
        self.psp.has_tokens()
    }

    fn token(&self, shopper: Shopper) -> Played<Checkout> {
        self.psp.token(shopper)
    }

    /// Time passes on this side alone: the provider has its own.
    fn happen(&self, happening: Happening<'_>) -> Played {
        if let Happening::TimePasses(time) = happening {
            self.shop_clock.advance(time);
        }
        self.psp.happen(happening, &self.wait.0)
    }

    fn fault(&self, fault: Fault, on: Strikes, requests: usize) -> Played {
        self.line.fault(fault, on, requests);
        Ok(())
    }

    fn webhooks(&self) -> Vec<WebhookRequest> {
        let mut letters = self.letters.0.as_ref().map_or_else(Vec::new, |all| all());
        letters.retain(|letter| !self.is_of_another(letter));
        letters
    }

    fn sign(&self, body: &[u8], at: Timestamp, by: SignedWith) -> Played<WebhookRequest> {
        self.psp.sign(body, at, by)
    }

    fn unusual_notice(&self, notice: UnusualNotice<'_>) -> Played<Vec<u8>> {
        self.psp.unusual_notice(notice, self.now())
    }
}

/// The shop's clock: ahead of the machine's by the time that has passed in the story.
#[derive(Debug)]
struct Ahead {
    clock: Arc<dyn Clock>,
    seconds: AtomicU64,
}

impl Ahead {
    fn advance(&self, by: Duration) {
        self.seconds.fetch_add(by.as_secs(), Ordering::SeqCst);
    }
}

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        let ahead = Duration::from_secs(self.seconds.load(Ordering::SeqCst));
        self.clock.now().saturating_add(ahead)
    }
}

/// Has no text.
struct Hidden<T>(T);

impl<T> Debug for Hidden<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("..")
    }
}

/// Reads a table of what cannot be reached: several scenarios, one reason.
pub(crate) fn reason(table: &[(&[u32], &'static str)], scenario: &str) -> Option<&'static str> {
    let number: u32 = scenario.strip_prefix('S')?.parse().ok()?;
    let row = table.iter().find(|(numbers, _)| numbers.contains(&number));
    row.map(|(_, because)| *because)
}
