import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BN, BorshCoder, type Idl, Program } from '@coral-xyz/anchor';
import { type Connection, PublicKey } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { accountSizes } from '../../../programs-client/accounts.ts';
import { generateIdl } from '../../../programs-client/idl/generate.ts';
import { programErrors } from '../../../programs-client/program-errors.ts';
import { decodeInstruction, IDL } from '../../../programs-client/wire.ts';
import { account, PROGRAM, send } from './support/chain.ts';
import { scenarios } from './support/scenarios.ts';
import { scenarioOf } from './support/special-attacks.ts';
import { FACE_VALUE, newWorld, people, SHOW } from './support/world.ts';

const committed = join(import.meta.dirname, '../../../programs-client/idl/ticketing.json');

describe('the committed IDL', () => {
  it('is the one that the Rust source gives', () => {
    expect(readFileSync(committed, 'utf8')).toBe(generateIdl());
  });

  it('loads in the coder of @coral-xyz/anchor, which sees accounts at their real size', () => {
    const coder = new BorshCoder(IDL);
    const sizes = ['Config', 'Organizer', 'Event', 'ClosedEvent', 'Ticket'].map((name) =>
      coder.accounts.size(name),
    );
    const { config, organizer, event, closedEvent, ticket } = accountSizes;
    expect(sizes).toEqual([config, organizer, event, closedEvent, ticket]);
    expect(account(newWorld(), SHOW)?.data.length).toBe(event);
  });

  it('loads as a Program of @coral-xyz/anchor, in its camel case', () => {
    const program = new Program(IDL as Idl, { connection: {} as Connection });
    expect(Object.keys(program.methods)).toContain('mintTicket');
    expect(program.programId).toEqual(new PublicKey(PROGRAM));
  });

  it('numbers the errors from 6000 without a gap, each with a sentence', () => {
    const codes = [...programErrors.keys()];
    expect(codes).toEqual(codes.map((_, at) => 6000 + at));
    for (const { message } of programErrors.values()) expect(message).toMatch(/^[A-Z].+\.$/);
  });

  it.each(Object.keys(scenarios))('has accounts and arguments of %s as the client sends them', (name) => {
    const { instruction } = scenarioOf(name);
    const declared = IDL.instructions.find((one) => one.name === name);
    expect(instruction.keys).toHaveLength(declared?.accounts.length ?? 0);
    expect(new BorshCoder(IDL).instruction.decode(instruction.data)?.name).toBe(name);
    expect(decodeInstruction(instruction.data)?.name).toBe(name);
  });
});

describe('the coder of Anchor', () => {
  const coder = new BorshCoder(IDL);

  it('reads an account that the program wrote', () => {
    const ticket = scenarioOf('check_in');
    const data = account(ticket.svm, ticket.instruction.keys[3]?.pubkey.toBase58() as never)?.data;
    const decoded = coder.accounts.decode('Ticket', Buffer.from(data ?? []));
    expect(decoded.holder.toBase58()).toBe(people.alice.address);
    expect((decoded.face_value as BN).eq(new BN(FACE_VALUE.toString()))).toBe(true);
    expect(decoded.status).toEqual({ Active: {} });
    expect(decoded.version).toBe(1);
  });

  it('reads an event that the program logged', () => {
    const { svm, instruction, signers } = scenarioOf('resell');
    const { logs } = send(svm, [instruction], [people.feePayer, ...signers]);
    const line = logs.find((one) => one.startsWith('Program data: ')) ?? '';
    const event = coder.events.decode(line.slice('Program data: '.length));
    expect(event?.name).toBe('TicketResold');
    expect(event?.data.price.toString()).toBe(FACE_VALUE.toString());
    expect(event?.data.to.toBase58()).toBe(people.bob.address);
  });
});
