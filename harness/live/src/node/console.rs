//! A node's standard streams: orders in, notices out, and the log on standard error.

use std::fmt;
use std::io::{self, BufRead, Write};
use std::thread;

use tokio::sync::mpsc;

use super::runtime::Ask;
use crate::protocol::{Notice, Order};

/// Where a node's log lines go. One line each; few, and for people.
#[derive(Clone, Debug)]
pub(super) struct Log {
    name: String,
}

impl Log {
    /// The log of one node, on standard error.
    pub(super) fn of(node: u16) -> Self {
        Self { name: format!("n{node}") }
    }

    /// Writes one line.
    pub(super) fn say(&self, line: impl fmt::Display) {
        let now = jiff::Timestamp::now().strftime("%H:%M:%S%.3f");
        let line = format!("{now} {} {line}\n", self.name);
        // In one piece, since the nodes of a test may share a terminal. Nobody may be listening any more;
        // the node goes on all the same.
        let _ = io::stderr().write_all(line.as_bytes());
    }
}

/// Says something to the harness on standard output.
pub(super) fn tell(notice: &Notice) {
    let line = serde_json::to_string(notice).expect("a notice is plain data");
    let mut out = io::stdout().lock();
    // A harness that is gone hears nothing; the end of standard input will tell.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Reads orders from standard input on a thread of its own, until it ends.
pub(super) fn read_orders(asks: mpsc::Sender<Ask>, log: Log) -> io::Result<()> {
    let read = move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            let ask = match serde_json::from_str::<Order>(&line) {
                Ok(order) => Ask::Order(order),
                Err(error) => {
                    log.say(format_args!("an order that cannot be read: {error}"));
                    continue;
                }
            };
            if asks.blocking_send(ask).is_err() {
                return;
            }
        }
        // The loop may have ended first.
        let _ = asks.blocking_send(Ask::EndOfOrders);
    };
    thread::Builder::new().name("orders".to_owned()).spawn(read).map(drop)
}
