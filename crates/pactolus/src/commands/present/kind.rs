//! What the orders of a file do: give coins, or take coins back. The words and names that follow from it.

use crate::cli::i18n::{Lang, tr};

/// The kind of all orders of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum BatchKind {
    #[default]
    Gifts,
    Debits,
}

impl BatchKind {
    /// Separates the bill numbers of a campaign's gifts from those of its debits. Banks hold these numbers: the texts
    /// must never change.
    pub(crate) const fn digest_domain(self) -> &'static str {
        match self {
            Self::Gifts => "pactolus campaign 1",
            Self::Debits => "pactolus debits 1",
        }
    }

    /// The bank's label in a results file: results of gifts are not results of debits.
    pub(crate) fn label(self, bank: String) -> String {
        match self {
            Self::Gifts => bank,
            Self::Debits => format!("debits {bank}"),
        }
    }

    /// Name of the results file of a campaign or an input called `name`.
    pub(crate) fn results_name(self, name: String) -> String {
        match self {
            Self::Gifts => name,
            Self::Debits => name + ".debits",
        }
    }

    /// Names of the two counts of orders that the bank has, in JSON.
    pub(crate) const fn count_names(self) -> [&'static str; 2] {
        match self {
            Self::Gifts => ["given", "given_before"],
            Self::Debits => ["taken", "taken_before"],
        }
    }

    pub(crate) fn done(self, count: u64, lang: Lang) -> String {
        match self {
            Self::Gifts => tr!(lang, "given {count}", "已发放 {count}"),
            Self::Debits => tr!(lang, "taken {count}", "已扣回 {count}"),
        }
    }

    pub(crate) fn done_before(self, count: u64, lang: Lang) -> String {
        match self {
            Self::Gifts => tr!(lang, "given before {count}", "此前已发放 {count}"),
            Self::Debits => tr!(lang, "taken before {count}", "此前已扣回 {count}"),
        }
    }

    /// How many of the rows are done.
    pub(crate) fn done_of(self, done: u64, rows: u64, lang: Lang) -> String {
        match self {
            Self::Gifts => {
                tr!(lang, "{done} of {rows} gifts are given", "{rows} 份赠币中已发放 {done} 份")
            }
            Self::Debits => {
                tr!(lang, "{done} of {rows} debits are taken", "{rows} 笔扣回中已完成 {done} 笔")
            }
        }
    }

    /// How many orders of how many coins are to be sent.
    pub(crate) fn to_do(self, orders: u64, coins: u128, lang: Lang) -> String {
        match self {
            Self::Gifts => {
                tr!(lang, "{orders} gifts of {coins} coins in all", "共 {orders} 份赠币、{coins} 个游戏币")
            }
            Self::Debits => {
                tr!(lang, "{orders} debits of {coins} coins in all", "共 {orders} 笔扣回、{coins} 个游戏币")
            }
        }
    }

    /// The question before the first order.
    pub(crate) fn question(self, lang: Lang) -> String {
        match self {
            Self::Gifts => tr!(lang, "Give them? [y/N] ", "确认发放？[y/N] "),
            Self::Debits => tr!(lang, "Take them? [y/N] ", "确认扣回？[y/N] "),
        }
    }
}
