//! What is to be given: every row checked before the first is sent.
//!
//! Memory: for each row the digests of its player and, if the file has numbers, of its number, some 80 bytes
//! each while the table grows: a million rows take 100 MB at the most.

use std::collections::HashMap;
use std::io;

use pactolus_client::PresentRequest;

use super::bill_no::Campaign;
use super::outcome::{Number, Recorded};
use super::results::{Earlier, hash};
use super::row::{Defaults, Wish};
use super::source::{Source, Unreadable};
use crate::cli::i18n::{Lang, words};

/// How many rows are shown before anything is sent.
const SAMPLE: usize = 5;

/// Whether a file may have several rows of one player in one zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duplicates {
    Refused,
    Allowed,
}

/// What is to be given.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// All rows.
    pub(crate) rows: u64,
    /// The coins of all rows.
    pub(crate) coins: u128,
    /// The rows that are given already, as the results say.
    pub(crate) given: u64,
    /// The coins of the others.
    pub(crate) coins_left: u128,
    /// The first of the others.
    pub(crate) sample: Vec<(u64, PresentRequest)>,
}

impl Plan {
    /// How many rows are to be sent.
    pub(crate) const fn left(&self) -> u64 {
        self.rows - self.given
    }
}

/// Why there is no plan.
pub(crate) enum NoPlan {
    /// The file cannot be read.
    Io(io::Error),
    /// So much is wrong with it; all of it was said.
    Wrong(u64),
}

/// The rows of a file as gifts, in its order, each with the number that it has in every run.
pub(crate) struct Gifts<'a> {
    pub(crate) source: &'a Source,
    pub(crate) defaults: &'a Defaults,
    pub(crate) duplicates: Duplicates,
    pub(crate) lang: Lang,
}

impl Gifts<'_> {
    /// Checks every row, says all that is wrong through `complain`, and sums up.
    pub(crate) fn plan(&self, earlier: &Earlier, mut complain: impl FnMut(&str)) -> Result<Plan, NoPlan> {
        let lang = self.lang;
        let name = self.source.name();
        let mut wrong = 0;
        let mut complain = |line: u64, words: &str| {
            wrong += 1;
            complain(&format!("{name}:{line}: {words}"));
        };
        let mut plan = Plan::default();
        let (mut players, mut numbers) = (Seen::default(), Seen::default());
        let lines = match self.source.lines(self.defaults, lang) {
            Ok(lines) => lines,
            Err(Unreadable::Io(error)) => return Err(NoPlan::Io(error)),
            Err(Unreadable::Header(problems)) => {
                for words in &problems {
                    complain(1, words);
                }
                return Err(NoPlan::Wrong(wrong));
            }
        };
        for line in lines {
            let line = line.map_err(NoPlan::Io)?;
            plan.rows += 1;
            let wish = match line.wish {
                Ok(wish) => wish,
                Err(problems) => {
                    for words in &problems {
                        complain(line.number, words);
                    }
                    continue;
                }
            };
            let (nth, first) = players.count(player_of(&wish), line.number);
            if nth > 1 && self.duplicates == Duplicates::Refused {
                let player = &wish.player;
                let (openid, zone_id) = (player.openid, player.zone_id);
                complain(
                    line.number,
                    &words!(
                        lang,
                        "{openid} in zone {zone_id} is in line {first} too; if that is meant, --allow-duplicates",
                        "区 {zone_id} 的 {openid} 已在第 {first} 行；如确需重复，请加 --allow-duplicates"
                    ),
                );
            }
            let has_number = wish.bill_no.is_some();
            let present = wish.numbered(self.campaign(), nth);
            let bill_no = present.bill_no;
            if has_number {
                let (times, first) = numbers.count(hash(&[bill_no.as_str()]), line.number);
                if times > 1 {
                    complain(
                        line.number,
                        &words!(
                            lang,
                            "bill_no {bill_no} is in line {first} too; one number makes one order",
                            "订单号 {bill_no} 已在第 {first} 行；一个订单号只能对应一笔订单"
                        ),
                    );
                }
            }
            plan.coins += u128::from(present.coins.get());
            match earlier.of(&present) {
                Recorded::Given => plan.given += 1,
                Recorded::No | Recorded::NotGiven | Recorded::Unknown => {
                    plan.coins_left += u128::from(present.coins.get());
                    if plan.sample.len() < SAMPLE {
                        plan.sample.push((line.number, present));
                    }
                }
                Recorded::Otherwise => complain(
                    line.number,
                    &words!(
                        lang,
                        "bill_no {bill_no} gave other coins, or to another player, as the results say; \
                         what was given cannot be changed",
                        "结果文件显示订单号 {bill_no} 已发放，但数量或玩家不同；已发放的内容不能更改"
                    ),
                ),
            }
        }
        if wrong == 0 { Ok(plan) } else { Err(NoPlan::Wrong(wrong)) }
    }

    /// The gifts, each with its line and with whose its number is: one that the campaign made is nobody else's.
    ///
    /// A file that has changed since it was checked may hold a row that is none any more; that ends the walk.
    pub(crate) fn walk(&self) -> io::Result<impl Iterator<Item = io::Result<(u64, PresentRequest, Number)>>> {
        let changed = || io::Error::other("it has changed since it was checked");
        let lines = self.source.lines(self.defaults, self.lang).map_err(|error| match error {
            Unreadable::Io(error) => error,
            Unreadable::Header(_) => changed(),
        })?;
        let mut players = Seen::default();
        Ok(lines.map(move |line| {
            let line = line?;
            let wish = line.wish.map_err(|_| changed())?;
            let nth = match self.duplicates {
                Duplicates::Refused => 1,
                Duplicates::Allowed => players.count(player_of(&wish), line.number).0,
            };
            let number = if wish.bill_no.is_some() { Number::Anybodys } else { Number::Own };
            Ok((line.number, wish.numbered(self.campaign(), nth), number))
        }))
    }

    fn campaign(&self) -> Option<&Campaign> {
        self.defaults.campaign.as_ref()
    }
}

fn player_of(wish: &Wish) -> [u8; 16] {
    hash(&[wish.player.openid.as_str(), wish.player.zone_id.as_str()])
}

/// What was met, how often, and where first.
#[derive(Default)]
struct Seen(HashMap<[u8; 16], (u32, u32)>);

impl Seen {
    /// Counts another; how often it was met with this one, and the line of the first.
    fn count(&mut self, what: [u8; 16], line: u64) -> (u32, u32) {
        // A file of more lines than fit is some hundred gigabytes long.
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        let (times, first) = self.0.entry(what).or_insert((0, line));
        *times += 1;
        (*times, *first)
    }
}
