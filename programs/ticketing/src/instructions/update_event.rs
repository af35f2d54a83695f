use {
    crate::{
        clock,
        events::{Emit, EventChanged},
        faults::{Fault, Outcome},
        ids::SYSTEM,
        instruction,
        state::{self, Config, Event, Organizer, TransferPolicy, Windows},
    },
    pinocchio::Address,
};

instruction! {
    /// Changes what may change of an active event; what is not given stays. The supply only grows, and the transfer
    /// policy is only loosened: what was sold under it holds.
    update_event {
        accounts {
            authority: [signer],
            config: [],
            organizer: [],
            event: [writable],
        }
        args {
            gate_authority: Option<Address>,
            max_supply: Option<u32>,
            transfer_policy: Option<TransferPolicy>,
            windows: Option<Windows>,
        }
    }
}

fn process(program: &Address, accounts: Accounts, args: Args) -> Outcome {
    Config::require_running(accounts.config, program)?;
    Organizer::require_authority(accounts.organizer, accounts.authority, program)?;
    let address = *accounts.event.address();
    Event::load_active(accounts.event, accounts.organizer.address(), program)?;
    let event: &mut Event = state::load_mut(accounts.event, program)?;
    if let Some(gate_authority) = args.gate_authority {
        if gate_authority == SYSTEM {
            return Err(Fault::BadArgument);
        }
        event.gate_authority = gate_authority;
    }
    if let Some(max_supply) = args.max_supply {
        if max_supply < event.max_supply {
            return Err(Fault::BadArgument);
        }
        event.max_supply = max_supply;
    }
    if let Some(policy) = args.transfer_policy {
        if !loosens(event.transfer_policy, policy) {
            return Err(Fault::BadArgument);
        }
        event.transfer_policy = policy;
    }
    if let Some(windows) = args.windows {
        event.windows = windows;
    }
    EventChanged::of(event, &address, clock::now()?).emit();
    Ok(())
}

/// Everything may become Open, and Locked may become anything. The two policies between are not comparable.
fn loosens(from: TransferPolicy, to: TransferPolicy) -> bool {
    from == to || to == TransferPolicy::Open || from == TransferPolicy::Locked
}
