//! The cashier on real databases: webhooks against bare inserts, and a sweep.
//!
//! ```sh
//! tests/stores/postgres.sh cargo run --release -p counterfoil-cashier-bench -- webhooks 1000 100000
//! cargo run --release -p counterfoil-cashier-bench -- sweep 1000 10000 100000
//! ```

mod database;
mod floor;
mod shop;
mod sweep;
mod webhooks;

use database::Database;

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_else(|| "webhooks".to_owned());
    let mut numbers: Vec<usize> = args.map(|text| text.parse().expect("a number")).collect();
    if numbers.is_empty() {
        numbers.push(1000);
    }
    match command.as_str() {
        "webhooks" => {
            for database in Database::all().await {
                webhooks::compare(&database, &numbers).await;
            }
        }
        "sweep" => {
            for attempts in numbers {
                sweep::run(attempts).await;
            }
        }
        other => panic!("`webhooks` or `sweep`, not `{other}`"),
    }
}
