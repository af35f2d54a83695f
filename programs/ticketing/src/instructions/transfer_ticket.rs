use {
    crate::{
        clock,
        events::{Emit, TicketTransferred},
        faults::{Fault, Outcome},
        instruction,
        passing::Passing,
        state::{Config, Event, Organizer, Ticket, TransferPolicy},
        token::authority::Authority,
    },
    pinocchio::Address,
};

instruction! {
    /// The holder gives the ticket to another. The receiver's token account is created, and the holder's is closed.
    transfer_ticket {
        accounts {
            /// Pays for the receiver's token account.
            payer: [signer writable],
            holder: [signer],
            /// The organizer's authority, where the event's policy asks for it.
            approver: [optional signer],
            config: [],
            organizer: [],
            event: [],
            /// ["auth", event].
            auth: [],
            ticket: [writable],
            mint: [],
            /// ["token", ticket, holder].
            from_token: [writable],
            /// ["token", ticket, to].
            to_token: [writable],
            to: [],
            rent_recipient: [writable],
            token_program: [] = TOKEN_2022,
            system_program: [] = SYSTEM,
        }
        args {}
    }
}

fn process(program: &Address, accounts: Accounts, _args: Args) -> Outcome {
    Config::require_running(accounts.config, program)?;
    let event = Event::load_active(accounts.event, accounts.organizer.address(), program)?;
    match event.transfer_policy {
        TransferPolicy::Open => {}
        TransferPolicy::OrganizerApproved => {
            Organizer::require_approval(accounts.organizer, accounts.approver, program)?
        }
        _ => return Err(Fault::TransferDisabled),
    }
    let now = clock::now()?;
    event.require_transfers_open(now)?;
    let auth = Authority::new(accounts.auth, accounts.event.address(), event.auth_bump, program)?;
    let address = *accounts.ticket.address();
    let ticket = Ticket::load_mut(accounts.ticket, accounts.event.address(), program)?;
    if accounts.holder.address() != &ticket.holder {
        return Err(Fault::Unauthorized);
    }
    let passing = Passing {
        payer: accounts.payer,
        auth: &auth,
        ticket: &address,
        mint: accounts.mint,
        from_token: accounts.from_token,
        to: accounts.to.address(),
        to_token: accounts.to_token,
        rent_recipient: accounts.rent_recipient,
    };
    passing.begin(ticket, event, program)?;
    TicketTransferred {
        event: ticket.event,
        ticket: address,
        mint: ticket.mint,
        from: *accounts.holder.address(),
        to: ticket.holder,
        version: ticket.version,
        unix_time: now,
    }
    .emit();
    passing.finish(ticket.token_bump, Some(accounts.holder))
}
