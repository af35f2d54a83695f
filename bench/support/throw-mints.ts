import { randomBytes, randomUUID } from 'node:crypto';
import { toAddress } from '../../programs-client/addresses.ts';
import { createEvent } from '../../programs-client/instructions/create-event.ts';
import { registerOrganizer } from '../../programs-client/instructions/register-organizer.ts';
import { eventAddress, organizerAddress } from '../../programs-client/pdas.ts';
import { attachSignatures, compileMessage } from '../../programs-client/send.ts';
import { openNode } from '../../src/domain/chain/rpc/node.ts';
import { allPayers, type ChainContext, organizerKey } from '../../src/domain/chain/send/chain-context.ts';
import type { KeyRef } from '../../src/domain/chain/send/signer.ts';
import { writeMints } from '../../src/domain/chain/send/write-mints.ts';
import { toTenantId, uuidBytes } from '../../src/platform/ids.ts';
import { waitFor } from '../../src/platform/retry.ts';
import { CHAIN_PROGRAM_ID, type ChainProcess } from './chain-process.ts';

/**
 * What the chain takes at most: the transactions that the mint worker would make of `count` tickets, signed beforehand,
 * thrown at it over the connections that the worker has. Tickets a second, until the last is confirmed.
 */
export async function throwMints(
  ctx: Pick<ChainContext, 'signer' | 'config'>,
  chain: ChainProcess,
  count: number,
): Promise<number> {
  const node = openNode(chain.rpcUrl);
  const programId = toAddress(CHAIN_PROGRAM_ID);
  const tenantId = toTenantId(randomUUID());
  const eventId = uuidBytes(randomUUID());
  const organizer = organizerAddress(programId, uuidBytes(tenantId));
  const event = eventAddress(programId, organizer, eventId);
  const authority = toAddress(await ctx.signer.address(organizerKey(tenantId)));
  const admin = toAddress(await ctx.signer.address({ use: 'admin' }));

  const sign = async (message: Uint8Array, keys: readonly KeyRef[]): Promise<Uint8Array> =>
    attachSignatures(
      message,
      Object.fromEntries(
        await Promise.all(
          keys.map(async (key) => [await ctx.signer.address(key), await ctx.signer.sign(key, message)]),
        ),
      ),
    );
  const { value: first } = await node.getLatestBlockhash();
  const setUp = [
    registerOrganizer(programId, {
      payer: admin,
      admin,
      tenantId: uuidBytes(tenantId),
      authority,
      feeRecipient: authority,
      resaleFeeBps: 0,
    }),
    createEvent(programId, {
      payer: admin,
      authority,
      organizer,
      eventId,
      gateAuthority: authority,
      rentRecipient: admin,
      maxSupply: count,
      resaleCapBps: 10_000,
      transferPolicy: 'open',
      keepCollectible: true,
    }),
  ];
  await node.sendTransactions([
    await sign(compileMessage(setUp, admin, first.blockhash), [{ use: 'admin' }, organizerKey(tenantId)]),
  ]);
  const made = await waitFor(
    async () => (await node.getAccounts([event], { commitment: 'confirmed' })).value[0] !== null,
    { timeoutMs: 20_000, everyMs: 50 },
  );
  if (!made) throw new Error('the event did not appear on the chain');

  const places = Array.from({ length: count }, (_, index) => ({
    ticketId: randomUUID(),
    index,
    holder: toAddress(new Uint8Array(randomBytes(32))),
    priceMinor: 2_500n,
    currency: 'EUR',
    ticketNumber: `20261231-${String(index).padStart(6, '0')}`,
    seat: null,
    eventTitle: 'A hot night',
    typeName: 'Type 0',
    failed: false,
  }));
  const accounts = { organizer, event, rentRecipient: admin, coin: undefined };
  const drafts = await writeMints({ ...ctx, programId }, tenantId, accounts, places);
  const payers = allPayers();
  const { value: latest } = await node.getLatestBlockhash();
  const raws: Uint8Array[] = [];
  for (const [i, draft] of drafts.entries()) {
    const payer = payers[i % payers.length] as KeyRef;
    const message = draft.write({
      payer: toAddress(await ctx.signer.address(payer)),
      blockhash: latest.blockhash,
      unitPrice: 0,
    });
    raws.push(await sign(message, [payer, ...draft.signers]));
  }
  const begin = performance.now();
  const refused = (await node.sendTransactions(raws)).filter((refusal) => refusal !== undefined);
  if (refused[0]) throw refused[0];
  // The accounts of tickets are what counts; the node can name all of an event's at once.
  const landed = await waitFor(async () => (await countTickets(chain.rpcUrl, event)) >= count, {
    timeoutMs: 300_000,
    everyMs: 100,
  });
  if (!landed) throw new Error('not all mints landed');
  const seconds = (performance.now() - begin) / 1_000;
  await node.close();
  return count / seconds;
}

async function countTickets(url: string, event: string): Promise<number> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'getProgramAccounts',
      params: [
        CHAIN_PROGRAM_ID,
        {
          commitment: 'confirmed',
          encoding: 'base64',
          dataSlice: { offset: 0, length: 0 },
          filters: [{ dataSize: 149 }, { memcmp: { offset: 10, bytes: event } }],
        },
      ],
    }),
  });
  const { result } = (await response.json()) as { result: unknown[] };
  return result.length;
}
