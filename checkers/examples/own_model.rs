//! A model of one's own: a shared account that may not be overdrawn, judged over a history of another program.
//!
//! `cargo run -p quorate-checkers --example own_model`. What a model must have is what the object is: its states, its
//! operations, and which state follows which. All else is to make a search quick.

#![expect(clippy::print_stdout, reason = "an example for people who read")]

use std::error::Error;

use quorate_checkers::foreign::{read, recorded};
use quorate_checkers::history::{Operation, Outcome, Value};
use quorate_checkers::linearizability::{Budget, check, orders};
use quorate_checkers::model::{Malformed, Model, NoLookahead, Span};
use quorate_checkers::verdict::Verdict;

/// An account that holds nothing at first.
struct Account;

/// What was done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Deed {
    /// So much was paid in.
    Deposit(i64),
    /// So much was there, and was taken.
    Withdraw(i64),
    /// It held this.
    Balance(i64),
}

impl Model for Account {
    /// What it holds.
    type State = i64;
    type Op = Deed;
    type Lookahead = NoLookahead;

    const NAME: &'static str = "account";
    const SUMMARY: &'static str =
        "an account: `deposit`, `withdraw` of no more than it holds, `balance`";
    const FUNCTIONS: &'static [&'static str] = &["deposit", "withdraw", "balance"];

    fn initial(&self) -> i64 {
        0
    }

    fn parse(&self, operation: &Operation) -> Result<Option<Deed>, Malformed> {
        match (operation.f.as_str(), &operation.input, &operation.outcome) {
            ("deposit", Value::Int(amount), _) => Ok(Some(Deed::Deposit(*amount))),
            ("withdraw", Value::Int(amount), _) => Ok(Some(Deed::Withdraw(*amount))),
            ("balance", _, Outcome::Ok(Value::Int(held))) => Ok(Some(Deed::Balance(*held))),
            // Nobody was told: it says nothing.
            ("balance", _, Outcome::Fail | Outcome::Info | Outcome::Pending) => Ok(None),
            (f, input, _) => {
                let problem = format!("`{f}` of {input} has no meaning for an account");
                Err(Malformed { index: operation.invoke, problem })
            }
        }
    }

    fn step(&self, held: &i64, deed: &Deed) -> Option<i64> {
        match deed {
            Deed::Deposit(amount) => Some(held + amount),
            Deed::Withdraw(amount) => (amount <= held).then(|| held - amount),
            Deed::Balance(seen) => (seen == held).then_some(*held),
        }
    }

    fn is_read_only(&self, deed: &Deed) -> bool {
        matches!(deed, Deed::Balance(_))
    }

    fn lookahead(&self, _: &[Deed], _: &[Span]) -> NoLookahead {
        NoLookahead
    }

    fn describe_state(&self, held: &i64) -> String {
        format!("{held} in the account")
    }
}

/// Two clients; the withdrawal is done while the second deposit is under way.
const HISTORY: &str = "
{:process 0, :type :invoke, :f :deposit,  :value 50}
{:process 0, :type :ok,     :f :deposit,  :value 50}
{:process 0, :type :invoke, :f :deposit,  :value 30}
{:process 1, :type :invoke, :f :withdraw, :value 70}
{:process 1, :type :ok,     :f :withdraw, :value 70}
{:process 0, :type :ok,     :f :deposit,  :value 30}
{:process 1, :type :invoke, :f :balance,  :value nil}
{:process 1, :type :ok,     :f :balance,  :value 10}
";

fn main() -> Result<(), Box<dyn Error>> {
    let (_, history) = read(HISTORY.as_bytes(), None)?;
    let mut operations = recorded(&history, false)?.operations;
    let judged = check(&Account, &operations, Budget::default());
    println!("{}", judged.verdict);
    assert_eq!(judged.verdict, Verdict::Valid);
    for key in orders(&Account, &operations, Budget::default()) {
        for step in key.order.into_iter().flatten() {
            println!("  {:12} then {}", step.text, step.holds);
        }
    }
    // Somebody sees more than there can be.
    if let Some(balance) = operations.last_mut() {
        balance.outcome = Outcome::Ok(Value::Int(20));
    }
    let judged = check(&Account, &operations, Budget::default());
    println!("{}: {}", judged.verdict, judged.sentences().join("; "));
    assert_eq!(judged.verdict, Verdict::Invalid);
    Ok(())
}
