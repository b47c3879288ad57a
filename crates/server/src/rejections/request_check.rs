//! Checks of a refused request against the settings of its app: platform, zone, offer and time.
//!
//! The diagnosis of a rejection uses them, and so does `pactolus explain --request`, which has no bank.

use pactolus_protocol::{Evidence, Parameter, Pf};
use pactolus_types::{UnixMillis, ZoneId};

use crate::midas::freshness::is_in_milliseconds;
use crate::settings::AppSettings;

/// A reason why the app's settings refuse a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestFinding {
    /// A name for programs.
    pub name: &'static str,
    /// The mistake: a lowercase fragment.
    pub finding: String,
    /// The remedy: a lowercase fragment.
    pub fix: String,
}

pub(crate) const TS_IN_MILLISECONDS: &str = "ts-in-milliseconds";

/// Names and values of the configuration in a message: most of them, for a long list.
const NAMES_SHOWN_MAX: usize = 10;

/// All reasons, from the settings of `app`. `clock` says whose clock shows `now`, such as "the bank's clock".
pub fn check_request(
    app: &AppSettings,
    evidence: &Evidence<'_>,
    now: UnixMillis,
    clock: &str,
) -> Vec<RequestFinding> {
    let settings = check_settings(app, evidence);
    settings.into_iter().chain(check_ts(app, evidence, now, clock)).collect()
}

/// Platform, zone and offer.
pub(crate) fn check_settings(app: &AppSettings, evidence: &Evidence<'_>) -> Vec<RequestFinding> {
    let pf = evidence.raw_text(Parameter::Pf).filter(|pf| app.pf.iter().all(|known| known.as_str() != *pf));
    let pf = pf.map(|pf| {
        let allowed = names(app.pf.iter().map(Pf::as_str));
        RequestFinding {
            name: "pf-not-allowed",
            finding: format!("pf is {pf}, which is not a platform of this app"),
            fix: format!("send {allowed}, or add the platform to `pf` of the app"),
        }
    });
    let is_listed = |zone: &str| app.zones.is_empty() || app.zones.iter().any(|known| known.as_str() == zone);
    let zone = evidence.raw_text(Parameter::ZoneId).filter(|zone| !is_listed(zone)).map(|zone| {
        let allowed = names(app.zones.iter().map(ZoneId::as_str));
        RequestFinding {
            name: "zone-not-listed",
            finding: format!("zone_id is {zone}, which is not a zone of this app"),
            fix: format!("send {allowed}, or add the zone to `zones` of the app"),
        }
    });
    let offer = evidence.raw_text(Parameter::OfferId).filter(|offer| *offer != app.offer_id.as_str());
    let offer = offer.map(|offer| RequestFinding {
        name: "other-offer",
        finding: format!("offer_id is {offer}, which is not the offer of this app"),
        fix: format!("send the offer_id {}", app.offer_id),
    });
    pf.into_iter().chain(zone).chain(offer).collect()
}

/// A `ts` in milliseconds, or outside the app's window.
pub(crate) fn check_ts(
    app: &AppSettings,
    evidence: &Evidence<'_>,
    now: UnixMillis,
    clock: &str,
) -> Option<RequestFinding> {
    let ts = evidence.raw_text(Parameter::Ts)?.parse::<u64>().ok()?;
    if is_in_milliseconds(ts) {
        return Some(RequestFinding {
            name: TS_IN_MILLISECONDS,
            finding: "ts is in milliseconds, a thousand times too large".to_owned(),
            fix: "send and sign whole seconds since 1970".to_owned(),
        });
    }
    let window = app.ts_window.filter(|window| ts.abs_diff(now.seconds()) > window.as_secs())?;
    let sent = format_utc(UnixMillis::new(ts.saturating_mul(1000)));
    Some(RequestFinding {
        name: "ts-outside-window",
        finding: format!(
            "ts is {sent}, and {clock} is {}; this app takes a difference of {} s",
            format_utc(now),
            window.as_secs()
        ),
        fix: "sign each request when it is sent, and keep the clocks in step (NTP)".to_owned(),
    })
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<_> = names.take(NAMES_SHOWN_MAX + 1).collect();
    if names.len() > NAMES_SHOWN_MAX {
        names[NAMES_SHOWN_MAX] = "…";
    }
    match names.as_slice() {
        [one] => (*one).to_owned(),
        several => format!("one of {}", several.join(", ")),
    }
}

/// A time in UTC, for people.
pub(crate) fn format_utc(moment: UnixMillis) -> String {
    let date = i64::try_from(moment.get()).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    date.map_or_else(|| format!("{moment} ms after 1970"), |date| date.to_string())
}
