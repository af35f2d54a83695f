/** Attacks with addresses of new accounts: non-canonical bumps, and lamports sent there beforehand. */
import { createHash } from 'node:crypto';
import { PublicKey } from '@solana/web3.js';
import {
  type Address,
  addressBytes,
  SYSTEM_PROGRAM,
  toAddress,
} from '../../../../programs-client/addresses.ts';
import { findAddress } from '../../../../programs-client/find-address.ts';
import { isOnCurve } from '../../../../programs-client/is-on-curve.ts';
import { ticketAddress } from '../../../../programs-client/pdas.ts';
import { instructionNamed } from '../../../../programs-client/wire.ts';
import { PROGRAM, putAccount } from './chain.ts';
import type { Scenario } from './scenarios.ts';
import { addressOf, type SpecialAttack, scenarioOf, spoiled } from './special-attacks.ts';
import { ACME, id16, people, SHOW } from './world.ts';

const { bob } = people;
const text = (seed: string) => Buffer.from(seed);
const index = (value: number) => Uint8Array.of(value, 0, 0, 0);

/** What each instruction creates, and the seeds of it in its scenario. */
export const CREATED: { [instruction: string]: { [account: string]: (scenario: Scenario) => Uint8Array[] } } =
  {
    init_config: { config: () => [text('config')] },
    register_organizer: { organizer: () => [text('org'), id16(9)] },
    create_event: { event: () => [text('event'), addressBytes(ACME), id16(7)] },
    mint_ticket: {
      ticket: () => [text('ticket'), addressBytes(SHOW), index(5)],
      mint: () => [text('mint'), addressBytes(ticketAddress(PROGRAM, SHOW, 5))],
      token: () => [text('token'), addressBytes(ticketAddress(PROGRAM, SHOW, 5)), addressBytes(bob.address)],
    },
    transfer_ticket: { to_token: tokenOf('transfer_ticket', 'to') },
    resell: { to_token: tokenOf('resell', 'buyer') },
    reissue: { to_token: tokenOf('reissue', 'to') },
  };

function tokenOf(name: string, holder: string) {
  return (scenario: Scenario) => [
    text('token'),
    addressBytes(addressOf(name, scenario, 'ticket')),
    addressBytes(addressOf(name, scenario, holder)),
  ];
}

/**
 * The addresses of other bumps: the next lower one that is off the curve too, as good a program address, but not the
 * one; and the one above the canonical, which is on the curve, where there is one.
 */
export function bumpAttacks(): SpecialAttack[] {
  return eachCreated().flatMap(({ instruction, accountName, seeds }) => {
    const attack = (on: string, other: (canonical: number, of: Uint8Array[]) => Address) => ({
      instruction,
      class: 'non-canonical bump',
      on: `${accountName} ${on}`,
      make: spoiled(instruction, (scenario) => {
        const { address, bump } = findAddress(seeds(scenario), PROGRAM);
        if (addressOf(instruction, scenario, accountName) !== address) throw new Error('the seeds are wrong');
        const at = instructionNamed(instruction).accounts.findIndex((one) => one.name === accountName);
        const key = scenario.instruction.keys[at];
        if (key) key.pubkey = new PublicKey(other(bump, seeds(scenario)));
      }),
      error: 'BadAccount',
    });
    const { bump } = findAddress(seeds(scenarioOf(instruction)), PROGRAM);
    const lower = attack('at a lower bump', (canonical, of) => lowerAddress(of, canonical));
    const higher = attack('on the curve', (canonical, of) => addressWith(of, canonical + 1));
    return bump < 255 ? [lower, higher] : [lower];
  });
}

/** Invocations that succeed although somebody has sent lamports to where an account will be. */
export function prefunded(): { instruction: string; on: string; make: () => Scenario }[] {
  return eachCreated().flatMap(({ instruction, accountName }) =>
    [1n, 1_000_000n, 100_000_000n].map((lamports) => ({
      instruction,
      on: `${accountName} with ${lamports} lamports`,
      make: () => {
        const scenario = scenarioOf(instruction);
        const data = new Uint8Array();
        const address = addressOf(instruction, scenario, accountName);
        putAccount(scenario.svm, address, { lamports, owner: SYSTEM_PROGRAM, data });
        return scenario;
      },
    })),
  );
}

function eachCreated() {
  return Object.entries(CREATED).flatMap(([instruction, accounts]) =>
    Object.entries(accounts).map(([accountName, seeds]) => ({ instruction, accountName, seeds })),
  );
}

function lowerAddress(seeds: Uint8Array[], canonical: number): Address {
  for (let bump = canonical - 1; bump >= 0; bump--) {
    const address = addressWith(seeds, bump);
    if (!isOnCurve(addressBytes(address))) return address;
  }
  throw new Error('there is no lower bump');
}

function addressWith(seeds: Uint8Array[], bump: number): Address {
  const hash = createHash('sha256');
  for (const part of [...seeds, Uint8Array.of(bump), addressBytes(PROGRAM), text('ProgramDerivedAddress')]) {
    hash.update(part);
  }
  return toAddress(hash.digest());
}
