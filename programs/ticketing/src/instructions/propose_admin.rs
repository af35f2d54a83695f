use {
    crate::{
        clock,
        events::{ConfigChanged, Emit},
        faults::Outcome,
        instruction,
        state::Config,
    },
    pinocchio::Address,
};

instruction! {
    /// Names who may become admin by accepting. All zeros withdraws the proposal.
    propose_admin {
        accounts {
            admin: [signer],
            config: [writable],
        }
        args {
            pending_admin: Address,
        }
    }
}

fn process(program: &Address, accounts: Accounts, args: Args) -> Outcome {
    let config = Config::load_for_admin(accounts.config, accounts.admin, program)?;
    config.pending_admin = args.pending_admin;
    ConfigChanged::of(config, clock::now()?).emit();
    Ok(())
}
