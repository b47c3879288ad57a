//! The plan of a campaign: every row is checked before the first gift is sent.
//!
//! Memory: per row the hash of its player, and of its bill number if the file has one. While the table grows that is
//! some 80 bytes each: a million rows take at most 100 MB.

use std::collections::HashMap;
use std::io;

use pactolus_client::PresentRequest;

use super::bill_no::CampaignName;
use super::outcome::{BillNoOrigin, GiftStatus};
use super::results::{ResultsIndex, hash};
use super::row::{GiftRow, RowDefaults};
use super::source::{GiftFile, GiftFileError};
use crate::cli::i18n::{Lang, tr};

/// Rows shown in the preview.
const SAMPLE_ROWS: usize = 5;

/// Problems of a file that are printed one by one; the rest is counted.
pub(crate) const PROBLEMS_SHOWN_MAX: u64 = 50;

/// Whether a file may have several rows of one player in one zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DuplicatePolicy {
    Refuse,
    Allow,
}

/// Totals of a checked file.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Number of rows.
    pub(crate) rows: u64,
    /// Coins of all rows.
    pub(crate) coins: u128,
    /// Rows already given, by the results file.
    pub(crate) applied: u64,
    /// Coins of the remaining rows.
    pub(crate) coins_remaining: u128,
    /// First remaining rows, with their line numbers.
    pub(crate) sample: Vec<(u64, PresentRequest)>,
    /// Remaining rows that an earlier run sent without an answer.
    pub(crate) unknown: u64,
    /// Whether a row has a session key or an IP address, which only signed calls send.
    pub(crate) has_call_parameters: bool,
    /// Columns of the file that are ignored, quoted.
    pub(crate) ignored_columns: Vec<String>,
}

impl Plan {
    /// Number of rows to send.
    pub(crate) const fn remaining(&self) -> u64 {
        self.rows.saturating_sub(self.applied)
    }
}

/// Why a file has no plan.
pub(crate) enum PlanError {
    /// The file cannot be read.
    Io(io::Error),
    /// The file has this many problems; the first [`PROBLEMS_SHOWN_MAX`] are reported.
    Invalid(u64),
}

/// Reads the rows of a file as gifts, in file order, each with the bill number that it has in every run.
pub(crate) struct GiftReader<'a> {
    pub(crate) source: &'a GiftFile,
    pub(crate) defaults: &'a RowDefaults,
    pub(crate) duplicates: DuplicatePolicy,
    pub(crate) lang: Lang,
}

impl GiftReader<'_> {
    /// Checks every row, passes the first problems to `report`, and sums up.
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
            if wrong <= PROBLEMS_SHOWN_MAX {
                report(&format!("{name}:{line}: {words}"));
            }
        };
        let mut plan = Plan::default();
        let (mut players, mut numbers) = (DuplicateCounter::default(), DuplicateCounter::default());
        let lines = match self.source.lines(self.defaults, lang) {
            Ok(lines) => {
                plan.ignored_columns = lines.ignored;
                lines.rows
            }
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
                Ok(row) => row,
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
                        "{openid} in zone {zone_id} is in line {first} too; if both are meant, add --allow-duplicates",
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
                            "bill_no {bill_no} is in line {first} too; each gift needs its own number",
                            "订单号 {bill_no} 已在第 {first} 行；一个订单号只能对应一笔订单"
                        ),
                    );
                }
            }
            plan.coins += u128::from(present.coins.get());
            plan.has_call_parameters |=
                present.player.session_key.is_some() || present.player.user_ip.is_some();
            let status = earlier.status(&present);
            plan.unknown += u64::from(status == GiftStatus::Unknown);
            match status {
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
                        "the results file records bill_no {bill_no} with other coins or another player; \
                         a gift that was given cannot be changed",
                        "结果文件显示订单号 {bill_no} 已发放，但数量或玩家不同；已发放的内容不能更改"
                    ),
                ),
            }
        }
        if wrong == 0 { Ok(plan) } else { Err(PlanError::Invalid(wrong)) }
    }

    /// The gifts, each with its line number and the origin of its bill number.
    ///
    /// The copy of the file that was checked has no invalid row; one that became invalid is an I/O error.
    pub(crate) fn walk(
        &self,
    ) -> io::Result<impl Iterator<Item = io::Result<(u64, PresentRequest, BillNoOrigin)>>> {
        let changed = || io::Error::other("the copy of the file changed after the check");
        let lines = self.source.lines(self.defaults, self.lang).map_err(|error| match error {
            GiftFileError::Io(error) => error,
            GiftFileError::Header(_) => changed(),
        })?;
        let mut players = DuplicateCounter::default();
        Ok(lines.rows.map(move |line| {
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

/// Counts keys, and remembers the line of each key's first row.
#[derive(Default)]
struct DuplicateCounter(HashMap<[u8; 16], (u32, u32)>);

impl DuplicateCounter {
    /// Counts a row. Returns the number of rows with this key so far, and the line of the first.
    fn count(&mut self, what: [u8; 16], line: u64) -> (u32, u32) {
        // A file with more lines is some hundred gigabytes long.
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        let (times, first) = self.0.entry(what).or_insert((0, line));
        *times += 1;
        (*times, *first)
    }
}
