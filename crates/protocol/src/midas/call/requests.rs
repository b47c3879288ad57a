//! Request types of the four calls: fields, parsing, serialisation.
//!
//! Parameters are read in the order of the tables in `docs/protocol/midas.md`; the first wrong one is reported.

use std::borrow::Cow;
use std::net::IpAddr;

use pactolus_types::{Amount, AppId, BillNo, OfferId, OpenId, ZoneId};

use super::fields::RequestFields;
use super::reader::{ParameterReader, amount};
use super::{Call, CallKind};
use crate::error::ErrorReply;
use crate::midas::body::{Body, Value};
use crate::midas::parameter::Parameter;
use crate::midas::reply::{BalanceReply, CancelPayReply, PayReply, PresentReply};
use crate::values::{FreeText, InvalidValue, Pf, UnixSeconds, WithoutInput};

/// The common parameters: the caller and the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The player.
    pub openid: OpenId,
    /// The mini game.
    pub appid: AppId,
    /// The coin.
    pub offer_id: OfferId,
    /// The caller's clock.
    pub ts: UnixSeconds,
    /// The zone.
    pub zone_id: ZoneId,
    /// The platform.
    pub pf: Pf,
    /// The player's IP address, if sent.
    pub user_ip: Option<IpAddr>,
}

/// Gives coins to a player.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// The caller and the account that receives.
    pub caller: Caller,
    /// The amount.
    pub present_counts: Amount,
    /// The order's number and idempotency key.
    pub bill_no: BillNo,
}

/// Reads a player's balance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetBalance {
    /// The caller and the account.
    pub caller: Caller,
}

/// Takes coins from a player.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pay {
    /// The caller and the account that pays.
    pub caller: Caller,
    /// The amount.
    pub amt: Amount,
    /// The order's number and idempotency key.
    pub bill_no: BillNo,
    /// The item bought.
    pub pay_item: Option<FreeText>,
    /// A note.
    pub app_remark: Option<FreeText>,
}

/// Gives back the coins of a pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelPay {
    /// The caller and the account of the pay.
    pub caller: Caller,
    /// The bill number of the pay.
    pub bill_no: BillNo,
    /// The item of the pay.
    pub pay_item: Option<FreeText>,
}

impl Call for Present {
    const KIND: CallKind = CallKind::Present;
    type Reply = PresentReply;

    fn caller(&self) -> &Caller {
        &self.caller
    }

    fn from_body(body: &Body<'_>) -> Result<Self, ErrorReply> {
        let reader = ParameterReader::new(body);
        Ok(Self {
            caller: Caller::read(&reader)?,
            present_counts: reader.required(Parameter::PresentCounts, amount)?,
            bill_no: reader.required(Parameter::BillNo, |text| BillNo::new(text).map_err(WithoutInput))?,
        })
    }
}

impl RequestFields for Present {
    fn fields(&self) -> Vec<SentParameter<'_>> {
        let mut fields = self.caller.fields();
        fields.push(integer(Parameter::PresentCounts, self.present_counts.get()));
        fields.push(text(Parameter::BillNo, self.bill_no.as_str()));
        fields
    }
}

impl Call for GetBalance {
    const KIND: CallKind = CallKind::GetBalance;
    type Reply = BalanceReply;

    fn caller(&self) -> &Caller {
        &self.caller
    }

    fn from_body(body: &Body<'_>) -> Result<Self, ErrorReply> {
        Ok(Self { caller: Caller::read(&ParameterReader::new(body))? })
    }
}

impl RequestFields for GetBalance {
    fn fields(&self) -> Vec<SentParameter<'_>> {
        self.caller.fields()
    }
}

impl Call for Pay {
    const KIND: CallKind = CallKind::Pay;
    type Reply = PayReply;

    fn caller(&self) -> &Caller {
        &self.caller
    }

    fn from_body(body: &Body<'_>) -> Result<Self, ErrorReply> {
        let reader = ParameterReader::new(body);
        Ok(Self {
            caller: Caller::read(&reader)?,
            amt: reader.required(Parameter::Amt, amount)?,
            bill_no: reader.required(Parameter::BillNo, |text| BillNo::new(text).map_err(WithoutInput))?,
            pay_item: reader.optional(Parameter::PayItem, FreeText::new)?,
            app_remark: reader.optional(Parameter::AppRemark, FreeText::new)?,
        })
    }
}

impl RequestFields for Pay {
    fn fields(&self) -> Vec<SentParameter<'_>> {
        let mut fields = self.caller.fields();
        fields.push(integer(Parameter::Amt, self.amt.get()));
        fields.push(text(Parameter::BillNo, self.bill_no.as_str()));
        fields.extend(self.pay_item.as_ref().map(|item| text(Parameter::PayItem, item.as_str())));
        fields.extend(self.app_remark.as_ref().map(|remark| text(Parameter::AppRemark, remark.as_str())));
        fields
    }
}

impl Call for CancelPay {
    const KIND: CallKind = CallKind::CancelPay;
    type Reply = CancelPayReply;

    fn caller(&self) -> &Caller {
        &self.caller
    }

    fn from_body(body: &Body<'_>) -> Result<Self, ErrorReply> {
        let reader = ParameterReader::new(body);
        Ok(Self {
            caller: Caller::read(&reader)?,
            bill_no: reader.required(Parameter::BillNo, |text| BillNo::new(text).map_err(WithoutInput))?,
            pay_item: reader.optional(Parameter::PayItem, FreeText::new)?,
        })
    }
}

impl RequestFields for CancelPay {
    fn fields(&self) -> Vec<SentParameter<'_>> {
        let mut fields = self.caller.fields();
        fields.push(text(Parameter::BillNo, self.bill_no.as_str()));
        fields.extend(self.pay_item.as_ref().map(|item| text(Parameter::PayItem, item.as_str())));
        fields
    }
}

impl Caller {
    fn read(reader: &ParameterReader<'_, '_>) -> Result<Self, ErrorReply> {
        Ok(Self {
            openid: reader.required(Parameter::OpenId, |text| OpenId::new(text).map_err(WithoutInput))?,
            appid: reader.required(Parameter::AppId, |text| AppId::new(text).map_err(WithoutInput))?,
            offer_id: reader.required(Parameter::OfferId, |text| OfferId::new(text).map_err(WithoutInput))?,
            ts: reader.required(Parameter::Ts, unix_seconds)?,
            zone_id: reader.required(Parameter::ZoneId, |text| ZoneId::new(text).map_err(WithoutInput))?,
            pf: reader.required(Parameter::Pf, Pf::new)?,
            user_ip: reader.optional(Parameter::UserIp, address)?,
        })
    }

    fn fields(&self) -> Vec<SentParameter<'_>> {
        let mut fields = vec![
            text(Parameter::OpenId, self.openid.as_str()),
            text(Parameter::AppId, self.appid.as_str()),
            text(Parameter::OfferId, self.offer_id.as_str()),
            integer(Parameter::Ts, self.ts.get()),
            text(Parameter::ZoneId, self.zone_id.as_str()),
            text(Parameter::Pf, self.pf.as_str()),
        ];
        fields.extend(self.user_ip.map(|address| (Parameter::UserIp, owned_text(address.to_string()))));
        fields
    }
}

fn unix_seconds(digits: &str) -> Result<UnixSeconds, InvalidValue> {
    digits.parse().map_err(|_| InvalidValue::UnixSeconds).and_then(UnixSeconds::new)
}

fn address(text: &str) -> Result<IpAddr, &'static str> {
    text.parse().map_err(|_| "is neither an IPv4 nor an IPv6 address, nor empty")
}

type SentParameter<'a> = (Parameter, Value<'a>);

fn text(parameter: Parameter, value: &str) -> SentParameter<'_> {
    (parameter, Value::Text(Cow::Borrowed(value)))
}

fn owned_text(value: String) -> Value<'static> {
    Value::Text(Cow::Owned(value))
}

fn integer(parameter: Parameter, value: u64) -> SentParameter<'static> {
    (parameter, Value::Number(Cow::Owned(value.to_string())))
}
