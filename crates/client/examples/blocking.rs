//! Reads a player's balance without an async runtime. The environment variables are those of the example `present`.

use std::env::var;

use anyhow::Context as _;
use pactolus_client::{App, AppSecret, BaseUrl, Client, MidasKey, Player, SessionKey, blocking};

fn main() -> anyhow::Result<()> {
    let needed = |name: &'static str| var(name).with_context(|| format!("{name} is not set"));
    let app = App::sandbox(
        needed("APPID")?.parse()?,
        needed("OFFER_ID")?.parse()?,
        AppSecret::new(&needed("APP_SECRET")?)?,
        MidasKey::new(&needed("SANDBOX_MIDAS_KEY")?)?,
    );
    let base_url = var("PACTOLUS_URL").map_or(Ok(BaseUrl::default()), |url| BaseUrl::new(&url))?;
    let client = blocking::Client::new(Client::builder(app).base_url(base_url).build())?;
    let player = Player::new(needed("OPENID")?.parse()?);
    let player = match var("SESSION_KEY") {
        Ok(session_key) => player.with_session_key(SessionKey::new(&session_key)?),
        Err(_) => player,
    };
    println!("{:?}", client.get_balance(&player)?);
    Ok(())
}
