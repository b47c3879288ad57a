//! Values that several fuzz targets choose from their input, and the dispatch on a chosen call.

use pactolus_fuzz_support::Choices;
use pactolus_types::BillNo;

use super::keys::VALID;
use crate::midas::call::CallPath;
use crate::midas::sign::{Dialect, DialectPolicy};

/// Dispatches on a call kind known only at run time.
macro_rules! for_call {
    ($kind:expr, $call:ident => $done:expr) => {
        match $kind {
            $crate::midas::call::CallKind::Present => {
                type $call = $crate::midas::call::Present;
                $done
            }
            $crate::midas::call::CallKind::GetBalance => {
                type $call = $crate::midas::call::GetBalance;
                $done
            }
            $crate::midas::call::CallKind::Pay => {
                type $call = $crate::midas::call::Pay;
                $done
            }
            $crate::midas::call::CallKind::CancelPay => {
                type $call = $crate::midas::call::CancelPay;
                $done
            }
        }
    };
}

pub(super) use for_call;

pub(super) const WORD_CHARS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

pub(super) fn choose_path(choices: &mut Choices<'_>) -> CallPath {
    let all: Vec<_> = CallPath::all().collect();
    choices.one_of(&all)
}

pub(super) fn choose_dialect(choices: &mut Choices<'_>) -> Dialect {
    let all: Vec<_> = DialectPolicy::Lenient.accepted().collect();
    choices.one_of(&all)
}

pub(super) fn bill_no(choices: &mut Choices<'_>) -> BillNo {
    BillNo::new(&choices.word(63, &format!("{WORD_CHARS}|*@"))).expect(VALID)
}
