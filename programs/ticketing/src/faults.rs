//! Every way the program itself says no. Token-2022 and the system program have codes of their own below 6000.

use pinocchio::error::ProgramError;

macro_rules! faults {
    ($( $(#[doc = $doc:literal])* $name:ident = $code:literal, )*) => {
        #[derive(Clone, Copy)]
        #[repr(u32)]
        pub enum Fault { $( $(#[doc = $doc])* $name = $code, )* }
    };
}

faults! {
    /// A required signature is missing, or the signer is not the one that state names for this act.
    Unauthorized = 6000,
    /// The program is paused by its admin.
    Paused = 6001,
    /// The event is cancelled or closed.
    EventClosed = 6002,
    /// The event's policy does not allow this transfer or resale.
    TransferDisabled = 6003,
    /// The price is above face value times the event's resale cap.
    PriceAboveCap = 6004,
    /// The ticket has been checked in.
    AlreadyUsed = 6005,
    /// The ticket has been revoked.
    Revoked = 6006,
    /// The ticket's index is not below the event's supply.
    IndexOutOfRange = 6007,
    /// An account is missing, not the one expected, of another type or owner, or not writable.
    BadAccount = 6008,
    /// An amount is too large to be reckoned with.
    MathOverflow = 6009,
    /// The instruction data is truncated, too long, or holds a value that is not allowed.
    BadArgument = 6010,
    /// The first eight bytes name no instruction of this program.
    UnknownInstruction = 6011,
    /// The account to be created exists: this ticket, event, organizer or configuration is already there.
    AlreadyExists = 6012,
    /// The window for this act has not opened yet.
    TooEarly = 6013,
    /// The window for this act has closed.
    TooLate = 6014,
    /// The event is neither cancelled nor past the end of its check-in window.
    EventNotOver = 6015,
    /// After fees the seller would get less than they asked for.
    ProceedsTooLow = 6016,
    /// A payment did not arrive in full.
    PaymentShort = 6017,
    /// The cluster's rent has a form that this program does not know.
    UnknownRent = 6018,
}

/// What functions here return. `Fault` and not `ProgramError`, since an error of one word comes back in a register.
pub type Outcome<T = ()> = Result<T, Fault>;

impl From<Fault> for ProgramError {
    #[inline(always)]
    fn from(fault: Fault) -> Self {
        ProgramError::Custom(fault as u32)
    }
}

/// The library's own errors are about accounts: one that is borrowed, or not the one a call names.
impl From<ProgramError> for Fault {
    #[inline(always)]
    fn from(_: ProgramError) -> Self {
        Fault::BadAccount
    }
}
