//! A query the way that the gifts go, before the first one: an error of the set-up is said before anything is sent.

use pactolus_client::{BalanceError, CallError, ErrorCode, PresentRequest};

use super::sender::GiftSender;
use crate::cli::i18n::{Lang, localized_chain, tr};

/// Looks the first gift's player up. The error says why every gift would fail: an unreachable bank, a wrong address,
/// app, key or token, or session keys that the bank requires and the file lacks.
pub(super) async fn check(sender: &GiftSender, first: &PresentRequest, lang: Lang) -> Result<(), String> {
    match sender {
        GiftSender::Operator(sender) => {
            let account = sender.client.account(&sender.account(first)).await;
            account.map(|_| ()).map_err(|error| localized_chain(&error, lang))
        }
        GiftSender::Midas(client) => {
            let Err(error) = client.get_balance(&first.player).await else { return Ok(()) };
            let why = localized_chain(&error, lang);
            match AffectedGifts::of(&error, first.player.session_key.is_some()) {
                AffectedGifts::EveryGift => Err(why),
                AffectedGifts::SessionKeys => Err(tr!(
                    lang,
                    "{why}; this bank requires the players' session keys: add a column session_key, or use an \
                     operator token (--api operator), which needs none",
                    "{why}；该服务要求玩家的 session_key：请添加 session_key 列，或使用无需 session_key 的运维令牌\
                     （--api operator）"
                )),
                AffectedGifts::ThisPlayer => Ok(()),
            }
        }
    }
}

/// The gifts that an error of the query concerns.
#[derive(Debug, PartialEq, Eq)]
enum AffectedGifts {
    EveryGift,
    /// Every gift without a session key.
    SessionKeys,
    /// This player only, such as an ended login.
    ThisPlayer,
}

impl AffectedGifts {
    fn of(BalanceError(error): &BalanceError, has_session_key: bool) -> Self {
        match &**error {
            CallError::NoSession { .. } if !has_session_key => Self::SessionKeys,
            CallError::NoSession { .. } => Self::ThisPlayer,
            CallError::Api { error: refused, .. } => match refused.code() {
                Some(ErrorCode::SigError | ErrorCode::NoPrivilege) => Self::EveryGift,
                Some(ErrorCode::MpSigError | ErrorCode::InvalidParameter)
                    if !has_session_key && refused.errmsg.contains("mp_sig") =>
                {
                    Self::SessionKeys
                }
                _ => Self::ThisPlayer,
            },
            // The bank gave no answer, or no token.
            _ => Self::EveryGift,
        }
    }
}
