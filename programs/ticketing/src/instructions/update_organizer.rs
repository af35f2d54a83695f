use {
    crate::{
        clock,
        events::{Emit, OrganizerChanged},
        faults::{Fault, Outcome},
        ids::SYSTEM,
        instruction,
        state::{Organizer, MAX_RESALE_FEE_BPS},
    },
    pinocchio::Address,
};

instruction! {
    /// Changes where royalties go and how high they are; what is not given stays.
    update_organizer {
        accounts {
            authority: [signer],
            organizer: [writable],
        }
        args {
            fee_recipient: Option<Address>,
            /// In 1/100 of a percent of a resale price, 5000 at most.
            resale_fee_bps: Option<u16>,
        }
    }
}

fn process(program: &Address, accounts: Accounts, args: Args) -> Outcome {
    let address = *accounts.organizer.address();
    let organizer = Organizer::load_for_authority(accounts.organizer, accounts.authority, program)?;
    if let Some(fee_recipient) = args.fee_recipient {
        if fee_recipient == SYSTEM {
            return Err(Fault::BadArgument);
        }
        organizer.fee_recipient = fee_recipient;
    }
    if let Some(bps) = args.resale_fee_bps {
        if bps > MAX_RESALE_FEE_BPS {
            return Err(Fault::BadArgument);
        }
        organizer.resale_fee_bps = bps;
    }
    OrganizerChanged::of(organizer, &address, clock::now()?).emit();
    Ok(())
}
