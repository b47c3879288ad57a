//! Names of the members of a body on the raw wires, and the JSON form of each.

use std::fmt;

use super::path::RawWire;

macro_rules! members {
    ($($variant:ident = $name:literal, $form:ident;)*) => {
        /// A documented member of a body.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "the pages under docs/protocol have a table of their meanings")]
        pub enum Member {
            $($variant,)*
        }

        impl Member {
            /// Every member, sorted by name.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name on the wire.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The member with this name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// Its JSON form.
            pub const fn form(self) -> MemberForm {
                match self {
                    $(Self::$variant => MemberForm::$form,)*
                }
            }
        }
    };
}

members! {
    Amount = "amount", Integer;
    BillNo = "bill_no", Text;
    BizId = "biz_id", Integer;
    CoinType = "coin_type", Integer;
    DeviceType = "device_type", Ignored;
    Env = "env", Integer;
    OfferId = "offer_id", Text;
    OpenId = "openid", Text;
    OrderId = "order_id", Text;
    OutTradeNo = "out_trade_no", Text;
    PayBillNo = "pay_bill_no", Text;
    PayOrderId = "pay_order_id", Text;
    PayItem = "payitem", Text;
    Remark = "remark", Text;
    Ts = "ts", Integer;
    UserIp = "user_ip", Ignored;
    ZoneId = "zone_id", TextOrDigits;
}

/// JSON form of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberForm {
    /// A string.
    Text,
    /// An integer, or its decimal digits as a string, which some public clients send.
    Integer,
    /// A string, or an integer that stands for its digits.
    TextOrDigits,
    /// Anything: public clients differ, and the bank does not need it.
    Ignored,
}

impl Member {
    /// The order's own number on a wire.
    pub const fn number(wire: RawWire) -> Self {
        match wire {
            RawWire::Game => Self::BillNo,
            RawWire::Xpay => Self::OrderId,
        }
    }

    /// The number of the pay to give back on a wire.
    pub const fn pay_number(wire: RawWire) -> Self {
        match wire {
            RawWire::Game => Self::PayBillNo,
            RawWire::Xpay => Self::PayOrderId,
        }
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_sorted_and_numbered_by_name() {
        assert!(Member::ALL.is_sorted_by(|a, b| a.name() < b.name()));
        for (number, member) in Member::ALL.iter().enumerate() {
            assert_eq!(*member as usize, number);
            assert_eq!(Member::from_name(member.name()), Some(*member));
        }
    }
}
