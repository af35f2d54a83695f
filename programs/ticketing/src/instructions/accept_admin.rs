use {
    crate::{
        clock,
        events::{ConfigChanged, Emit},
        faults::{Fault, Outcome},
        ids::SYSTEM,
        instruction,
        state::{self, Config},
    },
    pinocchio::Address,
};

instruction! {
    /// The proposed admin takes over, which shows that their key works.
    accept_admin {
        accounts {
            pending_admin: [signer],
            config: [writable],
        }
        args {}
    }
}

fn process(program: &Address, accounts: Accounts, _args: Args) -> Outcome {
    let pending = Config::load(accounts.config, program)?.pending_admin;
    // An empty proposal is all zeros, which the runtime lets nobody sign for; it is refused all the same.
    if pending == SYSTEM || &pending != accounts.pending_admin.address() {
        return Err(Fault::Unauthorized);
    }
    let config: &mut Config = state::load_mut(accounts.config, program)?;
    config.admin = config.pending_admin;
    config.pending_admin = SYSTEM;
    ConfigChanged::of(config, clock::now()?).emit();
    Ok(())
}
