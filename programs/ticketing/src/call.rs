//! Calls of other programs.

use pinocchio::{
    cpi::{invoke_signed_unchecked, CpiAccount, Signer},
    instruction::{InstructionAccount, InstructionView},
    AccountView, Address,
};

/// What a called program may do with an account.
#[derive(Clone, Copy, PartialEq)]
pub enum Role {
    Read,
    Write,
    Sign,
    WriteSign,
}

/// Calls a program. Returns nothing: if the call fails, so does the transaction.
#[inline(always)]
pub fn call<const N: usize>(
    program: &Address,
    accounts: [(&AccountView, Role); N],
    data: &[u8],
    signers: &[Signer],
) {
    let metas = accounts.map(|(account, role)| {
        let writable = matches!(role, Role::Write | Role::WriteSign);
        let signer = matches!(role, Role::Sign | Role::WriteSign);
        InstructionAccount::new(account.address(), writable, signer)
    });
    let views = accounts.map(|(account, _)| CpiAccount::from(account));
    let instruction = InstructionView { program_id: program, accounts: &metas, data };
    // SAFETY: no reference into the data of an account that is passed on is alive here: state is only borrowed from
    // this program's own accounts, and these are passed on before they are written or after they were last read.
    unsafe { invoke_signed_unchecked(&instruction, &views, signers) }
}
