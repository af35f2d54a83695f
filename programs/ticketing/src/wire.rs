//! The wire format, compatible with Anchor: an instruction is eight bytes of sha256("global:<name>") and then its
//! arguments in Borsh. The blocks written with these macros are also what the IDL is generated from, so every
//! account, argument, flag and comment in it is the one the program runs with.

use {
    crate::faults::{Fault, Outcome},
    pinocchio::Address,
    sha2_const_stable::Sha256,
};

/// The first eight bytes of sha256(`preimage`), computed while compiling.
pub const fn discriminator(preimage: &str) -> u64 {
    let hash = Sha256::new().update(preimage.as_bytes()).finalize();
    let mut first = [0; 8];
    let mut at = 0;
    while at < 8 {
        first[at] = hash[at];
        at += 1;
    }
    u64::from_le_bytes(first)
}

/// Declares an instruction: `Accounts` (order, signer and writable flags, fixed addresses), `Args` and `run`, which
/// refuses a wrong number of accounts, a missing signature or flag, and data that is short, malformed or too long
/// before `process` of the same module sees anything.
#[macro_export]
macro_rules! instruction {
    (
        $(#[doc = $doc:literal])*
        $name:ident {
            accounts { $( $(#[doc = $account_doc:literal])* $account:ident: [$($flag:ident)*] $(= $address:ident)?, )* }
            args { $( $(#[doc = $arg_doc:literal])* $arg:ident: $type:ty, )* }
        }
    ) => {
        pub const DISCRIMINATOR: u64 = $crate::wire::discriminator(concat!("global:", stringify!($name)));

        $(#[doc = $doc])*
        #[allow(dead_code)]
        pub struct Accounts<'a> {
            $( $(#[doc = $account_doc])* pub $account: &'a mut pinocchio::AccountView, )*
        }

        #[allow(dead_code)]
        pub struct Args<'a> {
            $( $(#[doc = $arg_doc])* pub $arg: $type, )*
            /// The arguments as they came, for what is passed on unchanged.
            pub raw: &'a [u8],
        }

        #[inline(never)]
        pub fn run(invocation: &mut $crate::Invocation) -> $crate::faults::Outcome {
            let program = invocation.program;
            let [$($account),*] = &mut *invocation.accounts else {
                return Err($crate::faults::Fault::BadAccount);
            };
            $( $crate::check_flags!(program, $account, $($flag)*); )*
            $( $( $crate::check_address!($account, $address); )? )*
            #[allow(unused_mut)]
            let mut reader = $crate::wire::Reader { rest: invocation.data };
            let args = Args { $( $arg: reader.read()?, )* raw: invocation.data };
            reader.finish()?;
            process(program, Accounts { $($account),* }, args)
        }
    };
}

/// `optional` stands first and lets the program's own address stand for "none", as Anchor does.
#[macro_export]
macro_rules! check_flags {
    ($program:ident, $account:ident, optional $($flag:ident)*) => {
        if $account.address() != $program {
            $crate::check_flags!($program, $account, $($flag)*);
        }
    };
    ($program:ident, $account:ident, $($flag:ident)*) => {
        $( $crate::check_flag!($account, $flag); )*
    };
}

#[macro_export]
macro_rules! check_address {
    ($account:ident, $address:ident) => {
        if $account.address() != &$crate::ids::$address {
            return Err($crate::faults::Fault::BadAccount);
        }
    };
}

#[macro_export]
macro_rules! check_flag {
    ($account:ident, signer) => {
        if !$account.is_signer() {
            return Err($crate::faults::Fault::Unauthorized);
        }
    };
    ($account:ident, writable) => {
        if !$account.is_writable() {
            return Err($crate::faults::Fault::BadAccount);
        }
    };
}

/// Reads Borsh front to back.
pub struct Reader<'a> {
    pub rest: &'a [u8],
}

impl<'a> Reader<'a> {
    #[inline(always)]
    pub fn read<T: Arg<'a>>(&mut self) -> Outcome<T> {
        T::read(self)
    }

    #[inline(always)]
    fn take(&mut self, length: usize) -> Outcome<&'a [u8]> {
        if length > self.rest.len() {
            return Err(Fault::BadArgument);
        }
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        Ok(taken)
    }

    #[inline(always)]
    fn array<const N: usize>(&mut self) -> Outcome<[u8; N]> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        Ok(bytes)
    }

    #[inline(always)]
    pub fn finish(self) -> Outcome {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Fault::BadArgument)
        }
    }
}

/// An argument type. What Borsh would not write (a bool of 2) is refused.
pub trait Arg<'a>: Sized {
    fn read(reader: &mut Reader<'a>) -> Outcome<Self>;
}

macro_rules! integer_args {
    ($($type:ty)*) => { $(
        impl<'a> Arg<'a> for $type {
            #[inline(always)]
            fn read(reader: &mut Reader<'a>) -> Outcome<Self> {
                Ok(<$type>::from_le_bytes(reader.array()?))
            }
        }
    )* };
}
integer_args!(u8 u16 u32 u64 i64);

impl<'a> Arg<'a> for bool {
    #[inline(always)]
    fn read(reader: &mut Reader<'a>) -> Outcome<Self> {
        match reader.read::<u8>()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Fault::BadArgument),
        }
    }
}

impl<'a> Arg<'a> for [u8; 16] {
    #[inline(always)]
    fn read(reader: &mut Reader<'a>) -> Outcome<Self> {
        reader.array()
    }
}

impl<'a> Arg<'a> for Address {
    #[inline(always)]
    fn read(reader: &mut Reader<'a>) -> Outcome<Self> {
        Ok(Address::new_from_array(reader.array()?))
    }
}

impl<'a, T: Arg<'a>> Arg<'a> for Option<T> {
    #[inline(always)]
    fn read(reader: &mut Reader<'a>) -> Outcome<Self> {
        Ok(if reader.read::<bool>()? { Some(reader.read()?) } else { None })
    }
}

/// A string of at most `MAX` bytes, kept with its length prefix as it came: Token-2022 takes the same bytes, and
/// checks there that they are UTF-8.
pub struct Text<'a, const MAX: usize> {
    pub borsh: &'a [u8],
}

impl<'a, const MAX: usize> Arg<'a> for Text<'a, MAX> {
    #[inline(always)]
    fn read(reader: &mut Reader<'a>) -> Outcome<Self> {
        let from = reader.rest;
        let length = reader.read::<u32>()? as usize;
        if length > MAX {
            return Err(Fault::BadArgument);
        }
        reader.take(length)?;
        Ok(Text { borsh: &from[..4 + length] })
    }
}
