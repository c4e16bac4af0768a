//! What is said to the simulator past its API: a line each way.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What the simulator is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Say {
    /// Time passes, in seconds.
    Advance(u64),
    /// The customer pays on the page of this payment with a card of this name.
    Pay { page: String, card: String },
    /// Requests and answers are lost from now on, and webhooks come twice, late and out of order.
    Storm,
    /// No more of that.
    Calm,
    /// The books are read.
    Books,
}

/// What really happened to one payment, in cents.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Booked {
    pub payment: String,
    /// The order and the attempt, as the provider has them.
    pub order: Option<String>,
    pub captured: i64,
    pub refunded: i64,
    /// How often a payer was charged for it.
    pub charges: u32,
    /// The refunds that reached the payer, by their commands; `None` where the provider tells only
    /// the sum.
    pub refunds: Option<Vec<(Option<String>, i64)>>,
}

/// A connection to the simulator.
#[derive(Debug)]
pub struct Control {
    reader: BufReader<TcpStream>,
}

impl Control {
    #[must_use]
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            reader: BufReader::new(stream),
        }
    }

    /// Says something, and waits for the answer.
    pub fn say<T: DeserializeOwned>(&mut self, what: &Say) -> T {
        let mut line = serde_json::to_string(what).unwrap();
        line.push('\n');
        let stream = self.reader.get_mut();
        stream.write_all(line.as_bytes()).unwrap();
        let mut answer = String::new();
        self.reader.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap()
    }
}
