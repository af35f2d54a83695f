//! What happened, for readers of the logs: "Program data:" lines that Anchor's coder decodes. Each is written after
//! an instruction's checks and before its calls of other programs, since a transaction's logs are cut at 10 kB.

use {
    crate::state::{self, Config, EventStatus, Organizer, RevokeReason, TransferPolicy},
    pinocchio::{syscalls::sol_log_data, Address},
};

/// What can be written to the logs.
pub trait Emit: Sized {
    const DISCRIMINATOR: u64;

    #[inline(always)]
    fn emit(self) {
        let logged = Logged(Self::DISCRIMINATOR, self);
        // SAFETY: `Logged` is packed, so its bytes have no gaps.
        let bytes = unsafe {
            core::slice::from_raw_parts(
                &logged as *const Logged<Self> as *const u8,
                core::mem::size_of::<Logged<Self>>(),
            )
        };
        let parts = [bytes];
        // SAFETY: the syscall reads one slice, laid out as pointer and length.
        unsafe { sol_log_data(parts.as_ptr() as *const u8, 1) };
    }
}

#[repr(C, packed)]
struct Logged<T>(u64, T);

macro_rules! events {
    ($( $(#[doc = $doc:literal])* $name:ident { $( $(#[doc = $field_doc:literal])* $field:ident: $type:ty, )* } )*) => { $(
        $(#[doc = $doc])*
        #[repr(C, packed)]
        pub struct $name { $( $(#[doc = $field_doc])* pub $field: $type, )* }

        impl Emit for $name {
            const DISCRIMINATOR: u64 = crate::wire::discriminator(concat!("event:", stringify!($name)));
        }
    )* };
}

events! {
    /// The configuration was created or changed; this is all of it.
    ConfigChanged {
        admin: Address,
        pending_admin: Address,
        treasury: Address,
        protocol_fee_bps: u16,
        paused: bool,
        unix_time: i64,
    }

    /// An organizer was registered or changed; this is all of it.
    OrganizerChanged {
        organizer: Address,
        tenant: [u8; 16],
        authority: Address,
        pending_authority: Address,
        fee_recipient: Address,
        resale_fee_bps: u16,
        unix_time: i64,
    }

    /// An event was created, changed or cancelled; this is all of it that can change.
    EventChanged {
        event: Address,
        organizer: Address,
        gate_authority: Address,
        max_supply: u32,
        transfer_policy: TransferPolicy,
        transfer_opens_at: i64,
        transfer_closes_at: i64,
        check_in_opens_at: i64,
        check_in_closes_at: i64,
        status: EventStatus,
        unix_time: i64,
    }

    /// An event was closed: nothing but closing its tickets is possible from here on.
    EventClosed {
        event: Address,
        organizer: Address,
        unix_time: i64,
    }

    /// A ticket was minted to its first holder.
    TicketMinted {
        event: Address,
        ticket: Address,
        mint: Address,
        to: Address,
        index: u32,
        id: [u8; 16],
        face_value: u64,
        version: u32,
        unix_time: i64,
    }

    /// A ticket went from one holder to another without payment through the program.
    TicketTransferred {
        event: Address,
        ticket: Address,
        mint: Address,
        from: Address,
        to: Address,
        version: u32,
        unix_time: i64,
    }

    /// A ticket was sold on: price = proceeds + royalty + protocol_fee.
    TicketResold {
        event: Address,
        ticket: Address,
        mint: Address,
        from: Address,
        to: Address,
        /// The mint it was paid in; all zeros for SOL.
        currency_mint: Address,
        price: u64,
        /// What the seller got.
        proceeds: u64,
        /// What the organizer got.
        royalty: u64,
        /// What the treasury got.
        protocol_fee: u64,
        version: u32,
        unix_time: i64,
    }

    /// A ticket was used.
    TicketCheckedIn {
        event: Address,
        ticket: Address,
        mint: Address,
        holder: Address,
        version: u32,
        unix_time: i64,
    }

    /// A ticket was made void and its NFT burned.
    TicketRevoked {
        event: Address,
        ticket: Address,
        mint: Address,
        from: Address,
        reason: RevokeReason,
        version: u32,
        unix_time: i64,
    }

    /// A ticket was given to another wallet by its organizer, since its holder had lost theirs.
    TicketReissued {
        event: Address,
        ticket: Address,
        mint: Address,
        from: Address,
        to: Address,
        version: u32,
        unix_time: i64,
    }

    /// A ticket's account was closed after its event, and the NFT burned or, if kept, left to its holder for good.
    TicketClosed {
        event: Address,
        ticket: Address,
        mint: Address,
        from: Address,
        kept: bool,
        version: u32,
        unix_time: i64,
    }
}

impl ConfigChanged {
    pub fn of(config: &Config, unix_time: i64) -> Self {
        ConfigChanged {
            admin: config.admin,
            pending_admin: config.pending_admin,
            treasury: config.treasury,
            protocol_fee_bps: config.protocol_fee_bps,
            paused: config.paused.is_set(),
            unix_time,
        }
    }
}

impl OrganizerChanged {
    pub fn of(organizer: &Organizer, address: &Address, unix_time: i64) -> Self {
        OrganizerChanged {
            organizer: *address,
            tenant: organizer.tenant,
            authority: organizer.authority,
            pending_authority: organizer.pending_authority,
            fee_recipient: organizer.fee_recipient,
            resale_fee_bps: organizer.resale_fee_bps,
            unix_time,
        }
    }
}

impl EventChanged {
    pub fn of(event: &state::Event, address: &Address, unix_time: i64) -> Self {
        EventChanged {
            event: *address,
            organizer: event.organizer,
            gate_authority: event.gate_authority,
            max_supply: event.max_supply,
            transfer_policy: event.transfer_policy,
            transfer_opens_at: event.windows.transfer_opens_at,
            transfer_closes_at: event.windows.transfer_closes_at,
            check_in_opens_at: event.windows.check_in_opens_at,
            check_in_closes_at: event.windows.check_in_closes_at,
            status: event.status,
            unix_time,
        }
    }
}
