//! The signed calls of a worker: orders, their replays and cancellations, balances, and a wrong signature.
//!
//! Read next: `replies.rs`, which answers are right.

use pactolus_protocol::{CancelPay, ErrorCode, GetBalance, Pay, Present};

use super::replies::{ParsedReply, is_replay, parse_signed_reply};
use super::{DRAW_OLD_ORDER, Worker};
use crate::soak::calls::{self, OpKind, PlayerSession};
use crate::soak::reconcile::{OrderStatus, SoakOrder, SoakOrderKind};

/// Newest pays that a worker remembers, to cancel them.
const CANCELLABLE_PAYS_MAX: usize = 64;

impl Worker {
    pub(super) async fn new_order(
        &mut self,
        sent: &SoakOrder,
        player: &PlayerSession,
    ) -> anyhow::Result<OpKind> {
        let number = self.orders.statuses.len();
        self.orders.statuses.push(OrderStatus::Pending);
        let kind = if sent.kind == SoakOrderKind::Pay { OpKind::Pay } else { OpKind::Present };
        let answered = self
            .call_until_answered(kind, |worker| worker.game().order(sent, player, &worker.load.token()))
            .await?;
        let reply = match sent.kind {
            SoakOrderKind::Present => {
                parse_signed_reply::<Present>(&answered, |reply| reply.bill_no == sent.bill_no)
            }
            SoakOrderKind::Pay => parse_signed_reply::<Pay>(&answered, |reply| reply.bill_no == sent.bill_no),
        };
        let status = match reply {
            ParsedReply::Done => OrderStatus::Applied,
            // A replay answers a retry after the first answer was lost.
            ParsedReply::Refused(refused) if is_replay(&refused, sent) => OrderStatus::Applied,
            ParsedReply::Refused(refused) if refused.code() == Some(ErrorCode::BalanceNotEnough) => {
                OrderStatus::Refused
            }
            other => {
                self.report_unexpected(kind, &other);
                OrderStatus::Pending
            }
        };
        self.orders.statuses[number] = status;
        let is_applied = status == OrderStatus::Applied;
        if is_applied && sent.kind == SoakOrderKind::Pay {
            self.cancellable_pays.push_back(number);
            if self.cancellable_pays.len() > CANCELLABLE_PAYS_MAX {
                self.cancellable_pays.pop_front();
            }
        }
        Ok(kind)
    }

    pub(super) async fn cancel_pay(&mut self, number: usize) -> anyhow::Result<OpKind> {
        let sent = self.load.plan.order(self.number, number);
        let player = self.player_for(&sent);
        let kind = OpKind::CancelPay;
        let cancel = |worker: &Self| worker.game().cancel(sent.bill_no, &player, &worker.load.token());
        let answered = self.call_until_answered(kind, cancel).await?;
        match parse_signed_reply::<CancelPay>(&answered, |reply| reply.bill_no == sent.bill_no) {
            ParsedReply::Done => self.orders.statuses[number] = OrderStatus::Cancelled,
            // No other call cancels this pay, so an earlier attempt did, and its answer was lost.
            ParsedReply::Refused(refused) if refused.code() == Some(ErrorCode::OrderCanceled) => {
                self.orders.statuses[number] = OrderStatus::Cancelled;
            }
            other => self.report_unexpected(kind, &other),
        }
        Ok(kind)
    }

    /// Retries an order that the bank has acknowledged.
    pub(super) async fn replay_order(&mut self, number: usize) -> anyhow::Result<OpKind> {
        let sent = self.load.plan.order(self.number, number);
        let player = self.player_for(&sent);
        let kind = OpKind::Repeat;
        let answered = self
            .call_until_answered(kind, |worker| worker.game().order(&sent, &player, &worker.load.token()))
            .await?;
        let reply = match sent.kind {
            SoakOrderKind::Present => parse_signed_reply::<Present>(&answered, |_| true),
            SoakOrderKind::Pay => parse_signed_reply::<Pay>(&answered, |_| true),
        };
        match reply {
            ParsedReply::Refused(refused) if is_replay(&refused, &sent) => {}
            other => self.report_unexpected(kind, &other),
        }
        Ok(kind)
    }

    pub(super) async fn get_balance(&mut self, player: &PlayerSession) -> anyhow::Result<OpKind> {
        let kind = OpKind::GetBalance;
        let answered = self
            .call_until_answered(kind, |worker| worker.game().balance(player, &worker.load.token()))
            .await?;
        match parse_signed_reply::<GetBalance>(&answered, |reply| reply.balance <= reply.save_sum) {
            ParsedReply::Done => {}
            other => self.report_unexpected(kind, &other),
        }
        Ok(kind)
    }

    pub(super) async fn send_wrong_signature(
        &mut self,
        sent: &SoakOrder,
        player: &PlayerSession,
    ) -> anyhow::Result<()> {
        let kind = OpKind::WrongSignature;
        let answered = self
            .call_until_answered(kind, |worker| {
                worker.game().wrong_signature(sent, player, &worker.load.token())
            })
            .await?;
        match parse_signed_reply::<Present>(&answered, |_| true) {
            ParsedReply::Refused(refused) if refused.code() == Some(ErrorCode::SigError) => {
                self.last_rid = refused.errmsg.rsplit_once(" rid: ").map(|(_, rid)| rid.to_owned());
            }
            other => self.report_unexpected(kind, &other),
        }
        Ok(())
    }

    /// Asks for the diagnosis of a refused call. A restart or many later refusals evict it.
    pub(super) async fn explain_rejection(&mut self, rid: &str) -> anyhow::Result<()> {
        self.expect_status(OpKind::Explain, &[200, 404], |_| calls::explain(rid)).await
    }

    pub(super) async fn look_up_order(&mut self, number: usize) -> anyhow::Result<()> {
        let sent = self.load.plan.order(self.number, number);
        let answered = self.call_until_answered(OpKind::Order, |_| calls::look_up(&sent)).await?;
        let filed: serde_json::Value = serde_json::from_slice(&answered.body).unwrap_or_default();
        let is_cancelled = self.orders.statuses[number] == OrderStatus::Cancelled;
        if filed["receipt"]["coins"] != sent.coins.get() || filed["cancel"].is_null() == is_cancelled {
            self.load.record_unexpected(OpKind::Order, &String::from_utf8_lossy(&answered.body));
        }
        Ok(())
    }

    /// A random acknowledged order of any age.
    pub(super) fn pick_old_order(&self) -> Option<usize> {
        let count = self.orders.statuses.len() as u64;
        let number = usize::try_from(self.draw(DRAW_OLD_ORDER).checked_rem(count)?).ok()?;
        matches!(self.orders.statuses[number], OrderStatus::Applied | OrderStatus::Cancelled)
            .then_some(number)
    }

    fn player_for(&self, sent: &SoakOrder) -> PlayerSession {
        self.players.get(&sent.player).cloned().expect("the player of an order has logged in")
    }
}
