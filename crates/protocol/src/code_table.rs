//! The table of codes of a wire: a number, the words that every `errmsg` of the code starts with, and whether the same
//! request, unchanged, may succeed later.

/// Declares the enum of a table.
macro_rules! code_table {
    (
        $(#[$table_doc:meta])* $table:ident
        { $($(#[$doc:meta])* $name:ident = $code:literal, $errmsg:literal, $retry:ident;)* }
    ) => {
        $(#[$table_doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $table {
            $($(#[$doc])* $name,)*
        }

        impl $table {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The `errcode`.
            pub const fn code(self) -> i32 {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// The words with which every `errmsg` of this code starts.
            pub const fn errmsg(self) -> &'static str {
                match self {
                    $(Self::$name => $errmsg,)*
                }
            }

            /// Whether the same request, unchanged, may succeed later.
            pub const fn retryable(self) -> bool {
                match self {
                    $(Self::$name => $crate::code_table::code_table!(@ $retry),)*
                }
            }
        }
    };
    (@ retryable) => { true };
    (@ permanent) => { false };
}

/// Names the codes of a table as constants of [`ErrorCode`](crate::ErrorCode), for tables whose names are unique.
macro_rules! code_names {
    ($variant:ident($table:ident): $($name:ident)*) => {
        #[expect(non_upper_case_globals, reason = "a code reads the same with and without its table")]
        impl $crate::ErrorCode {
            $(
                #[doc = concat!("[`", stringify!($table), "::", stringify!($name), "`]")]
                pub const $name: Self = Self::$variant($table::$name);
            )*
        }
    };
}

pub(crate) use {code_names, code_table};
