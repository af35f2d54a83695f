use {
    crate::{
        account,
        faults::Outcome,
        pda,
        state::{self, Event, Flag},
    },
    pinocchio::{AccountView, Address},
};

account! {
    /// What is left of a closed event, at the event's own address and for good: enough to close its tickets, and a
    /// bar against ever creating the event, and with it the same tickets and mints, again.
    ClosedEvent {
        organizer: Address,
        id: [u8; 16],
        auth_bump: u8,
        rent_recipient: Address,
        keep_collectible: Flag,
    }
}

impl ClosedEvent {
    #[inline(always)]
    pub fn load<'a>(account: &'a AccountView, program: &Address) -> Outcome<&'a Self> {
        let event: &Self = state::load(account, program)?;
        pda::check(
            account.address(),
            &[Event::SEED, event.organizer.as_ref(), &event.id],
            event.head.bump,
            program,
        )?;
        Ok(event)
    }
}
