//! Mistakes with keys and with undocumented fields.

use super::mistakes::{MistakeCase, case};
use super::signing_client::PRESENT;

pub(super) const SIG_MISTAKES: &[MistakeCase] = &[case(
    "ambiguous-field",
    "signed with an undocumented field whose `&` and `=` could stand for another parameter",
    PRESENT,
    r#","note":"x&pf=y""#,
    |c, _| c.sign(PRESENT, &PRESENT.1.replace("&offer_id", "&note=x&pf=y&offer_id")),
)];

pub(super) const MP_SIG_MISTAKES: &[MistakeCase] = &[];
