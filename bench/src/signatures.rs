//! CPU time to verify a present, compared with its two HMAC-SHA256.
//!
//! The bare HMACs run over prepared texts of the same lengths, from states that hold their keys already. Full
//! verification starts with the bytes of the body; the signatures alone start with its parsed fields.

use std::hint::black_box;
use std::time::Instant;

use anyhow::ensure;
use hmac::{Hmac, KeyInit, Mac};
use pactolus_protocol::sign::text::{masked_mp_sig_text, masked_sig_text};
use pactolus_protocol::{Body, Call, Dialect, DialectPolicy, MpSig, Present, UnverifiedCall};
use pactolus_test_support::sample::{ACCESS_TOKEN, MIDAS_KEY, SESSION_KEY};
use serde::Serialize;
use sha2::Sha256;

use crate::suite::SuiteOptions;
use crate::workload::{ENVIRONMENT, PresentWorkload};
use pactolus_reports::interleave::{Spread, measure_interleaved};
use pactolus_reports::report::ReportSection;
use pactolus_reports::table::{MarkdownTable, to_f64};

#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Presents verified in one measurement [default: 2,000; 500 with --quick]
    #[arg(long)]
    presents: Option<u64>,
    /// Rounds; each measures every stage once [default: 1,001; 101 with --quick]
    #[arg(long)]
    rounds: Option<u64>,
}

/// Bodies that are verified in rotation. Few enough to stay in the core's cache, like a body that was just received.
const BODY_COUNT: u64 = 64;

#[derive(Clone, Copy)]
enum VerifyStage {
    /// Two HMACs over prepared texts.
    Hmacs,
    /// `verify_sig` and `verify_mp_sig` of parsed calls.
    Signatures,
    /// From the bytes of the body to a verified call.
    FullBody,
}

#[derive(Serialize)]
struct SignaturesReport {
    presents: u64,
    rounds: u64,
    /// Lengths of the two HMAC inputs, including the keys at their ends.
    text_bytes: [usize; 2],
    two_hmacs_ns: Spread,
    signatures_ns: Spread,
    whole_ns: Spread,
    signatures_over_two_hmacs: Spread,
    whole_over_two_hmacs: Spread,
}

/// Measures the three stages interleaved.
pub(crate) fn run(arguments: &Args, options: &SuiteOptions) -> anyhow::Result<ReportSection> {
    let presents = arguments.presents.unwrap_or(options.pick(2000, 500));
    let rounds = arguments.rounds.unwrap_or(options.pick(1001, 101));
    eprintln!("signatures: {presents} presents at a time");
    let workload = PresentWorkload::for_players(100_000);
    let bodies: Vec<String> = (0..BODY_COUNT).map(|number| workload.signed_present(number)).collect();
    let parsed = bodies.iter().map(|body| Body::parse(body.as_bytes())).collect::<Result<Vec<_>, _>>()?;
    let texts = parsed.iter().map(signed_texts).collect::<anyhow::Result<Vec<_>>>()?;
    let received = parsed.iter().map(read_call).collect::<anyhow::Result<Vec<_>>>()?;
    let (midas_mac, session_mac) = (keyed_mac(MIDAS_KEY), keyed_mac(SESSION_KEY));

    let subjects = [VerifyStage::Hmacs, VerifyStage::Signatures, VerifyStage::FullBody];
    let measured = measure_interleaved(rounds, &subjects, |subject| {
        let numbers = (0..bodies.len()).cycle().take(usize::try_from(presents)?);
        let started = Instant::now();
        match subject {
            VerifyStage::Hmacs => numbers.for_each(|number| {
                let [sig, mp_sig] = &texts[number];
                black_box(hmac(&midas_mac, sig));
                black_box(hmac(&session_mac, mp_sig));
            }),
            VerifyStage::Signatures => {
                for number in numbers {
                    verify(&workload, black_box(&received[number]))?;
                }
            }
            VerifyStage::FullBody => {
                for number in numbers {
                    let body = Body::parse(black_box(bodies[number].as_bytes()))?;
                    verify(&workload, &read_call(&body)?)?;
                }
            }
        }
        Ok(started.elapsed().as_secs_f64() * 1e9 / to_f64(presents))
    })?;

    let spread = |subject: usize| Spread::from_samples(measured[subject].iter().copied());
    let ratio =
        |subject: usize| Spread::from_ratios(measured[subject].iter().copied(), measured[0].iter().copied());
    let figures = SignaturesReport {
        presents,
        rounds,
        text_bytes: texts[0].each_ref().map(Vec::len),
        two_hmacs_ns: spread(0),
        signatures_ns: spread(1),
        whole_ns: spread(2),
        signatures_over_two_hmacs: ratio(1),
        whole_over_two_hmacs: ratio(2),
    };
    ReportSection::new("signatures", figures.table(), &figures)
}

impl SignaturesReport {
    fn table(&self) -> String {
        let mut table = MarkdownTable::new(&[
            "What",
            "Nanoseconds (least · median · most)",
            "Relative to the two HMACs",
            "Goal",
        ]);
        let [sig, mp_sig] = self.text_bytes;
        table.push_row(&[
            format!("two bare HMACs, over {sig} and {mp_sig} bytes"),
            self.two_hmacs_ns.to_string(),
            String::new(),
            String::new(),
        ]);
        table.push_row(&[
            "both signatures of a present, fields parsed".to_owned(),
            self.signatures_ns.to_string(),
            format!("{:.2}", self.signatures_over_two_hmacs),
            String::new(),
        ]);
        table.push_row(&[
            "verifying a present, from the bytes of its body".to_owned(),
            self.whole_ns.to_string(),
            format!("{:.2}", self.whole_over_two_hmacs),
            "≤ 1.5".to_owned(),
        ]);
        table.to_string()
    }
}

fn read_call<'b>(body: &'b Body<'b>) -> anyhow::Result<UnverifiedCall<'b, Present>> {
    Ok(UnverifiedCall::read(ENVIRONMENT, body, MpSig::Required)?)
}

fn verify(workload: &PresentWorkload, received: &UnverifiedCall<'_, Present>) -> anyhow::Result<()> {
    received.verify_sig(&workload.midas_key, DialectPolicy::Lenient)?;
    received.verify_mp_sig(&workload.session_key, &workload.access_token, DialectPolicy::Lenient)?;
    Ok(())
}

/// The signed texts: the masked ones with their secrets put back.
fn signed_texts(body: &Body<'_>) -> anyhow::Result<[Vec<u8>; 2]> {
    let path = Present::path(ENVIRONMENT);
    let sig = pactolus_protocol::sign::sig(
        path,
        body,
        Dialect::DOCUMENTED,
        &PresentWorkload::for_players(1).midas_key,
    )
    .to_string();
    let sig_text = masked_sig_text(path, body, Dialect::DOCUMENTED).replace("***", MIDAS_KEY);
    let mp_sig_text = masked_mp_sig_text(path, body, Dialect::DOCUMENTED, &sig)
        .replacen("***", ACCESS_TOKEN, 1)
        .replace("***", SESSION_KEY);
    let made: [u8; 32] = hmac(&keyed_mac(MIDAS_KEY), sig_text.as_bytes());
    let hex: String = made.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    ensure!(hex == sig, "the measured text differs from the signed one");
    Ok([sig_text.into_bytes(), mp_sig_text.into_bytes()])
}

fn keyed_mac(key: &str) -> Hmac<Sha256> {
    Hmac::new_from_slice(key.as_bytes()).expect("HMAC takes a key of any length")
}

fn hmac(keyed_mac: &Hmac<Sha256>, text: &[u8]) -> [u8; 32] {
    let mut mac = keyed_mac.clone();
    mac.update(black_box(text));
    mac.finalize().into_bytes().into()
}
