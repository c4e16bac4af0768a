//! One run: a provider, a database, and hosts that are killed.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use counterfoil_kill::Defect;
use counterfoil_kill::control::{Booked, Control, Say};
use counterfoil_kill::host::{self, Config, FINISHED, READY};
use counterfoil_kill::simulator;

use crate::audit::{Findings, audit};
use crate::database::{Database, unique};
use crate::processes::Process;

const START: i64 = 1_795_000_000;
/// In which a host that lives does what it can do at once, in simulated seconds.
const SHORTLY: i64 = 1200;
/// A bound on hanging only: nothing is measured by it.
const HANGS_AFTER: Duration = Duration::from_secs(120);

/// What signs webhooks.
const SECRETS: [(&str, &str, &str); 3] = [
    ("stripe", "webhook_secret", "whsec_of_the_kills"),
    ("paypal", "webhook_id", "9MB01934KL556024R"),
    (
        "adyen",
        "hmac_key",
        "A1B2C3D4E5F60718293A4B5C6D7E8F90A1B2C3D4E5F60718293A4B5C6D7E8F90",
    ),
];

/// What a run is like, but for its provider and its database.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub seed: u64,
    pub kills: usize,
    pub defect: Option<Defect>,
    /// How long a request may be under way, in seconds on the simulated clock.
    pub longest_delay: i64,
    /// Whether only requests that change something are delayed.
    pub delays_only_writes: bool,
    /// How long a host lives at the most before it is killed, in milliseconds.
    pub longest_life: u64,
    /// Whether a host is started again with no time lost.
    pub is_up_at_once: bool,
    /// How much simulated time may pass until a host that lives has brought everything to its end.
    pub end_within: i64,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            seed: number("COUNTERFOIL_KILL_SEED").unwrap_or(1),
            kills: KILLS,
            defect: None,
            longest_delay: 240,
            delays_only_writes: false,
            longest_life: 150,
            is_up_at_once: false,
            // A webhook that has failed a few times is tried again after an hour.
            end_within: 6 * 3600,
        }
    }
}

/// How often a host is killed in one run. More kills are more runs, since in one the simulated time
/// would come to the end of what providers remember, and that is for a person to clear up.
const KILLS: usize = 10;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The seeds of as many runs as were asked for: one in the gate.
pub fn seeds() -> impl Iterator<Item = u64> {
    let first = number("COUNTERFOIL_KILL_SEED").unwrap_or(1);
    first..first + rounds()
}

fn rounds() -> u64 {
    let kills = number("COUNTERFOIL_KILLS").unwrap_or(KILLS as u64);
    kills.div_ceil(KILLS as u64)
}

pub struct Run {
    pub dice: fastrand::Rng,
    pub control: Control,
    pub host: Process,
    pub config: Config,
    pub database: Database,
    pub folder: PathBuf,
    shape: Shape,
    killed: usize,
    /// How many of the kills came before the host was done.
    struck: usize,
    /// What the host that lives now has said.
    is_ready: bool,
    has_finished: bool,
    test: String,
    /// Whether what lies in the folder tells why the run has failed.
    is_kept: bool,
    simulator: Process,
}

impl Drop for Run {
    fn drop(&mut self) {
        self.host.kill();
        if !self.is_kept && !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

impl Run {
    pub fn start(provider: &'static str, database: Database) -> Self {
        Self::start_as(provider, database, Shape::default())
    }

    pub fn start_as(provider: &'static str, database: Database, shape: Shape) -> Self {
        let Shape { seed, kills, .. } = shape;
        let folder = std::env::temp_dir().join(unique("run"));
        let record = folder.join("record");
        fs::create_dir_all(&record).unwrap();
        let clock = folder.join("clock");
        let log = folder.join("log");
        let (_, _, secret) = *SECRETS.iter().find(|(name, ..)| *name == provider).unwrap();
        let port = free_port();
        let simulator = simulator::Config {
            provider: provider.to_owned(),
            seed,
            start: START,
            clock: clock.clone(),
            webhook_url: format!("http://127.0.0.1:{port}/webhooks"),
            webhook_secret: secret.to_owned(),
            longest_delay: shape.longest_delay,
            delays_only_writes: shape.delays_only_writes,
        };
        let simulator = serde_json::to_string(&simulator).unwrap();
        let simulator = Process::start("simulator", &simulator, &log);
        let started = simulator.line_within(HANGS_AFTER).unwrap();
        let started: simulator::Started = serde_json::from_str(&started).unwrap();
        let mut settings = started.settings;
        settings.push(("namespace".into(), "kill".into()));
        if let Some(pem) = started.root {
            let file = folder.join("root.pem");
            fs::write(&file, pem).unwrap();
            let file = file.to_str().unwrap().to_owned();
            settings.push(("webhook_root_file".into(), file));
        }
        let config = Config {
            provider: provider.to_owned(),
            settings,
            database: database.url(&folder),
            clock,
            record,
            control: started.control,
            port: Some(port),
            seed,
            // Enough that there is always something under way.
            orders: kills * 2 + 4,
            defect: shape.defect,
        };
        let text = serde_json::to_string(&config).unwrap();
        let host = Process::start("host", &text, &log);
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        Self {
            dice: fastrand::Rng::with_seed(seed),
            control: Control::connect(started.control),
            host,
            config,
            database,
            folder,
            shape,
            killed: 0,
            struck: 0,
            is_ready: false,
            has_finished: false,
            test,
            is_kept: false,
            simulator,
        }
    }

    pub fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    pub fn text(&self) -> String {
        serde_json::to_string(&self.config).unwrap()
    }

    /// Kills the host as often as was asked for, each time at another moment.
    pub fn kill_at_random(&mut self) {
        for _ in 0..self.shape.kills {
            self.kill_once();
        }
        // Where it was always done already, nothing was tried.
        assert!(
            self.struck * 2 > self.killed,
            "too little happened: {} of {} kills struck: {}",
            self.struck,
            self.killed,
            self.again()
        );
    }

    /// Kills the host until its books show something, or it was killed as often as was asked for.
    pub fn kill_until(&mut self, shows: impl Fn(&Findings) -> bool) -> bool {
        for _ in 0..self.shape.kills {
            self.kill_once();
            if shows(&self.look()) {
                return true;
            }
        }
        false
    }

    /// What the books say now.
    fn look(&mut self) -> Findings {
        let books: Vec<Booked> = self.control.say(&Say::Books);
        let acts = host::acted(&self.config.record);
        audit(self.shape.seed, self.config.orders, &books, &acts)
    }

    /// Whether more was asked for than a gate has time for.
    pub fn is_by_hand() -> bool {
        rounds() > 1
    }

    /// Lets the host live for a moment, kills it, and starts it again.
    pub fn kill_once(&mut self) {
        let dies_early = self.dice.u8(0..5) == 0;
        let lives = match dies_early {
            true => self.dice.u64(0..25),
            false => {
                self.wait_for_ready();
                self.dice.u64(10..self.shape.longest_life)
            }
        };
        self.let_live(Duration::from_millis(lives));
        self.killed += 1;
        self.struck += usize::from(!self.has_finished);
        self.restart();
    }

    pub fn restart(&mut self) {
        self.host.kill();
        let down = [0, 0, 5, 90, 900][self.dice.usize(0..5)];
        if !self.shape.is_up_at_once {
            self.pass(down);
        }
        (self.is_ready, self.has_finished) = (false, false);
        self.host = Process::start("host", &self.text(), &self.log());
    }

    /// Time passes while no host is there to move it.
    pub fn pass(&mut self, seconds: u64) -> i64 {
        self.control.say(&Say::Advance(seconds))
    }

    /// Waits until the host has opened its database and listens. One that could not is started
    /// again, as a supervisor does.
    pub fn wait_for_ready(&mut self) {
        let begun = Instant::now();
        while !self.is_ready {
            assert!(
                begun.elapsed() < HANGS_AFTER,
                "no host was ready: {}",
                self.again()
            );
            self.let_live(Duration::from_millis(20));
            if !self.is_ready && self.host.has_ended() {
                self.restart();
            }
        }
    }

    /// Lets the host go on for a while, and hears what it says.
    pub fn let_live(&mut self, time: Duration) {
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let said = self.host.line_within(left);
            self.is_ready |= said.as_deref() == Some(READY);
            self.has_finished |= said.as_deref() == Some(FINISHED);
            if Instant::now() >= until {
                return;
            }
        }
    }

    /// Requests, answers and webhooks suffer until the end.
    pub fn storm(&mut self) {
        let () = self.control.say(&Say::Storm);
    }

    /// Lets the last host come to the end, and compares the books.
    pub fn finish(mut self) -> Findings {
        let () = self.control.say(&Say::Calm);
        let begun = self.pass(0);
        // Nothing is under way for longer than the simulated time allows, however slow this is.
        while !self.has_finished && self.pass(0) - begun < self.shape.end_within {
            if self.pass(0) - begun > SHORTLY {
                // What is left waits for the time to pass.
                self.pass(40);
            }
            if self.host.has_ended() {
                self.restart();
            }
            self.let_live(Duration::from_millis(50));
        }
        self.host.kill();
        let mut findings = self.look();
        findings.has_finished = self.has_finished;
        findings.again = self.again();
        let passed = self.pass(0) - START;
        println!(
            "{}: {} kills, {} orders, {} acts in {passed} simulated seconds",
            self.test,
            self.killed,
            self.config.orders,
            host::acted(&self.config.record).len(),
        );
        self.is_kept = !findings.is_none() && self.shape.defect.is_none();
        self.simulator.kill();
        findings
    }

    /// How to run it again.
    pub fn again(&self) -> String {
        format!(
            "COUNTERFOIL_KILL_SEED={} tests/stores/postgres.sh cargo test -p counterfoil-kill -- --exact {}; \
             what was left lies in {}",
            self.shape.seed,
            self.test,
            self.folder.display()
        )
    }
}

/// A port that nobody listens on now.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
