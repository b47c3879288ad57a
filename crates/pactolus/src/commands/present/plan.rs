//! What is to be given: every row checked before the first is sent.
//!
//! Memory: for each row the digests of its player and, if the file has numbers, of its number, some 80 bytes
//! each while the table grows: a million rows take 100 MB at the most.

use std::collections::HashMap;
use std::io;

use pactolus_client::PresentRequest;

use super::bill_no::CampaignName;
use super::outcome::{BillNoOrigin, GiftStatus};
use super::results::{ResultsIndex, hash};
use super::row::{GiftRow, RowDefaults};
use super::source::{GiftFile, GiftFileError};
use crate::cli::i18n::{Lang, tr};

/// How many rows are shown before anything is sent.
const SAMPLE_ROWS: usize = 5;

/// Whether a file may have several rows of one player in one zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DuplicatePolicy {
    Refuse,
    Allow,
}

/// What is to be given.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// All rows.
    pub(crate) rows: u64,
    /// The coins of all rows.
    pub(crate) coins: u128,
    /// The rows that are given already, as the results say.
    pub(crate) applied: u64,
    /// The coins of the others.
    pub(crate) coins_remaining: u128,
    /// The first of the others.
    pub(crate) sample: Vec<(u64, PresentRequest)>,
}

impl Plan {
    /// How many rows are to be sent.
    pub(crate) const fn remaining(&self) -> u64 {
        self.rows - self.applied
    }
}

/// Why there is no plan.
pub(crate) enum PlanError {
    /// The file cannot be read.
    Io(io::Error),
    /// So much is wrong with it; all of it was said.
    Invalid(u64),
}

/// The rows of a file as gifts, in its order, each with the number that it has in every run.
pub(crate) struct GiftReader<'a> {
    pub(crate) source: &'a GiftFile,
    pub(crate) defaults: &'a RowDefaults,
    pub(crate) duplicates: DuplicatePolicy,
    pub(crate) lang: Lang,
}

impl GiftReader<'_> {
    /// Checks every row, says all that is wrong through `complain`, and sums up.
    pub(crate) fn plan(
        &self,
        earlier: &ResultsIndex,
        mut report: impl FnMut(&str),
    ) -> Result<Plan, PlanError> {
        let lang = self.lang;
        let name = self.source.name();
        let mut wrong = 0;
        let mut complain = |line: u64, words: &str| {
            wrong += 1;
            report(&format!("{name}:{line}: {words}"));
        };
        let mut plan = Plan::default();
        let (mut players, mut numbers) = (DuplicateCounter::default(), DuplicateCounter::default());
        let lines = match self.source.lines(self.defaults, lang) {
            Ok(lines) => lines,
            Err(GiftFileError::Io(error)) => return Err(PlanError::Io(error)),
            Err(GiftFileError::Header(problems)) => {
                for words in &problems {
                    complain(1, words);
                }
                return Err(PlanError::Invalid(wrong));
            }
        };
        for line in lines {
            let line = line.map_err(PlanError::Io)?;
            plan.rows += 1;
            let row = match line.row {
                Ok(wish) => wish,
                Err(problems) => {
                    for words in &problems {
                        complain(line.number, words);
                    }
                    continue;
                }
            };
            let (nth, first) = players.count(player_key(&row), line.number);
            if nth > 1 && self.duplicates == DuplicatePolicy::Refuse {
                let player = &row.player;
                let (openid, zone_id) = (player.openid, player.zone_id);
                complain(
                    line.number,
                    &tr!(
                        lang,
                        "{openid} in zone {zone_id} is in line {first} too; if that is meant, --allow-duplicates",
                        "区 {zone_id} 的 {openid} 已在第 {first} 行；如确需重复，请加 --allow-duplicates"
                    ),
                );
            }
            let has_number = row.bill_no.is_some();
            let present = row.into_present(self.campaign(), nth);
            let bill_no = present.bill_no;
            if has_number {
                let (times, first) = numbers.count(hash(&[bill_no.as_str()]), line.number);
                if times > 1 {
                    complain(
                        line.number,
                        &tr!(
                            lang,
                            "bill_no {bill_no} is in line {first} too; one number makes one order",
                            "订单号 {bill_no} 已在第 {first} 行；一个订单号只能对应一笔订单"
                        ),
                    );
                }
            }
            plan.coins += u128::from(present.coins.get());
            match earlier.status(&present) {
                GiftStatus::Applied => plan.applied += 1,
                GiftStatus::Missing | GiftStatus::NotApplied | GiftStatus::Unknown => {
                    plan.coins_remaining += u128::from(present.coins.get());
                    if plan.sample.len() < SAMPLE_ROWS {
                        plan.sample.push((line.number, present));
                    }
                }
                GiftStatus::Conflict => complain(
                    line.number,
                    &tr!(
                        lang,
                        "bill_no {bill_no} gave other coins, or to another player, as the results say; \
                         what was given cannot be changed",
                        "结果文件显示订单号 {bill_no} 已发放，但数量或玩家不同；已发放的内容不能更改"
                    ),
                ),
            }
        }
        if wrong == 0 { Ok(plan) } else { Err(PlanError::Invalid(wrong)) }
    }

    /// The gifts, each with its line and with whose its number is: one that the campaign made is nobody else's.
    ///
    /// A file that has changed since it was checked may hold a row that is none any more; that ends the walk.
    pub(crate) fn walk(
        &self,
    ) -> io::Result<impl Iterator<Item = io::Result<(u64, PresentRequest, BillNoOrigin)>>> {
        let changed = || io::Error::other("it has changed since it was checked");
        let lines = self.source.lines(self.defaults, self.lang).map_err(|error| match error {
            GiftFileError::Io(error) => error,
            GiftFileError::Header(_) => changed(),
        })?;
        let mut players = DuplicateCounter::default();
        Ok(lines.map(move |line| {
            let line = line?;
            let row = line.row.map_err(|_| changed())?;
            let nth = match self.duplicates {
                DuplicatePolicy::Refuse => 1,
                DuplicatePolicy::Allow => players.count(player_key(&row), line.number).0,
            };
            let number = if row.bill_no.is_some() { BillNoOrigin::Supplied } else { BillNoOrigin::Derived };
            Ok((line.number, row.into_present(self.campaign(), nth), number))
        }))
    }

    fn campaign(&self) -> Option<&CampaignName> {
        self.defaults.campaign.as_ref()
    }
}

fn player_key(row: &GiftRow) -> [u8; 16] {
    hash(&[row.player.openid.as_str(), row.player.zone_id.as_str()])
}

/// What was met, how often, and where first.
#[derive(Default)]
struct DuplicateCounter(HashMap<[u8; 16], (u32, u32)>);

impl DuplicateCounter {
    /// Counts another; how often it was met with this one, and the line of the first.
    fn count(&mut self, what: [u8; 16], line: u64) -> (u32, u32) {
        // A file of more lines than fit is some hundred gigabytes long.
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        let (times, first) = self.0.entry(what).or_insert((0, line));
        *times += 1;
        (*times, *first)
    }
}
