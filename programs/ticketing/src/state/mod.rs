//! The accounts this program owns. A struct here is the account byte for byte: packed, little endian, which for
//! fields of fixed size is also their Borsh form. Every type is valid for any bytes, so reading one is always sound.

mod closed_event;
mod config;
mod event;
mod organizer;
mod ticket;

pub use {
    closed_event::ClosedEvent,
    config::{Config, MAX_PROTOCOL_FEE_BPS},
    event::{Event, EventStatus, TransferPolicy, Windows},
    organizer::{Organizer, MAX_RESALE_FEE_BPS},
    ticket::{RevokeReason, Ticket, TicketStatus},
};

use {
    crate::faults::{Fault, Outcome},
    pinocchio::{AccountView, Address},
};

/// The layout every account is written in today. Another number is refused, so that a later program can tell.
pub const LAYOUT: u8 = 1;

/// # Safety
/// Implementors are `repr(C, packed)`, valid for any bytes, and begin with a `Head`.
pub unsafe trait State: Sized {
    const DISCRIMINATOR: u64;
    const SIZE: usize = core::mem::size_of::<Self>();
}

/// A bool as the chain holds it.
#[derive(Clone, Copy, PartialEq)]
#[repr(transparent)]
pub struct Flag(u8);

impl Flag {
    pub fn is_set(self) -> bool {
        self.0 != 0
    }
}

impl From<bool> for Flag {
    fn from(value: bool) -> Self {
        Flag(value as u8)
    }
}

/// What every account begins with.
#[derive(Clone, Copy)]
#[repr(C, packed)]
pub struct Head {
    discriminator: u64,
    layout: u8,
    /// The canonical bump of the account's address.
    pub bump: u8,
}

impl Head {
    pub fn of<T: State>(bump: u8) -> Self {
        Head { discriminator: T::DISCRIMINATOR, layout: LAYOUT, bump }
    }
}

/// Declares an account: its fields behind the head.
#[macro_export]
macro_rules! account {
    (
        $(#[doc = $doc:literal])*
        $name:ident { $( $(#[doc = $field_doc:literal])* $field:ident: $type:ty, )* }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy)]
        #[repr(C, packed)]
        pub struct $name {
            pub head: $crate::state::Head,
            $( $(#[doc = $field_doc])* pub $field: $type, )*
        }

        // SAFETY: packed, of integers and byte arrays only.
        unsafe impl $crate::state::State for $name {
            const DISCRIMINATOR: u64 = $crate::wire::discriminator(concat!("account:", stringify!($name)));
        }
    };
}

/// Declares a group of fields that is part of an account and of arguments.
#[macro_export]
macro_rules! record {
    (
        $(#[doc = $doc:literal])*
        $name:ident { $( $(#[doc = $field_doc:literal])* $field:ident: $type:ty, )* }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy)]
        #[repr(C, packed)]
        pub struct $name { $( $(#[doc = $field_doc])* pub $field: $type, )* }
    };
}

/// Declares a one-byte enum that is valid for any byte; what comes in as an argument must be a known value.
#[macro_export]
macro_rules! choices {
    (
        $(#[doc = $doc:literal])*
        $name:ident { $( $(#[doc = $value_doc:literal])* $value:ident = $number:literal, )* }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, PartialEq, PartialOrd)]
        #[repr(transparent)]
        pub struct $name(pub u8);

        #[allow(non_upper_case_globals, dead_code)]
        impl $name {
            $( $(#[doc = $value_doc])* pub const $value: Self = Self($number); )*
        }

        impl<'a> $crate::wire::Arg<'a> for $name {
            #[inline(always)]
            fn read(reader: &mut $crate::wire::Reader<'a>) -> Result<Self, $crate::faults::Fault> {
                match reader.read::<u8>()? {
                    known @ ($($number)|*) => Ok(Self(known)),
                    _ => Err($crate::faults::Fault::BadArgument),
                }
            }
        }
    };
}

/// The account as `T`, after its owner, length, discriminator and layout are found right.
#[inline(always)]
pub fn load<'a, T: State>(account: &'a AccountView, program: &Address) -> Outcome<&'a T> {
    check::<T>(account, program)?;
    // SAFETY: the length is that of `T`, whose alignment is 1 and which is valid for any bytes; nothing else holds
    // a reference into this account, since state of each kind is loaded once per instruction.
    Ok(unsafe { &*(account.data_ptr() as *const T) })
}

/// `load`, to be written to.
#[inline(always)]
pub fn load_mut<'a, T: State>(account: &'a mut AccountView, program: &Address) -> Outcome<&'a mut T> {
    check::<T>(account, program)?;
    // SAFETY: as in `load`.
    Ok(unsafe { &mut *(account.data_mut_ptr() as *mut T) })
}

#[inline(always)]
fn check<T: State>(account: &AccountView, program: &Address) -> Outcome {
    if !account.owned_by(program) || account.data_len() != T::SIZE {
        return Err(Fault::BadAccount);
    }
    // SAFETY: the account is as long as `T`, which begins with a head.
    let head = unsafe { *(account.data_ptr() as *const Head) };
    if head.discriminator != T::DISCRIMINATOR || head.layout != LAYOUT {
        return Err(Fault::BadAccount);
    }
    Ok(())
}

/// Replaces all that an account holds.
#[inline(always)]
pub fn write<T: State>(account: &mut AccountView, content: T) -> Outcome {
    if account.data_len() != T::SIZE {
        return Err(Fault::BadAccount);
    }
    // SAFETY: the length is that of `T`, whose alignment is 1.
    unsafe { (account.data_mut_ptr() as *mut T).write(content) };
    Ok(())
}
