/** What a special attack is. Each makes its own chain, since it needs one in a certain state. */
import type { TransactionInstruction } from '@solana/web3.js';
import type { LiteSVM } from 'litesvm';
import { type Address, toAddress } from '../../../../programs-client/addresses.ts';
import type { TransactionLike } from '../../../../programs-client/flatten-transaction.ts';
import { cancelEvent } from '../../../../programs-client/instructions/cancel-event.ts';
import { closeEvent } from '../../../../programs-client/instructions/close-event.ts';
import { instructionNamed } from '../../../../programs-client/wire.ts';
import type { Actor } from './actors.ts';
import { account, PROGRAM, putAccount, send } from './chain.ts';
import { type Scenario, scenarios } from './scenarios.ts';
import { ACME, must, people } from './world.ts';

export type SpecialAttack = {
  instruction: string;
  class: string;
  on: string;
  make: () => Scenario;
  /** The error's name. */
  error: string;
};

export function scenarioOf(name: string): Scenario {
  const make = scenarios[name];
  if (make === undefined) throw new Error(`there is no scenario of ${name}`);
  return make();
}

/** The transaction of an instruction's scenario, which has to succeed, as an RPC would give it. */
export function transactionOf(name: string): TransactionLike {
  const { svm, instruction, signers } = scenarioOf(name);
  const { error, transaction } = send(svm, [instruction], [people.feePayer, ...signers]);
  if (error !== undefined) throw new Error(`${name}: ${error}`);
  return transaction;
}

/** The scenario of an instruction, with its chain changed first. */
export function spoiled(name: string, spoil: (scenario: Scenario) => void): () => Scenario {
  return () => {
    const scenario = scenarioOf(name);
    spoil(scenario);
    return scenario;
  };
}

/** A scenario's chain with another instruction on it. */
export function instead(
  scenario: Scenario,
  instruction: TransactionInstruction,
  ...signers: Actor[]
): Scenario {
  return { svm: scenario.svm, instruction, signers };
}

/** The address that a scenario's instruction has for the account of this name. */
export function addressOf(name: string, { instruction }: Scenario, accountName: string): Address {
  const place = instructionNamed(name).accounts.findIndex((one) => one.name === accountName);
  const key = instruction.keys[place];
  if (key === undefined) throw new Error(`${name} has no account ${accountName}`);
  return toAddress(key.pubkey);
}

/** Changes bytes of an account where no instruction could. */
export function edit(svm: LiteSVM, address: Address, change: (data: Uint8Array) => void): void {
  const found = account(svm, address);
  if (found === undefined) throw new Error(`there is no account at ${address}`);
  change(found.data);
  putAccount(svm, address, found);
}

export const byAcme = { authority: people.acme.address, organizer: ACME };

export function cancel(svm: LiteSVM, event: Address): void {
  must(svm, cancelEvent(PROGRAM, { ...byAcme, event }), people.acme);
}

export function cancelAndClose(svm: LiteSVM, event: Address): void {
  cancel(svm, event);
  must(svm, closeEvent(PROGRAM, { ...byAcme, event, rentRecipient: people.vault.address }), people.acme);
}
