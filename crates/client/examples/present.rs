//! Gives a player 233 coins in a bank that `pactolus init` and `pactolus serve` have set up:
//!
//! ```sh
//! PACTOLUS_URL=http://127.0.0.1:8790 APPID=wx1234567 OFFER_ID=12345678 APP_SECRET=… SANDBOX_MIDAS_KEY=… \
//!   OPENID=odkx20ENSNa2w5y3g_qOkOvBNM1g SESSION_KEY=… cargo run -p pactolus-client --example present
//! ```
//!
//! Without `PACTOLUS_URL` the same program calls the vendor's host.

use std::env::var;

use anyhow::Context as _;
use pactolus_client::{
    Amount, App, AppSecret, BaseUrl, BillNoGenerator, Client, MidasKey, OrderOutcome, Player, PresentRequest,
    SessionKey,
};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let app = App::sandbox(
        needed("APPID")?.parse()?,
        needed("OFFER_ID")?.parse()?,
        AppSecret::new(&needed("APP_SECRET")?)?,
        MidasKey::new(&needed("SANDBOX_MIDAS_KEY")?)?,
    );
    let base_url = var("PACTOLUS_URL").map_or(Ok(BaseUrl::default()), |url| BaseUrl::new(&url))?;
    let client = Client::builder(app).base_url(base_url).build();

    let mut player = Player::new(needed("OPENID")?.parse()?);
    if let Ok(session_key) = var("SESSION_KEY") {
        player = player.with_session_key(SessionKey::new(&session_key)?);
    }
    // A real back end stores the bill number with the gift before the call, and reads it back after a crash.
    let bill_no = BillNoGenerator::with_prefix("example-")?.next();
    let gift = PresentRequest { player, coins: Amount::new(233)?, bill_no };
    match client.present(&gift).await {
        Ok(given) => println!("{bill_no}: given; {given:?}"),
        Err(error) if error.outcome() == OrderOutcome::Unknown => {
            println!("{bill_no}: outcome unknown ({error}); retrying");
            println!("{bill_no}: given; {:?}", client.retry_present(&gift).await?);
        }
        Err(error) => return Err(error).with_context(|| format!("{bill_no}: nothing was given")),
    }
    Ok(())
}

fn needed(name: &str) -> anyhow::Result<String> {
    var(name).with_context(|| format!("the environment variable {name} is not set"))
}
