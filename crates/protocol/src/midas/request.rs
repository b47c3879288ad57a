//! Request body of a client, signed in the documented dialect.

use pactolus_types::Environment;

use crate::json::ObjectWriter;
use crate::midas::body::{Body, Value};
use crate::midas::call::Call;
use crate::midas::parameter::Parameter;
use crate::midas::sign::{self, Dialect};
use crate::secret::{AccessToken, MidasKey, SessionKey};

/// The JSON body of `call` with `sig`. Given the player's session key and the query's token, `mp_sig` follows.
///
/// The fields are in the order of the vendor's example.
pub fn signed_body<C: Call>(
    call: &C,
    environment: Environment,
    midas_key: &MidasKey,
    session: Option<(&SessionKey, &AccessToken)>,
) -> String {
    let path = C::path(environment);
    let fields = call.fields();
    let body = Body::from_parameters(fields.iter().cloned());
    let sig = sign::sig(path, &body, Dialect::DOCUMENTED, midas_key).to_string();
    let mut object = fields.iter().fold(ObjectWriter::new(), write_field).text(Parameter::Sig.name(), &sig);
    if let Some((session_key, token)) = session {
        let mp_sig = sign::mp_sig(path, &body, Dialect::DOCUMENTED, &sig, token, session_key);
        object = object.text(Parameter::MpSig.name(), &mp_sig.to_string());
    }
    String::from_utf8(object.finish()).expect("every part written was UTF-8")
}

fn write_field(object: ObjectWriter, (parameter, value): &(Parameter, Value<'_>)) -> ObjectWriter {
    match value {
        Value::Text(text) => object.text(parameter.name(), text),
        Value::Number(digits) => object.number(parameter.name(), digits),
        Value::Literal(_) | Value::Nested => {
            unreachable!("no request type writes anything but texts and integers")
        }
    }
}
