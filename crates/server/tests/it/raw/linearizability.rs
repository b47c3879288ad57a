//! Linearizability of calls that mix the wires over one account: some sequential order of the calls, each between its
//! invocation and its response, must explain all responses. The model is written from the contract alone.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use super::client::{GAME, RawCall, Vocabulary, XPAY, start};
use crate::bank::{TestBank, gift};

const CLIENTS: u64 = 6;
const CALLS: u64 = 8;
const ROUNDS: u64 = 20;

#[derive(Clone, Copy, Debug)]
enum Call {
    /// On the first wire, under a number of the app.
    OldPresent {
        number: u64,
        coins: u64,
    },
    Present {
        number: u64,
        coins: u64,
    },
    Pay {
        number: u64,
        coins: u64,
    },
    Refund {
        number: u64,
        pay: u64,
        coins: u64,
    },
    Balance,
}

/// What the contract determines of a response, in words of no wire.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Response {
    Done { balance: Option<u64>, gifted: Option<u64> },
    Repeated { balance: u64 },
    Taken,
    NotEnough,
    NoPay,
    NothingLeft,
    MoreThanLeft,
    Balance { balance: u64, gifted: u64 },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Filed {
    Present(u64),
    Pay { coins: u64, gifted: u64, back: u64 },
    Refund { pay: u64, coins: u64 },
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Model {
    balance: u64,
    gifted: u64,
    /// By numbering, `true` for the app's, and number.
    filed: BTreeMap<(bool, u64), Filed>,
}

impl Model {
    fn apply(&mut self, call: Call) -> Response {
        let (key, asked) = match call {
            Call::OldPresent { number, coins } => ((true, number), Filed::Present(coins)),
            Call::Present { number, coins } => ((false, number), Filed::Present(coins)),
            Call::Pay { number, coins } => ((false, number), Filed::Pay { coins, gifted: 0, back: 0 }),
            Call::Refund { number, pay, coins } => ((false, number), Filed::Refund { pay, coins }),
            Call::Balance => return Response::Balance { balance: self.balance, gifted: self.gifted },
        };
        if let Some(filed) = self.filed.get(&key) {
            return if is_same(filed, &asked) {
                Response::Repeated { balance: self.balance }
            } else {
                Response::Taken
            };
        }
        let mut done = Response::Done { balance: None, gifted: None };
        let filed = match asked {
            Filed::Present(coins) => {
                (self.balance, self.gifted) = (self.balance + coins, self.gifted + coins);
                done = Response::Done { balance: Some(self.balance), gifted: None };
                Filed::Present(coins)
            }
            Filed::Pay { coins, .. } if coins > self.balance => return Response::NotEnough,
            Filed::Pay { coins, .. } => {
                let gifted = coins.min(self.gifted);
                (self.balance, self.gifted) = (self.balance - coins, self.gifted - gifted);
                done = Response::Done { balance: Some(self.balance), gifted: Some(gifted) };
                Filed::Pay { coins, gifted, back: 0 }
            }
            Filed::Refund { pay, coins } => {
                let Some(Filed::Pay { coins: paid, gifted, back }) = self.filed.get_mut(&(false, pay)) else {
                    return Response::NoPay;
                };
                if *back == *paid {
                    return Response::NothingLeft;
                }
                if *back + coins > *paid {
                    return Response::MoreThanLeft;
                }
                let gifted_back = |back: u64| back.saturating_sub(*paid - *gifted);
                self.gifted += gifted_back(*back + coins) - gifted_back(*back);
                *back += coins;
                self.balance += coins;
                Filed::Refund { pay, coins }
            }
        };
        self.filed.insert(key, filed);
        done
    }
}

fn is_same(filed: &Filed, asked: &Filed) -> bool {
    match (filed, asked) {
        (Filed::Present(a), Filed::Present(b))
        | (Filed::Pay { coins: a, .. }, Filed::Pay { coins: b, .. }) => a == b,
        (Filed::Refund { pay: a, coins: x }, Filed::Refund { pay: b, coins: y }) => (a, x) == (b, y),
        (Filed::Present(_) | Filed::Pay { .. } | Filed::Refund { .. }, _) => false,
    }
}

fn draw(random: &mut u64, end: u64) -> u64 {
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*random >> 33) % end
}

fn draw_call(random: &mut u64) -> Call {
    let (number, coins, pay) = (draw(random, 5), 1 + draw(random, 4), draw(random, 5));
    match draw(random, 8) {
        0 => Call::OldPresent { number, coins },
        1 => Call::Present { number: 10 + number, coins },
        2 | 3 => Call::Pay { number: 20 + number, coins },
        4..=6 => Call::Refund { number: 30 + number, pay: 20 + pay, coins },
        _ => Call::Balance,
    }
}

async fn send(bank: &TestBank, words: Vocabulary, call: Call) -> Response {
    let raw: RawCall = match call {
        Call::OldPresent { number, coins } => {
            let reply = bank.present(&gift(&number.to_string(), coins)).await;
            return read(GAME, call, &reply);
        }
        Call::Present { number, coins } => words.present(&number.to_string(), coins),
        Call::Pay { number, coins } => words.pay(&number.to_string(), coins),
        Call::Refund { number, pay, coins } => words.refund(&number.to_string(), &pay.to_string(), coins),
        Call::Balance => words.balance(),
    };
    read(words, call, &raw.send(bank).await)
}

fn read(words: Vocabulary, call: Call, reply: &Value) -> Response {
    let number = |name: &str| reply[name].as_u64();
    let code = reply["errcode"].as_i64().unwrap();
    match (call, code) {
        (Call::Balance, 0) => Response::Balance {
            balance: number("balance").unwrap(),
            gifted: number("present_balance").unwrap(),
        },
        (_, 0) => Response::Done { balance: number("balance"), gifted: number("used_present_amount") },
        (_, code) if code == words.taken => match number("balance") {
            Some(balance) => Response::Repeated { balance },
            None => Response::Taken,
        },
        (Call::Pay { .. }, code) if code == words.not_enough => Response::NotEnough,
        (Call::Refund { .. }, code) if code == words.no_pay => Response::NoPay,
        (Call::Refund { .. }, code) if code == words.nothing_left => Response::NothingLeft,
        (Call::Refund { .. }, code) if code == words.more_than_left => Response::MoreThanLeft,
        _ => panic!("{call:?}: {reply}"),
    }
}

#[derive(Clone, Debug)]
struct CompletedCall {
    invoked_at: u64,
    responded_at: u64,
    call: Call,
    response: Response,
}

/// Whether some order of the calls explains the history; depth first, with the states already tried.
fn is_linearizable(history: &[CompletedCall]) -> bool {
    fn search(
        history: &[CompletedCall],
        done: u64,
        model: &Model,
        tried: &mut HashSet<(u64, Model)>,
    ) -> bool {
        if done.count_ones() as usize == history.len() {
            return true;
        }
        if !tried.insert((done, model.clone())) {
            return false;
        }
        let open = || history.iter().enumerate().filter(|(index, _)| done >> index & 1 == 0);
        let first_end = open().map(|(_, call)| call.responded_at).min().unwrap();
        open().filter(|(_, call)| call.invoked_at < first_end).any(|(index, completed)| {
            let mut next = model.clone();
            next.apply(completed.call) == completed.response
                && search(history, done | 1 << index, &next, tried)
        })
    }
    search(history, 0, &Model::default(), &mut HashSet::new())
}

#[tokio::test]
async fn mixed_wires_over_one_account_are_linearizable() {
    for round in 0..ROUNDS {
        let (bank, ticks) = (Arc::new(start().await), Arc::new(AtomicU64::new(0)));
        let clients = (0..CLIENTS).map(|client| {
            let (bank, ticks) = (Arc::clone(&bank), Arc::clone(&ticks));
            tokio::spawn(async move {
                let mut random = round * 1000 + client;
                let mut completed = Vec::new();
                for _ in 0..CALLS {
                    let words = if draw(&mut random, 2) == 0 { GAME } else { XPAY };
                    let call = draw_call(&mut random);
                    let invoked_at = ticks.fetch_add(1, Ordering::SeqCst);
                    let response = send(&bank, words, call).await;
                    let responded_at = ticks.fetch_add(1, Ordering::SeqCst);
                    completed.push(CompletedCall { invoked_at, responded_at, call, response });
                }
                completed
            })
        });
        let mut history = Vec::new();
        for client in clients.collect::<Vec<_>>() {
            history.extend(client.await.unwrap());
        }
        assert!(is_linearizable(&history), "round {round}: {history:#?}");
    }
}

/// The checker finds a history that no order explains.
#[test]
fn impossible_history_is_found() {
    let call =
        |at: u64, call, response| CompletedCall { invoked_at: at, responded_at: at + 1, call, response };
    let given = Response::Done { balance: Some(5), gifted: None };
    let present = call(0, Call::Present { number: 1, coins: 5 }, given.clone());
    let right = call(2, Call::Present { number: 1, coins: 5 }, Response::Repeated { balance: 5 });
    let twice =
        call(2, Call::Present { number: 1, coins: 5 }, Response::Done { balance: Some(10), gifted: None });
    assert!(is_linearizable(&[present.clone(), right]));
    assert!(!is_linearizable(&[present, twice]));
}
