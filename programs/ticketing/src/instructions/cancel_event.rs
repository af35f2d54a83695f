use {
    crate::{
        clock,
        events::{Emit, EventChanged},
        faults::Outcome,
        instruction,
        state::{self, Config, Event, EventStatus, Organizer},
    },
    pinocchio::Address,
};

instruction! {
    /// Cancels an event for good: no more minting, moving or checking in. Revoking and closing stay possible.
    cancel_event {
        accounts {
            authority: [signer],
            config: [],
            organizer: [],
            event: [writable],
        }
        args {}
    }
}

fn process(program: &Address, accounts: Accounts, _args: Args) -> Outcome {
    Config::require_running(accounts.config, program)?;
    Organizer::require_authority(accounts.organizer, accounts.authority, program)?;
    let address = *accounts.event.address();
    Event::load_active(accounts.event, accounts.organizer.address(), program)?;
    let event: &mut Event = state::load_mut(accounts.event, program)?;
    event.status = EventStatus::Cancelled;
    EventChanged::of(event, &address, clock::now()?).emit();
    Ok(())
}
