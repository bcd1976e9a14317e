//! Accounts among which money is moved: operations `transfer`, which are not looked into, and `read`, which returns a map from
//! accounts to what they hold, as a list of pairs.
//!
//! As `jepsen.tests.bank`: every read has the same accounts, each with a number that is not negative unless that is allowed,
//! and the same total. Where the total is not given, it is that of the first read, and so are the accounts (as elle-cli
//! does it). Stricter: an account that is missing or there twice is a violation; Jepsen sees it only if it changes the total.

use std::collections::BTreeMap;

use super::{BankOptions, Report, Undecided, int, list, of, result, unfit};
use crate::history::{Operation, Value};

type Balances<'a> = BTreeMap<&'a Value, Option<i64>>;

pub(super) fn check(
    operations: &[Operation],
    options: BankOptions,
    report: &mut Report,
) -> Result<(), Undecided> {
    let mut reads: Vec<(&Operation, &Value, u64)> = of(operations, "read")
        .filter_map(|operation| {
            let (value, complete) = result(operation)?;
            Some((operation, value, complete))
        })
        .collect();
    reads.sort_by_key(|(.., complete)| *complete);
    report.count("reads", reads.len());
    let mut expected: Option<(Balances<'_>, i128)> = None;
    for (operation, value, _) in reads {
        let balances = balances(operation, value, report)?;
        let total = balances.values().flatten().map(|balance| i128::from(*balance)).sum();
        let (accounts, wanted) = expected
            .get_or_insert_with(|| (balances.clone(), options.total.map_or(total, i128::from)));
        judge(operation, &balances, options, report);
        judge_accounts(operation, &balances, accounts, report);
        if total != *wanted {
            report.violation("wrong-total", || {
                format!(
                    "the read at index {} comes to {total} in all; expected {wanted}",
                    operation.invoke
                )
            });
        }
    }
    if expected.is_none() {
        return Err("the accounts were never read, so there is nothing to judge them by".to_owned());
    }
    Ok(())
}

fn balances<'a>(
    operation: &Operation,
    value: &'a Value,
    report: &mut Report,
) -> Result<Balances<'a>, Undecided> {
    const MAP: &str = "a map from accounts to integers, or a list of such pairs";
    let mut balances = Balances::new();
    for pair in list(value).ok_or_else(|| unfit(operation, value, MAP))? {
        let Some([account, balance]) = list(pair) else {
            return Err(unfit(operation, pair, MAP));
        };
        let balance = match balance {
            Value::Nil => None,
            other => Some(int(other).ok_or_else(|| unfit(operation, pair, MAP))?),
        };
        if balances.insert(account, balance).is_some() {
            report.violation("duplicate", || {
                format!("the read at index {} has the account {account} twice", operation.invoke)
            });
        }
    }
    Ok(balances)
}

fn judge(
    operation: &Operation,
    balances: &Balances<'_>,
    options: BankOptions,
    report: &mut Report,
) {
    let at = operation.invoke;
    for (account, balance) in balances {
        match balance {
            None => report.violation("nil-balance", || {
                format!("the read at index {at} has nothing for the account {account}")
            }),
            Some(balance) if *balance < 0 && !options.may_be_negative => {
                report.violation("negative-value", || {
                    format!("the read at index {at} has {balance} for the account {account}")
                });
            }
            Some(_) => {}
        }
    }
}

fn judge_accounts(
    operation: &Operation,
    balances: &Balances<'_>,
    accounts: &Balances<'_>,
    report: &mut Report,
) {
    let at = operation.invoke;
    for account in balances.keys().filter(|account| !accounts.contains_key(*account)) {
        report.violation("unexpected-account", || {
            format!(
                "the read at index {at} has the account {account}, which there was not at first"
            )
        });
    }
    for account in accounts.keys().filter(|account| !balances.contains_key(*account)) {
        report.violation("missing-account", || {
            format!("the read at index {at} does not have the account {account}")
        });
    }
}
