use {
    crate::{
        account, choices,
        faults::{Fault, Outcome},
        pda, record,
        state::{self, ClosedEvent, Flag},
        wire::{Arg, Reader},
    },
    pinocchio::{AccountView, Address},
};

account! {
    /// One per show, at ["event", organizer, id]. Minting reads it and never writes it, so mints of one event do not
    /// queue for it: capacity holds because a ticket's address contains its index, and the index is below max_supply.
    Event {
        organizer: Address,
        /// The event's id in the service, a UUID's 16 bytes.
        id: [u8; 16],
        /// Bump of ["auth", event], which holds every authority over the event's mints and token accounts.
        auth_bump: u8,
        /// Signs check-ins.
        gate_authority: Address,
        /// The mint resales are paid in; all zeros for SOL. Fixed, since face values are counted in it.
        currency_mint: Address,
        /// Gets back the rent of whatever is closed. Fixed, so that who pays for minting can rely on it.
        rent_recipient: Address,
        /// Ticket indices are below this. May grow.
        max_supply: u32,
        /// The highest resale price, in 1/100 of a percent of the face value. Fixed: it is part of what was bought.
        resale_cap_bps: u16,
        /// How tickets may change hands. May be loosened, never tightened.
        transfer_policy: TransferPolicy,
        /// Whether tickets stay with their holders, free to move, when they are closed. Fixed.
        keep_collectible: Flag,
        /// When tickets may move and be checked in.
        windows: Windows,
        status: EventStatus,
    }
}

choices! {
    /// How tickets may change hands, from free to not at all.
    TransferPolicy {
        /// The holder decides.
        Open = 0,
        /// The organizer's authority signs too.
        OrganizerApproved = 1,
        /// Only by resale, so the price cap and the fees hold.
        ResaleOnly = 2,
        /// Not at all.
        Locked = 3,
    }
}

choices! {
    /// The life of an event account. What is closed is another account type.
    EventStatus {
        Active = 0,
        /// For good: tickets can no longer be minted, moved or checked in.
        Cancelled = 1,
    }
}

record! {
    /// Unix seconds, both ends included; 0 leaves an end open.
    Windows {
        transfer_opens_at: i64,
        transfer_closes_at: i64,
        check_in_opens_at: i64,
        check_in_closes_at: i64,
    }
}

impl<'a> Arg<'a> for Windows {
    #[inline(always)]
    fn read(reader: &mut Reader<'a>) -> Outcome<Self> {
        let windows = Windows {
            transfer_opens_at: reader.read()?,
            transfer_closes_at: reader.read()?,
            check_in_opens_at: reader.read()?,
            check_in_closes_at: reader.read()?,
        };
        let ordered = |opens: i64, closes: i64| opens >= 0 && closes >= 0 && (closes == 0 || opens <= closes);
        let sound = ordered(windows.transfer_opens_at, windows.transfer_closes_at)
            && ordered(windows.check_in_opens_at, windows.check_in_closes_at);
        if sound {
            Ok(windows)
        } else {
            Err(Fault::BadArgument)
        }
    }
}

impl Event {
    pub const SEED: &'static [u8] = b"event";

    #[inline(always)]
    pub fn load<'a>(account: &'a AccountView, program: &Address) -> Outcome<&'a Self> {
        let event: &Self = state::load(account, program).map_err(|fault| {
            let closed = state::load::<ClosedEvent>(account, program).is_ok();
            if closed {
                Fault::EventClosed
            } else {
                fault
            }
        })?;
        pda::check(
            account.address(),
            &[Self::SEED, event.organizer.as_ref(), &event.id],
            event.head.bump,
            program,
        )?;
        Ok(event)
    }

    /// The event, if it is the organizer's and neither cancelled nor closed.
    #[inline(always)]
    pub fn load_active<'a>(
        account: &'a AccountView,
        organizer: &Address,
        program: &Address,
    ) -> Outcome<&'a Self> {
        let event = Self::load_of(account, organizer, program)?;
        event.require_active()?;
        Ok(event)
    }

    /// The event, if it is the organizer's.
    #[inline(always)]
    pub fn load_of<'a>(
        account: &'a AccountView,
        organizer: &Address,
        program: &Address,
    ) -> Outcome<&'a Self> {
        let event = Self::load(account, program)?;
        if &event.organizer != organizer {
            return Err(Fault::BadAccount);
        }
        Ok(event)
    }

    #[inline(always)]
    pub fn require_active(&self) -> Outcome {
        if self.status != EventStatus::Active {
            return Err(Fault::EventClosed);
        }
        Ok(())
    }

    #[inline(always)]
    pub fn require_transfers_open(&self, now: i64) -> Outcome {
        within(self.windows.transfer_opens_at, self.windows.transfer_closes_at, now)
    }

    #[inline(always)]
    pub fn require_check_in_open(&self, now: i64) -> Outcome {
        within(self.windows.check_in_opens_at, self.windows.check_in_closes_at, now)
    }

    /// Cancelled, or past the end of check-in. An event whose check-in never ends has to be cancelled, or given an
    /// end, before it can be closed.
    pub fn is_over(&self, now: i64) -> bool {
        let end = self.windows.check_in_closes_at;
        self.status == EventStatus::Cancelled || (end != 0 && now > end)
    }
}

#[inline(always)]
fn within(opens: i64, closes: i64, now: i64) -> Outcome {
    if now < opens {
        return Err(Fault::TooEarly);
    }
    if closes != 0 && now > closes {
        return Err(Fault::TooLate);
    }
    Ok(())
}
