use {
    crate::{
        clock,
        events::{Emit, EventClosed},
        faults::{Fault, Outcome},
        instruction,
        state::{ClosedEvent, Config, Event, Head, Organizer},
        system,
    },
    pinocchio::Address,
};

instruction! {
    /// Closes an event that is over. Its account shrinks to what closing its tickets needs, the difference in rent
    /// goes to the rent recipient, and the event's id can never be used again.
    close_event {
        accounts {
            authority: [signer],
            config: [],
            organizer: [],
            event: [writable],
            rent_recipient: [writable],
        }
        args {}
    }
}

fn process(program: &Address, accounts: Accounts, _args: Args) -> Outcome {
    Config::require_running(accounts.config, program)?;
    Organizer::require_authority(accounts.organizer, accounts.authority, program)?;
    let organizer = *accounts.organizer.address();
    let event = *Event::load_of(accounts.event, &organizer, program)?;
    if accounts.rent_recipient.address() != &event.rent_recipient {
        return Err(Fault::BadAccount);
    }
    let now = clock::now()?;
    if !event.is_over(now) {
        return Err(Fault::EventNotOver);
    }
    EventClosed { event: *accounts.event.address(), organizer, unix_time: now }.emit();
    let remains = ClosedEvent {
        head: Head::of::<ClosedEvent>(event.head.bump),
        organizer,
        id: event.id,
        auth_bump: event.auth_bump,
        rent_recipient: event.rent_recipient,
        keep_collectible: event.keep_collectible,
    };
    system::shrink(accounts.event, accounts.rent_recipient, remains)
}
