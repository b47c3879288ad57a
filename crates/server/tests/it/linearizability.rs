//! Linearizability (Herlihy and Wing) of concurrent calls on a few accounts: some sequential order of the calls, each
//! between its invocation and its response, must explain all responses. The model is written from the contract alone.

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
enum Invocation {
    Present { bill: u8, coins: u64 },
    Pay { bill: u8, coins: u64 },
    Cancel { bill: u8 },
    Balance,
}

/// A response, as far as the contract determines it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Response {
    Done { balance: Option<u64>, gifted_used: Option<u64> },
    Refused { errcode: i64, balance: Option<u64> },
    Balance { balance: u64, gifted: u64, received: u64, spent: u64 },
}

/// A call with the times of its invocation and response, in ticks of a shared counter.
#[derive(Clone, Debug)]
struct CompletedCall {
    invoked_at: u64,
    responded_at: u64,
    invocation: Invocation,
    response: Response,
}

/// Sequential model of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct ModelAccount {
    received: u64,
    spent: u64,
    gifted: u64,
    /// By bill number: whether it is a pay, its coins, its gifted coins, whether it is cancelled.
    bills: BTreeMap<u8, (bool, u64, u64, bool)>,
}

impl ModelAccount {
    fn balance(&self) -> u64 {
        self.received - self.spent
    }

    fn apply(&mut self, invocation: Invocation) -> Response {
        match invocation {
            Invocation::Present { bill, coins } => self.apply_once(bill, (false, coins), |account| {
                account.received += coins;
                account.gifted += coins;
                account.bills.insert(bill, (false, coins, coins, false));
                Response::Done { balance: Some(account.balance()), gifted_used: None }
            }),
            Invocation::Pay { bill, coins } => self.apply_once(bill, (true, coins), |account| {
                if account.balance() < coins {
                    return Response::Refused { errcode: 90013, balance: None };
                }
                let gifted = account.gifted.min(coins);
                account.spent += coins;
                account.gifted -= gifted;
                account.bills.insert(bill, (true, coins, gifted, false));
                Response::Done { balance: Some(account.balance()), gifted_used: Some(gifted) }
            }),
            Invocation::Cancel { bill } => match self.bills.get_mut(&bill) {
                Some((true, _, _, true)) => Response::Refused { errcode: 90015, balance: None },
                Some((true, coins, gifted, cancelled)) => {
                    *cancelled = true;
                    self.spent -= *coins;
                    self.gifted += *gifted;
                    Response::Done { balance: None, gifted_used: None }
                }
                Some(_) | None => Response::Refused { errcode: 90000, balance: None },
            },
            Invocation::Balance => Response::Balance {
                balance: self.balance(),
                gifted: self.gifted,
                received: self.received,
                spent: self.spent,
            },
        }
    }

    /// Applies an order unless its bill number is used.
    fn apply_once(
        &mut self,
        bill: u8,
        order: (bool, u64),
        apply: impl FnOnce(&mut Self) -> Response,
    ) -> Response {
        match self.bills.get(&bill) {
            Some((is_pay, coins, _, _)) if (*is_pay, *coins) == order => {
                Response::Refused { errcode: 90012, balance: Some(self.balance()) }
            }
            Some(_) => Response::Refused { errcode: 90012, balance: None },
            None => apply(self),
        }
    }
}

/// Whether some sequential order of the calls explains all responses.
fn is_linearizable(calls: &[CompletedCall]) -> bool {
    fn search(
        calls: &[CompletedCall],
        done: u64,
        account: &ModelAccount,
        tried: &mut HashSet<(u64, ModelAccount)>,
    ) -> bool {
        let open = || (0..calls.len()).filter(|at| done & (1 << at) == 0);
        let Some(first_answer) = open().map(|at| calls[at].responded_at).min() else { return true };
        if !tried.insert((done, account.clone())) {
            return false;
        }
        // A call may be next if it was invoked before the first response of the remaining calls.
        let mut candidates = open().filter(|at| calls[*at].invoked_at < first_answer);
        candidates.any(|at| {
            let mut after = account.clone();
            after.apply(calls[at].invocation) == calls[at].response
                && search(calls, done | (1 << at), &after, tried)
        })
    }
    assert!(calls.len() <= 64, "a call is a bit of a u64");
    search(calls, 0, &ModelAccount::default(), &mut HashSet::new())
}

fn any_invocation() -> impl Strategy<Value = Invocation> {
    prop_oneof![
        3 => (0..6_u8, 1..20_u64).prop_map(|(bill, coins)| Invocation::Present { bill, coins: coins % 3 + 1 }),
        3 => (4..10_u8, 1..4_u64).prop_map(|(bill, coins)| Invocation::Pay { bill, coins }),
        2 => (4..10_u8).prop_map(|bill| Invocation::Cancel { bill }),
        2 => Just(Invocation::Balance),
    ]
}

/// Sends a call on the account of zone `zone`. The zone prefixes its bill numbers.
async fn send(bank: &TestBank, zone: &str, invocation: Invocation) -> Response {
    let caller = pactolus_protocol::Caller { zone_id: zone.parse().unwrap(), ..caller() };
    let bill_no = |bill: u8| format!("{zone}-{bill}").parse().unwrap();
    let amount = |coins| Amount::new(coins).unwrap();
    let reply = match invocation {
        Invocation::Present { bill, coins } => {
            let present = Present { caller, bill_no: bill_no(bill), ..gift("unused", coins) };
            bank.call::<Present>(LIVE, sign(&present, LIVE)).await
        }
        Invocation::Pay { bill, coins } => {
            let pay =
                Pay { caller, amt: amount(coins), bill_no: bill_no(bill), pay_item: None, app_remark: None };
            bank.call::<Pay>(LIVE, sign(&pay, LIVE)).await
        }
        Invocation::Cancel { bill } => {
            let cancel = CancelPay { caller, bill_no: bill_no(bill), pay_item: None };
            bank.call::<CancelPay>(LIVE, sign(&cancel, LIVE)).await
        }
        Invocation::Balance => bank.call::<GetBalance>(LIVE, sign(&GetBalance { caller }, LIVE)).await,
    };
    parse_response(&reply)
}

fn parse_response(reply: &Value) -> Response {
    let coins = |name: &str| reply[name].as_u64();
    match reply["errcode"].as_i64().unwrap() {
        0 if reply.get("save_sum").is_some() => {
            let sum = |name| coins(name).unwrap();
            let (balance, gifted) = (sum("balance"), sum("gen_balance"));
            // Invariants of the contract, which hold in every single reply.
            assert_eq!(balance, sum("save_sum") - sum("cost_sum"), "{reply}");
            assert_eq!(sum("save_sum"), sum("save_amt") + sum("present_sum"), "{reply}");
            assert!(gifted <= balance, "{reply}");
            Response::Balance { balance, gifted, received: sum("save_sum"), spent: sum("cost_sum") }
        }
        0 => Response::Done { balance: coins("balance"), gifted_used: coins("used_gen_amt") },
        errcode => Response::Refused { errcode, balance: coins("balance") },
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_responses_are_linearizable() {
    let bank = Arc::new(TestBank::start().await);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, b"pactolus linearizability - seed.");
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let plan = proptest::collection::vec(proptest::collection::vec(any_invocation(), CALLS), CLIENTS);
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
                    for invocation in calls {
                        let invoked_at = ticks.fetch_add(1, Ordering::SeqCst);
                        let response = send(&bank, &zone, invocation).await;
                        let responded_at = ticks.fetch_add(1, Ordering::SeqCst);
                        events.push(CompletedCall { invoked_at, responded_at, invocation, response });
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
fn checker_rejects_impossible_histories() {
    let event = |invoked_at, responded_at, invocation, response| CompletedCall {
        invoked_at,
        responded_at,
        invocation,
        response,
    };
    let gift = Invocation::Present { bill: 1, coins: 5 };
    let presented = Response::Done { balance: Some(5), gifted_used: None };
    let balances = |balance| Response::Balance { balance, gifted: balance, received: balance, spent: 0 };
    // Concurrent calls may take either order. Sequential ones have only one.
    assert!(is_linearizable(&[
        event(0, 3, gift, presented.clone()),
        event(1, 2, Invocation::Balance, balances(0))
    ]));
    assert!(is_linearizable(&[
        event(0, 3, gift, presented.clone()),
        event(1, 2, Invocation::Balance, balances(5))
    ]));
    assert!(!is_linearizable(&[
        event(0, 1, gift, presented.clone()),
        event(2, 3, Invocation::Balance, balances(0))
    ]));
    // A present that is applied twice, and coins out of nowhere.
    assert!(!is_linearizable(&[event(0, 1, gift, presented.clone()), event(2, 3, gift, presented.clone())]));
    assert!(!is_linearizable(&[event(0, 3, gift, presented), event(1, 2, Invocation::Balance, balances(6))]));
}
