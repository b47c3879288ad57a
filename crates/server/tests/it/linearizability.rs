//! Many clients at once on few accounts: what each was told must be explained by some order in which their calls
//! were carried out one after the other, each between its sending and its answer (linearizability, after Herlihy
//! and Wing). The bank that explains them is written again here, from the contract alone.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pactolus_protocol::{CancelPay, GetBalance, Pay, Present};
use pactolus_types::{Amount, Environment};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;

use crate::bank::{TestBank, caller, gift, sign};

const LIVE: Environment = Environment::Live;
const CLIENTS: usize = 6;
const CALLS: usize = 8;
const ROUNDS: usize = 25;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Asked {
    Present { bill: u8, coins: u64 },
    Pay { bill: u8, coins: u64 },
    Cancel { bill: u8 },
    Balance,
}

/// What a client was told, as far as the contract fixes it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Done { balance: Option<u64>, gifted_used: Option<u64> },
    Refused { errcode: i64, balance: Option<u64> },
    Sums { balance: u64, gifted: u64, received: u64, spent: u64 },
}

/// A call between its sending and its answer, in ticks of a common counter.
#[derive(Clone, Debug)]
struct Event {
    sent: u64,
    answered: u64,
    asked: Asked,
    told: Told,
}

/// An account by the contract.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Account {
    received: u64,
    spent: u64,
    gifted: u64,
    /// Per bill number: whether it is a pay, its coins, the gifted ones among them, whether it is cancelled.
    bills: BTreeMap<u8, (bool, u64, u64, bool)>,
}

impl Account {
    fn balance(&self) -> u64 {
        self.received - self.spent
    }

    fn carry_out(&mut self, asked: Asked) -> Told {
        match asked {
            Asked::Present { bill, coins } => self.once(bill, (false, coins), |account| {
                account.received += coins;
                account.gifted += coins;
                account.bills.insert(bill, (false, coins, coins, false));
                Told::Done { balance: Some(account.balance()), gifted_used: None }
            }),
            Asked::Pay { bill, coins } => self.once(bill, (true, coins), |account| {
                if account.balance() < coins {
                    return Told::Refused { errcode: 90013, balance: None };
                }
                let gifted = account.gifted.min(coins);
                account.spent += coins;
                account.gifted -= gifted;
                account.bills.insert(bill, (true, coins, gifted, false));
                Told::Done { balance: Some(account.balance()), gifted_used: Some(gifted) }
            }),
            Asked::Cancel { bill } => match self.bills.get_mut(&bill) {
                Some((true, _, _, true)) => Told::Refused { errcode: 90015, balance: None },
                Some((true, coins, gifted, cancelled)) => {
                    *cancelled = true;
                    self.spent -= *coins;
                    self.gifted += *gifted;
                    Told::Done { balance: None, gifted_used: None }
                }
                Some(_) | None => Told::Refused { errcode: 90000, balance: None },
            },
            Asked::Balance => Told::Sums {
                balance: self.balance(),
                gifted: self.gifted,
                received: self.received,
                spent: self.spent,
            },
        }
    }

    /// Carries an order out unless its bill number was used.
    fn once(&mut self, bill: u8, order: (bool, u64), apply: impl FnOnce(&mut Self) -> Told) -> Told {
        match self.bills.get(&bill) {
            Some((is_pay, coins, _, _)) if (*is_pay, *coins) == order => {
                Told::Refused { errcode: 90012, balance: Some(self.balance()) }
            }
            Some(_) => Told::Refused { errcode: 90012, balance: None },
            None => apply(self),
        }
    }
}

/// Whether some order of the calls explains what was told.
fn is_linearizable(events: &[Event]) -> bool {
    fn explain(events: &[Event], done: u64, account: &Account, tried: &mut HashSet<(u64, Account)>) -> bool {
        let open = || (0..events.len()).filter(|at| done & (1 << at) == 0);
        let Some(first_answer) = open().map(|at| events[at].answered).min() else { return true };
        if !tried.insert((done, account.clone())) {
            return false;
        }
        // Any call may be next that was sent before the first answer among those that are left.
        let mut candidates = open().filter(|at| events[*at].sent < first_answer);
        candidates.any(|at| {
            let mut after = account.clone();
            after.carry_out(events[at].asked) == events[at].told
                && explain(events, done | (1 << at), &after, tried)
        })
    }
    assert!(events.len() <= 64, "a call is a bit of a u64");
    explain(events, 0, &Account::default(), &mut HashSet::new())
}

fn any_call() -> impl Strategy<Value = Asked> {
    prop_oneof![
        3 => (0..6_u8, 1..20_u64).prop_map(|(bill, coins)| Asked::Present { bill, coins: coins % 3 + 1 }),
        3 => (4..10_u8, 1..4_u64).prop_map(|(bill, coins)| Asked::Pay { bill, coins }),
        2 => (4..10_u8).prop_map(|bill| Asked::Cancel { bill }),
        2 => Just(Asked::Balance),
    ]
}

/// Sends a call on the account of zone `zone`, with the bill numbers of this round.
async fn send(bank: &TestBank, zone: &str, asked: Asked) -> Told {
    let caller = pactolus_protocol::Caller { zone_id: zone.parse().unwrap(), ..caller() };
    let bill_no = |bill: u8| format!("{zone}-{bill}").parse().unwrap();
    let amount = |coins| Amount::new(coins).unwrap();
    let reply = match asked {
        Asked::Present { bill, coins } => {
            let present = Present { caller, bill_no: bill_no(bill), ..gift("unused", coins) };
            bank.call::<Present>(LIVE, sign(&present, LIVE)).await
        }
        Asked::Pay { bill, coins } => {
            let pay =
                Pay { caller, amt: amount(coins), bill_no: bill_no(bill), pay_item: None, app_remark: None };
            bank.call::<Pay>(LIVE, sign(&pay, LIVE)).await
        }
        Asked::Cancel { bill } => {
            let cancel = CancelPay { caller, bill_no: bill_no(bill), pay_item: None };
            bank.call::<CancelPay>(LIVE, sign(&cancel, LIVE)).await
        }
        Asked::Balance => bank.call::<GetBalance>(LIVE, sign(&GetBalance { caller }, LIVE)).await,
    };
    told(&reply)
}

fn told(reply: &Value) -> Told {
    let coins = |name: &str| reply[name].as_u64();
    match reply["errcode"].as_i64().unwrap() {
        0 if reply.get("save_sum").is_some() => {
            let sum = |name| coins(name).unwrap();
            let (balance, gifted) = (sum("balance"), sum("gen_balance"));
            // The identities of the contract, in every single reply.
            assert_eq!(balance, sum("save_sum") - sum("cost_sum"), "{reply}");
            assert_eq!(sum("save_sum"), sum("save_amt") + sum("present_sum"), "{reply}");
            assert!(gifted <= balance, "{reply}");
            Told::Sums { balance, gifted, received: sum("save_sum"), spent: sum("cost_sum") }
        }
        0 => Told::Done { balance: coins("balance"), gifted_used: coins("used_gen_amt") },
        errcode => Told::Refused { errcode, balance: coins("balance") },
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_concurrent_clients_are_told_is_linearizable() {
    let bank = Arc::new(TestBank::start().await);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, b"pactolus linearizability - seed.");
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let plan = proptest::collection::vec(proptest::collection::vec(any_call(), CALLS), CLIENTS);
    for round in 0..ROUNDS {
        let ticks = Arc::new(AtomicU64::new(0));
        let zone = format!("zone{round}");
        let clients: Vec<_> = plan
            .new_tree(&mut runner)
            .unwrap()
            .current()
            .into_iter()
            .map(|calls| {
                let (bank, ticks, zone) = (Arc::clone(&bank), Arc::clone(&ticks), zone.clone());
                tokio::spawn(async move {
                    let mut events = Vec::new();
                    for asked in calls {
                        let sent = ticks.fetch_add(1, Ordering::SeqCst);
                        let told = send(&bank, &zone, asked).await;
                        let answered = ticks.fetch_add(1, Ordering::SeqCst);
                        events.push(Event { sent, answered, asked, told });
                    }
                    events
                })
            })
            .collect();
        let mut events = Vec::new();
        for client in clients {
            events.extend(client.await.unwrap());
        }
        assert!(is_linearizable(&events), "round {round}: {events:#?}");
    }
}

#[test]
fn the_checker_finds_what_no_order_explains() {
    let event = |sent, answered, asked, told| Event { sent, answered, asked, told };
    let gift = Asked::Present { bill: 1, coins: 5 };
    let given = Told::Done { balance: Some(5), gifted_used: None };
    let sums = |balance| Told::Sums { balance, gifted: balance, received: balance, spent: 0 };
    // At once, either may come first; one after the other, only one way is right.
    assert!(is_linearizable(&[event(0, 3, gift, given.clone()), event(1, 2, Asked::Balance, sums(0))]));
    assert!(is_linearizable(&[event(0, 3, gift, given.clone()), event(1, 2, Asked::Balance, sums(5))]));
    assert!(!is_linearizable(&[event(0, 1, gift, given.clone()), event(2, 3, Asked::Balance, sums(0))]));
    // Given twice, and coins that nobody gave.
    assert!(!is_linearizable(&[event(0, 1, gift, given.clone()), event(2, 3, gift, given.clone())]));
    assert!(!is_linearizable(&[event(0, 3, gift, given), event(1, 2, Asked::Balance, sums(6))]));
}
