use {
    crate::{
        clock,
        events::{Emit, TicketCheckedIn},
        faults::{Fault, Outcome},
        instruction,
        state::{Config, Event, Ticket, TicketStatus},
    },
    pinocchio::Address,
};

instruction! {
    /// The gate marks a ticket as used. It stays with its holder and can no longer change hands.
    check_in {
        accounts {
            gate_authority: [signer],
            config: [],
            event: [],
            ticket: [writable],
        }
        args {}
    }
}

fn process(program: &Address, accounts: Accounts, _args: Args) -> Outcome {
    Config::require_running(accounts.config, program)?;
    let event = Event::load(accounts.event, program)?;
    if &event.gate_authority != accounts.gate_authority.address() {
        return Err(Fault::Unauthorized);
    }
    event.require_active()?;
    let now = clock::now()?;
    event.require_check_in_open(now)?;
    let address = *accounts.ticket.address();
    let ticket = Ticket::load_mut(accounts.ticket, accounts.event.address(), program)?;
    ticket.require_active()?;
    ticket.status = TicketStatus::CheckedIn;
    ticket.checked_in_at = now;
    ticket.next_version()?;
    TicketCheckedIn {
        event: ticket.event,
        ticket: address,
        mint: ticket.mint,
        holder: ticket.holder,
        version: ticket.version,
        unix_time: now,
    }
    .emit();
    Ok(())
}
