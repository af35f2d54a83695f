use {
    crate::{
        clock,
        events::{Emit, TicketReissued},
        faults::Outcome,
        instruction,
        passing::Passing,
        state::{Config, Event, Organizer, Ticket},
        token::authority::Authority,
    },
    pinocchio::Address,
};

instruction! {
    /// The organizer moves a ticket to another wallet without its holder, who has lost theirs. Transfer policy and
    /// windows do not bind here.
    reissue {
        accounts {
            /// Pays for the new token account.
            payer: [signer writable],
            authority: [signer],
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
    Organizer::require_authority(accounts.organizer, accounts.authority, program)?;
    let event = Event::load_active(accounts.event, accounts.organizer.address(), program)?;
    let auth = Authority::new(accounts.auth, accounts.event.address(), event.auth_bump, program)?;
    let address = *accounts.ticket.address();
    let ticket = Ticket::load_mut(accounts.ticket, accounts.event.address(), program)?;
    let from = ticket.holder;
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
    TicketReissued {
        event: ticket.event,
        ticket: address,
        mint: ticket.mint,
        from,
        to: ticket.holder,
        version: ticket.version,
        unix_time: clock::now()?,
    }
    .emit();
    passing.finish(ticket.token_bump, None)
}
