use {
    crate::{
        account, choices,
        faults::{Fault, Outcome},
        pda, state,
    },
    pinocchio::{AccountView, Address},
};

account! {
    /// One per ticket, at ["ticket", event, index]. It stays after a revocation, so that the same ticket cannot be
    /// minted twice, until the event is closed.
    Ticket {
        event: Address,
        /// Its number within the event, from 0.
        index: u32,
        /// The ticket's id in the service, a UUID's 16 bytes.
        id: [u8; 16],
        /// The NFT, at ["mint", ticket].
        mint: Address,
        /// Who owns it, or owned it last.
        holder: Address,
        /// Bump of the holder's token account, ["token", ticket, holder].
        token_bump: u8,
        /// What it cost at first, in the smallest unit of the event's currency.
        face_value: u64,
        status: TicketStatus,
        /// 1 when minted, one more at every change; a gap tells a reader that it missed something.
        version: u32,
        /// Unix seconds, 0 if not checked in.
        checked_in_at: i64,
        revoke_reason: RevokeReason,
    }
}

choices! {
    /// What can still happen to a ticket.
    TicketStatus {
        /// Never stored; 0 stays free so that empty bytes are no ticket.
        None = 0,
        Active = 1,
        CheckedIn = 2,
        Revoked = 3,
    }
}

choices! {
    /// Why a ticket was revoked.
    RevokeReason {
        /// Never given; the ticket is not revoked.
        None = 0,
        Refunded = 1,
        Chargeback = 2,
        Fraud = 3,
        EventCancelled = 4,
        Other = 5,
    }
}

impl Ticket {
    pub const SEED: &'static [u8] = b"ticket";

    /// The ticket, if it is the event's and `mint` is its own.
    #[inline(always)]
    pub fn load_mut<'a>(
        account: &'a mut AccountView,
        event: &Address,
        program: &Address,
    ) -> Outcome<&'a mut Self> {
        let address = *account.address();
        let ticket: &mut Self = state::load_mut(account, program)?;
        let index = ticket.index;
        if &ticket.event != event {
            return Err(Fault::BadAccount);
        }
        pda::check(&address, &[Self::SEED, event.as_ref(), &index.to_le_bytes()], ticket.head.bump, program)?;
        Ok(ticket)
    }

    #[inline(always)]
    pub fn require_active(&self) -> Outcome {
        match self.status {
            TicketStatus::Active => Ok(()),
            TicketStatus::CheckedIn => Err(Fault::AlreadyUsed),
            TicketStatus::Revoked => Err(Fault::Revoked),
            _ => Err(Fault::BadAccount),
        }
    }

    #[inline(always)]
    pub fn next_version(&mut self) -> Outcome {
        let version = self.version;
        self.version = version.checked_add(1).ok_or(Fault::MathOverflow)?;
        Ok(())
    }
}
