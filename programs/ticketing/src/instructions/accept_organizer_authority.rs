use {
    crate::{
        clock,
        events::{Emit, OrganizerChanged},
        faults::{Fault, Outcome},
        ids::SYSTEM,
        instruction,
        state::{self, Organizer},
    },
    pinocchio::Address,
};

instruction! {
    /// The proposed authority takes over, which shows that their key works.
    accept_organizer_authority {
        accounts {
            pending_authority: [signer],
            organizer: [writable],
        }
        args {}
    }
}

fn process(program: &Address, accounts: Accounts, _args: Args) -> Outcome {
    let address = *accounts.organizer.address();
    let pending = Organizer::load(accounts.organizer, program)?.pending_authority;
    // An empty proposal is all zeros, which the runtime lets nobody sign for; it is refused all the same.
    if pending == SYSTEM || &pending != accounts.pending_authority.address() {
        return Err(Fault::Unauthorized);
    }
    let organizer: &mut Organizer = state::load_mut(accounts.organizer, program)?;
    organizer.authority = organizer.pending_authority;
    organizer.pending_authority = SYSTEM;
    OrganizerChanged::of(organizer, &address, clock::now()?).emit();
    Ok(())
}
