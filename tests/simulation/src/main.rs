//! Runs shops by command, each from a seed of its own:
//!
//! ```sh
//! cargo run --release -p counterfoil-simulation -- --shops 10000 --threads 2
//! ```

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use counterfoil_simulation::{
    Defect, Findings, Share, Shop, Story, Tally, converge, flows, prove, run_in_memory, stories,
};

const USAGE: &str = "\
Runs shops on the memory store, and compares their books with the provider's.

  --seed NUMBER     the seed of the first shop; each next one has the next (1)
  --shops NUMBER    how many shops (100)
  --orders NUMBER   how many orders each (100)
  --nodes NUMBER    on how many nodes; without it shops have one and three in turn
  --threads NUMBER  how many shops at a time (1)
  --steps NUMBER    instead tries everything that can go wrong at each step of written flows, each
                    so-manieth pair of a step and a trouble; 1 for all
  --news NUMBER     instead delivers the webhooks of written stories in every order, each
                    so-manieth way; 1 for all
  --paypal yes      adds PayPal, which takes small orders
  --search no       leaves out the search for payments by their reference
  --defect NAME     plants a defect, such as NoKey, and stops once it is seen";

struct Arguments {
    seed: u64,
    shops: u64,
    orders: usize,
    nodes: Option<usize>,
    threads: u64,
    steps: Option<usize>,
    news: Option<usize>,
    has_paypal: bool,
    searches: bool,
    defect: Option<Defect>,
}

fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("{message}\n\n{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    let started = Instant::now();
    if let Some(every) = arguments.steps {
        prove(&flows(), Share { every });
        println!("{} s", started.elapsed().as_secs());
        return ExitCode::SUCCESS;
    }
    let next = AtomicU64::new(arguments.seed);
    if let Some(every) = arguments.news {
        let stories = stories();
        let tell = |story: &Story| converge(story, every);
        let told = thread::scope(|scope| {
            let threads: Vec<_> = stories
                .iter()
                .map(|story| scope.spawn(|| tell(story)))
                .collect();
            let ways = threads
                .into_iter()
                .map(|thread| thread.join().expect("they converge"));
            ways.sum::<usize>()
        });
        println!(
            "{told} ways to hear of it in all\n{} s",
            started.elapsed().as_secs()
        );
        return ExitCode::SUCCESS;
    }
    let (mut findings, mut tally) = (Findings::default(), Tally::default());
    thread::scope(|scope| {
        let work = || arguments.work(&next);
        let threads: Vec<_> = (0..arguments.threads).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            let (found, counted) = thread.join().expect("a shop does not panic");
            findings.add(found);
            tally.add(&counted);
        }
    });
    println!("{tally}\n{findings}\n{} s", started.elapsed().as_secs());
    println!("{}", findings.cases.join("\n"));
    ExitCode::from(u8::from(findings.count() > 0))
}

impl Arguments {
    fn read(mut given: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self {
            seed: 1,
            shops: 100,
            orders: 100,
            nodes: None,
            threads: 1,
            steps: None,
            news: None,
            has_paypal: false,
            searches: true,
            defect: None,
        };
        while let Some(name) = given.next() {
            let value = given.next().ok_or(format!("{name} needs a value"))?;
            let number = || -> Result<u64, String> {
                let number = value.parse();
                number.map_err(|_| format!("{name} needs a number, not {value}"))
            };
            let size = || -> Result<usize, String> {
                usize::try_from(number()?).map_err(|_| format!("{value} is too large"))
            };
            match name.as_str() {
                "--seed" => arguments.seed = number()?,
                "--shops" => arguments.shops = number()?,
                "--orders" => arguments.orders = size()?,
                "--nodes" => arguments.nodes = Some(size()?.max(1)),
                "--threads" => arguments.threads = number()?.max(1),
                "--steps" => arguments.steps = Some(size()?.max(1)),
                "--news" => arguments.news = Some(size()?.max(1)),
                "--paypal" => arguments.has_paypal = value == "yes",
                "--search" => arguments.searches = value != "no",
                "--defect" => {
                    let mut all = Defect::ALL.into_iter();
                    let named = all.find(|defect| format!("{defect:?}") == value);
                    let unknown = format!("there is no defect {value}: {:?}", Defect::ALL);
                    arguments.defect = Some(named.ok_or(unknown)?);
                }
                _ => return Err(format!("there is no option {name}")),
            }
        }
        Ok(arguments)
    }

    /// Runs one shop after the other until there are no more.
    fn work(&self, next: &AtomicU64) -> (Findings, Tally) {
        let (mut findings, mut tally) = (Findings::default(), Tally::default());
        let end = self.seed + self.shops;
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let is_seen = self.defect.is_some_and(|defect| defect.shows_in(&findings));
            if seed >= end || is_seen {
                return (findings, tally);
            }
            let nodes = self
                .nodes
                .unwrap_or(if seed.is_multiple_of(2) { 1 } else { 3 });
            let mut shop = Shop::new(seed, self.orders, nodes);
            (shop.defect, shop.searches) = (self.defect, self.searches);
            if self.has_paypal {
                shop = shop.with_paypal();
            }
            run_in_memory(&shop, &mut findings, &mut tally);
        }
    }
}
