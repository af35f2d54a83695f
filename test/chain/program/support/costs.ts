/** What instructions cost: compute units, bytes, signatures and rent, measured in LiteSVM on the committed program. */
import type { TransactionInstruction } from '@solana/web3.js';
import type { LiteSVM } from 'litesvm';
import { accountSizes } from '../../../../programs-client/accounts.ts';
import { toAddress } from '../../../../programs-client/addresses.ts';
import { checkIn } from '../../../../programs-client/instructions/check-in.ts';
import { closeTicket } from '../../../../programs-client/instructions/close-ticket.ts';
import { mintTicket } from '../../../../programs-client/instructions/mint-ticket.ts';
import { resell } from '../../../../programs-client/instructions/resell.ts';
import { transferTicket } from '../../../../programs-client/instructions/transfer-ticket.ts';
import { ticketAddresses } from '../../../../programs-client/pdas.ts';
import type { Actor } from './actors.ts';
import { account, PROGRAM, type Sent, send } from './chain.ts';
import { lamportsOf } from './read.ts';
import { sale, scenarios } from './scenarios.ts';
import { byAcme, cancelAndClose, scenarioOf } from './special-attacks.ts';
import { FACE_VALUE, id16, makeEvent, mint, mintOf, newWorld, people, SHOW } from './world.ts';

const { payer, acme, alice, bob, vault } = people;

export type Cost = { what: string; units: number; bytes: number; signatures: number };

/** Tickets that a median is taken of: addresses cost more or less to find, by luck. */
const SAMPLE = 50;

export function measureCosts(): Cost[] {
  const special = ['mint_ticket', 'transfer_ticket', 'resell', 'close_ticket'];
  const plain = Object.keys(scenarios).filter((name) => !special.includes(name));
  const coin = costOf('resell, in a coin', run(scenarioOf('resell')));
  return [
    ...mints(),
    ...transfers(),
    resale(),
    coin,
    ...plain.map((name) => costOf(name, run(scenarioOf(name)))),
    ...closings(),
  ];
}

function run({
  svm,
  instruction,
  signers,
}: {
  svm: LiteSVM;
  instruction: TransactionInstruction;
  signers: Actor[];
}): Sent {
  const sent = send(svm, [instruction], signers);
  if (sent.error !== undefined) throw new Error(`${sent.error}\n${sent.logs.join('\n')}`);
  return sent;
}

function costOf(what: string, sent: Sent): Cost {
  return { what, units: sent.units, bytes: sent.bytes, signatures: sent.signatures };
}

function median(what: string, sents: Sent[]): Cost {
  const sorted = sents.toSorted((a, b) => a.units - b.units);
  return costOf(what, sorted[Math.floor(sorted.length / 2)] as Sent);
}

const indices = Array.from({ length: SAMPLE }, (_, at) => at + 1);

function mints(): Cost[] {
  const bare = (index: number) =>
    mintTicket(PROGRAM, {
      ...byAcme,
      payer: payer.address,
      event: SHOW,
      index,
      ticketId: id16(index),
      holder: bob.address,
      faceValue: FACE_VALUE,
      name: 'Rock Night 2027 #000123',
      symbol: 'TSRA',
      uri: 'https://tickets.example.com/nft/0123456789abcdef/metadata.json',
      attributes: {},
    });
  const signers = [payer, acme];
  const mintAll = (build: (index: number) => TransactionInstruction) => {
    const svm = newWorld();
    return indices.map((index) => run({ svm, instruction: build(index), signers }));
  };
  const two = send(newWorld(), [mintOf(SHOW, 1, alice.address), mintOf(SHOW, 2, bob.address)], signers);
  return [
    median('mint_ticket, no attributes', mintAll(bare)),
    median(
      'mint_ticket, four attributes',
      mintAll((index) => mintOf(SHOW, index, bob.address)),
    ),
    costOf('mint_ticket twice, four attributes', two),
  ];
}

function transfers(): Cost[] {
  const svm = newWorld();
  const sents = indices.map((index) => {
    mint(svm, SHOW, index, alice);
    const input = { ...sale, event: SHOW, index, holder: alice.address, to: bob.address };
    return run({ svm, instruction: transferTicket(PROGRAM, input), signers: [payer, alice] });
  });
  return [median('transfer_ticket', sents)];
}

function resale(): Cost {
  const instruction = resell(PROGRAM, { ...sale, event: SHOW });
  return costOf('resell, in SOL', run({ svm: newWorld(), instruction, signers: [payer, alice, bob] }));
}

function closings(): Cost[] {
  const svm = newWorld();
  const event = makeEvent(svm, 3, { keepCollectible: true });
  mint(svm, event, 0, alice);
  cancelAndClose(svm, event);
  const input = { ...sale, ...byAcme, event, holder: alice.address };
  const kept = run({ svm, instruction: closeTicket(PROGRAM, input), signers: [acme] });
  return [
    costOf('close_ticket, burned', run(scenarioOf('close_ticket'))),
    costOf('close_ticket, kept as a collectible', kept),
  ];
}

export type Rent = { what: string; bytes: number; lamports: bigint };

/** Rent of each account, at the cluster's price. */
export function measureRent(): Rent[] {
  const svm = newWorld();
  const nft = account(svm, ticketAddresses(PROGRAM, SHOW, 0).mint)?.data.length ?? 0;
  const sizes = { ...accountSizes, 'mint, four attributes': nft };
  return Object.entries(sizes).map(([what, bytes]) => ({
    what,
    bytes,
    lamports: svm.minimumBalanceForRentExemption(BigInt(bytes)),
  }));
}

export type Flow = { what: string; fee: bigint; rentPaid: bigint; rentReturned: bigint };

/** What a ticket's life takes from whoever pays and gives to the rent recipient, in lamports. */
export function measureFlows(): Flow[] {
  const svm = newWorld();
  const flow = (what: string, instruction: TransactionInstruction, signers: [Actor, ...Actor[]]): Flow => {
    const [first] = signers;
    const named = instruction.keys.map(({ pubkey }) => toAddress(pubkey));
    const touched = [...new Set([first.address, ...named])];
    const lamports = () => touched.reduce((sum, address) => sum + lamportsOf(svm, address), 0n);
    const before = [lamports(), lamportsOf(svm, first.address), lamportsOf(svm, vault.address)] as const;
    run({ svm, instruction, signers });
    const fee = before[0] - lamports();
    return {
      what,
      fee,
      rentPaid: before[1] - lamportsOf(svm, first.address) - fee,
      rentReturned: lamportsOf(svm, vault.address) - before[2],
    };
  };
  const event = makeEvent(svm, 3, {});
  const on = { ...sale, ...byAcme, event, holder: alice.address };
  const minted = flow('mint', mintOf(event, 0, alice.address), [payer, acme]);
  const moved = flow('transfer', transferTicket(PROGRAM, { ...on, to: bob.address }), [payer, alice]);
  const used = flow('check-in', checkIn(PROGRAM, { gateAuthority: people.gate.address, event, index: 0 }), [
    people.gate,
  ]);
  cancelAndClose(svm, event);
  const closed = flow('close', closeTicket(PROGRAM, { ...on, holder: bob.address }), [acme]);
  return [minted, moved, used, closed];
}
