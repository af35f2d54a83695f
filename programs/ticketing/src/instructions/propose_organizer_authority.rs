use {
    crate::{
        clock,
        events::{Emit, OrganizerChanged},
        faults::Outcome,
        instruction,
        state::Organizer,
    },
    pinocchio::Address,
};

instruction! {
    /// Names who may become the organizer's authority by accepting. All zeros withdraws the proposal.
    propose_organizer_authority {
        accounts {
            authority: [signer],
            organizer: [writable],
        }
        args {
            pending_authority: Address,
        }
    }
}

fn process(program: &Address, accounts: Accounts, args: Args) -> Outcome {
    let address = *accounts.organizer.address();
    let organizer = Organizer::load_for_authority(accounts.organizer, accounts.authority, program)?;
    organizer.pending_authority = args.pending_authority;
    OrganizerChanged::of(organizer, &address, clock::now()?).emit();
    Ok(())
}
