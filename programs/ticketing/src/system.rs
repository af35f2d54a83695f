//! Accounts made and closed, and payments in SOL.

use {
    crate::{
        call::{call, Role},
        faults::{Fault, Outcome},
        ids::SYSTEM,
        rent::rent_for,
        state::{self, State},
    },
    pinocchio::{cpi::Signer, AccountView, Address, Resize},
};

/// An account to be created at an address of this program.
pub struct NewAccount<'a> {
    pub payer: &'a AccountView,
    pub account: &'a AccountView,
    pub owner: &'a Address,
    pub space: usize,
    /// The size it will grow to, which its rent is paid for.
    pub final_space: usize,
}

/// Creates it, also where somebody has already sent lamports to the address: these cannot hold the account up.
#[inline(never)]
pub fn create(new: &NewAccount, signer: &Signer) -> Outcome {
    if !new.account.owned_by(&SYSTEM) || !new.account.is_data_empty() {
        return Err(Fault::AlreadyExists);
    }
    let rent = rent_for(new.final_space)?;
    let present = new.account.lamports();
    if present == 0 {
        create_empty(new, rent, signer);
    } else {
        if present < rent {
            transfer(new.payer, new.account, rent - present);
        }
        allocate(new, signer);
        assign(new, signer);
    }
    Ok(())
}

#[inline(never)]
fn create_empty(new: &NewAccount, lamports: u64, signer: &Signer) {
    let mut data = [0u8; 52];
    data[4..12].copy_from_slice(&lamports.to_le_bytes());
    data[12..20].copy_from_slice(&(new.space as u64).to_le_bytes());
    data[20..52].copy_from_slice(new.owner.as_ref());
    let accounts = [(new.payer, Role::WriteSign), (new.account, Role::WriteSign)];
    call(&SYSTEM, accounts, &data, core::slice::from_ref(signer));
}

#[inline(never)]
fn allocate(new: &NewAccount, signer: &Signer) {
    let mut data = [0u8; 12];
    data[0] = 8;
    data[4..12].copy_from_slice(&(new.space as u64).to_le_bytes());
    call(&SYSTEM, [(new.account, Role::WriteSign)], &data, core::slice::from_ref(signer));
}

#[inline(never)]
fn assign(new: &NewAccount, signer: &Signer) {
    let mut data = [0u8; 36];
    data[0] = 1;
    data[4..36].copy_from_slice(new.owner.as_ref());
    call(&SYSTEM, [(new.account, Role::WriteSign)], &data, core::slice::from_ref(signer));
}

/// Moves lamports of an account that has signed.
#[inline(never)]
pub fn transfer(from: &AccountView, to: &AccountView, lamports: u64) {
    let mut data = [0u8; 12];
    data[0] = 2;
    data[4..12].copy_from_slice(&lamports.to_le_bytes());
    call(&SYSTEM, [(from, Role::WriteSign), (to, Role::Write)], &data, &[]);
}

/// Replaces the content of an account of this program with something smaller; what its rent falls by goes to
/// `recipient`.
#[inline(never)]
pub fn shrink<T: State>(account: &mut AccountView, recipient: &mut AccountView, remains: T) -> Outcome {
    if account.address() == recipient.address() || account.data_len() < T::SIZE {
        return Err(Fault::BadAccount);
    }
    let surplus = account.lamports().saturating_sub(rent_for(T::SIZE)?);
    recipient.set_lamports(recipient.lamports().checked_add(surplus).ok_or(Fault::MathOverflow)?);
    account.set_lamports(account.lamports() - surplus);
    account.resize(T::SIZE)?;
    state::write(account, remains)
}

/// Closes an account of this program and gives its lamports to another.
#[inline(never)]
pub fn close(account: &mut AccountView, recipient: &mut AccountView) -> Outcome {
    if account.address() == recipient.address() {
        return Err(Fault::BadAccount);
    }
    recipient.set_lamports(recipient.lamports().checked_add(account.lamports()).ok_or(Fault::MathOverflow)?);
    account.close()?;
    Ok(())
}

/// Creates an account of this program with its first content. `signer` has the seeds of its address.
#[inline(always)]
pub fn create_state<T: State>(
    payer: &AccountView,
    account: &mut AccountView,
    program: &Address,
    signer: &Signer,
    content: T,
) -> Outcome {
    let new = NewAccount { payer, account, owner: program, space: T::SIZE, final_space: T::SIZE };
    create(&new, signer)?;
    state::write(account, content)
}
