//! Tessera's ticketing program: tickets as Token-2022 NFTs that stay frozen in their holders' wallets, so that they
//! move, are sold on and are used only by the rules of their event. Design and arguments: docs/program.md.
#![no_std]

mod call;
mod clock;
mod events;
mod faults;
mod ids;
mod instructions;
mod passing;
mod pay;
mod pda;
mod rent;
mod state;
mod system;
mod token;
mod wire;

use {
    faults::{Fault, Outcome},
    pinocchio::{AccountView, Address, ProgramResult},
};

pinocchio::program_entrypoint!(process_instruction, 32);
pinocchio::no_allocator!();
pinocchio::nostd_panic_handler!();

#[inline(always)]
fn process_instruction(program: &Address, accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    Ok(dispatch(&mut Invocation { program, accounts, data })?)
}

/// What the runtime hands over.
pub struct Invocation<'a> {
    pub program: &'a Address,
    pub accounts: &'a mut [AccountView],
    pub data: &'a [u8],
}

#[inline(never)]
fn dispatch(invocation: &mut Invocation) -> Outcome {
    let Some((tag, arguments)) = invocation.data.split_first_chunk::<8>() else {
        return Err(Fault::UnknownInstruction);
    };
    invocation.data = arguments;
    macro_rules! run {
        ($($instruction:ident)*) => {
            match u64::from_le_bytes(*tag) {
                $( instructions::$instruction::DISCRIMINATOR => instructions::$instruction::run(invocation), )*
                _ => Err(Fault::UnknownInstruction),
            }
        };
    }
    run!(
        init_config set_config propose_admin accept_admin
        register_organizer update_organizer propose_organizer_authority accept_organizer_authority
        create_event update_event cancel_event close_event
        mint_ticket transfer_ticket resell check_in revoke reissue close_ticket
    )
}
