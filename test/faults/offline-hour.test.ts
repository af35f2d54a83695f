import { randomUUID } from 'node:crypto';
import { ComputeBudgetProgram } from '@solana/web3.js';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { decodeEvent } from '../../programs-client/accounts.ts';
import { toAddress } from '../../programs-client/addresses.ts';
import { transferTicket } from '../../programs-client/instructions/transfer-ticket.ts';
import { attachSignatures, compileMessage } from '../../programs-client/send.ts';
import { openFileSigner } from '../../src/domain/chain/send/file-signer.ts';
import type { EventView } from '../../src/domain/events/schema.ts';
import type { OrderAnswer } from '../../src/domain/orders/schema.ts';
import { toTenantId } from '../../src/platform/ids.ts';
import { sleep } from '../../src/platform/retry.ts';
import { actor } from '../chain/program/support/actors.ts';
import { type Child, runChild } from '../support/run-child.ts';
import { sampleEvent, samplePurchase, sampleTicketType } from '../support/samples.ts';
import { issueToken } from '../support/test-context.ts';
import { compareBooks, countOpen } from './support/compare-books.ts';
import { type Installation, openInstallation } from './support/installation.ts';
import { type ProcessKind, scripts } from './support/kill-plan.ts';

const amqp = inject('amqp');
const redis = inject('redis');

/** `npm run faults -- offline` does it with 25,000. */
const TRANSFERS = Number(process.env.TRANSFERS ?? 1_000);
const TICKETS = TRANSFERS < 5_000 ? 40 : 200;
const HEAL_MS = 60_000;
const ORDER = 4;
/** A node takes some 50 kB in a request. */
const BATCH = 40;
const FINAL_SLOTS = 34;
const SOL = 1_000_000_000;
const USERS = ['alice', 'bob'] as const;

type Answer = { result?: unknown; error?: unknown };

describe.skipIf(amqp === null || redis === null)(
  `a listener that was away for ${TRANSFERS} transfers${amqp && redis ? '' : ' (left out: needs RabbitMQ and Redis)'}`,
  () => {
    let world: Installation;
    const children = new Map<ProcessKind, Child>();
    const start = (kind: ProcessKind): void => void children.set(kind, runChild(scripts[kind], world.env));
    const query = async (text: string, values: unknown[] = []) =>
      (await world.database.owner.query(text, values)).rows;

    beforeAll(async () => {
      world = await openInstallation({ seed: 25_000, amqp: amqp ?? '', redis: redis ?? '' });
      for (const kind of Object.keys(scripts) as ProcessKind[]) start(kind);
    }, 60_000);
    afterAll(async () => {
      await Promise.all([...children.values()].map((child) => child.stop()));
      await world?.close();
    }, 60_000);

    it('heals all of them in order, and soon', async () => {
      const moving = await sellAll();
      await until('all tickets to be final', async () => {
        const rows = await query(`select count(*)::integer as n from tickets
          where status = 'active' and blockchain_sync_status = 'finalized'`);
        return rows[0].n === TICKETS + 1;
      });
      await children.get('listener')?.stop();
      const sending = performance.now();
      await transferAll(moving);
      const sent = (performance.now() - sending) / 1_000;
      console.log(
        `${TRANSFERS} transfers in ${sent.toFixed(1)} s, ${Math.round(TRANSFERS / sent)} a second, ${world.chain.slot()} slots`,
      );

      const began = performance.now();
      start('listener');
      let recorded: string | undefined;
      let told = 0;
      await until('all to be recorded and final', async () => {
        const [row] = await query(
          `select count(*)::integer as n from blockchain_sync where kind = 'ticket_transferred'`,
        );
        if (row.n > told + TRANSFERS / 10) {
          told = row.n;
          console.log(`${told} recorded after ${((performance.now() - began) / 1_000).toFixed(1)} s`);
        }
        if (row.n < TRANSFERS) return false;
        recorded ??= ((performance.now() - began) / 1_000).toFixed(1);
        const { provisional, unsettled } = await countOpen(world.database.owner);
        return provisional === 0 && unsettled === 0;
      });
      const healed = performance.now() - began;
      console.log(
        `recorded after ${recorded} s, healed and final after ${(healed / 1_000).toFixed(1)} s of the listener's start, ${Math.round((TRANSFERS * 1_000) / healed)} a second`,
      );
      const faults = await compareBooks(world.database.owner, world.chain);
      expect(Object.values(faults).flat().slice(0, 5)).toEqual([]);
      expect(healed).toBeLessThan(HEAL_MS);
      // Each change of hands was recorded once, as the next version of its ticket, in the order of the chain.
      const [order] = await query(`
        select count(*)::integer as entries, count(*) filter (where outcome <> 'applied')::integer as odd,
          count(*) filter (where chain_version <> nth)::integer as disordered
        from (select outcome, chain_version,
            row_number() over (partition by ticket_id order by recorded_at, slot, chain_version) as nth
          from blockchain_sync) as one`);
      expect(order).toEqual({ entries: TRANSFERS + TICKETS + 1, odd: 0, disordered: 0 });
      const epochs = await query('select distinct owner_epoch, user_id from tickets where id = any($1)', [
        moving,
      ]);
      const each = TRANSFERS / TICKETS;
      expect(epochs).toEqual([{ owner_epoch: each + 1, user_id: USERS[each % 2] }]);
    }, 600_000);

    /** Returns the tickets that will move. Bob buys one to have a wallet when the others come to him. */
    async function sellAll(): Promise<string[]> {
      const [tenant] = world.tenants;
      if (!tenant) throw new Error('no tenant');
      const call = async <T>(token: string, path: string, body: unknown): Promise<T> => {
        const response = await fetch(`${world.url}/api${path}`, {
          method: 'POST',
          headers: {
            authorization: `Bearer ${token}`,
            'content-type': 'application/json',
            'idempotency-key': randomUUID(),
          },
          body: JSON.stringify(body),
        });
        if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
        return (await response.json()) as T;
      };
      await until('the API', () =>
        fetch(`${world.url}/health/live`).then(
          (answer) => answer.ok,
          () => false,
        ),
      );
      const types = [sampleTicketType({ capacity: TICKETS + 1 })];
      const event = await call<EventView>(tenant.adminKey, '/events', sampleEvent({ ticketTypes: types }));
      const [type] = event.ticketTypes;
      if (!type) throw new Error('no ticket type');
      const buy = async (subject: string, quantity: number): Promise<string[]> => {
        const buyer = await issueToken({ tenantId: tenant.tenantId, subject, role: 'buyer' });
        const purchase = samplePurchase(type, { quantity });
        const { tickets } = await call<OrderAnswer>(buyer, '/tickets/purchase', purchase);
        return tickets.map(({ id }) => id);
      };
      await buy('bob', 1);
      const bought: string[] = [];
      while (bought.length < TICKETS) bought.push(...(await buy('alice', ORDER)));
      return bought;
    }

    /** All tickets go from hand to hand, from alice to bob and back, one step each in every round. */
    async function transferAll(moving: string[]): Promise<void> {
      const tenantId = toTenantId(world.tenants[0]?.tenantId ?? '');
      const signer = await openFileSigner(world.env.SIGNER_KEY_FILE ?? '');
      const keys = USERS.map((userId) => ({ use: 'custodial' as const, tenantId, userId }));
      const wallets = await Promise.all(keys.map(async (key) => toAddress(await signer.address(key))));
      const payer = actor('who pays for the transfers');
      world.chain.fund(payer.address, 10_000 * SOL);
      const [{ event, organizer }] = await query(`select e.address as event, o.address as organizer
        from chain_events e join chain_organizers o on o.tenant_id = e.tenant_id`);
      const account = world.chain.truth.account(event);
      const { rentRecipient } = decodeEvent(account?.data ?? Buffer.alloc(0));
      const tickets = await query('select chain_index from tickets where id = any($1)', [moving]);
      for (let round = 0; round < TRANSFERS / TICKETS; round++) {
        const [latest] = await ask([{ method: 'getLatestBlockhash', params: [] }]);
        const blockhash = latest?.value.blockhash ?? '';
        // Two rounds of one blockhash must not have the same transactions.
        const apart = ComputeBudgetProgram.setComputeUnitLimit({ units: 200_000 + round });
        const [from, to] = [round % 2, (round + 1) % 2];
        const raws = await Promise.all(
          tickets.map(async ({ chain_index }) => {
            const [holder, receiver, key] = [wallets[from], wallets[to], keys[from]];
            if (!holder || !receiver || !key) throw new Error('no wallet');
            const instruction = transferTicket(toAddress(world.chain.programId), {
              ...{ payer: payer.address, holder, to: receiver, organizer, event, rentRecipient },
              index: chain_index,
            });
            const message = compileMessage([apart, instruction], payer.address, blockhash);
            const signatures = {
              [payer.address]: payer.sign(message),
              [holder]: await signer.sign(key, message),
            };
            return Buffer.from(attachSignatures(message, signatures)).toString('base64');
          }),
        );
        for (let at = 0; at < raws.length; at += BATCH)
          await ask(
            raws.slice(at, at + BATCH).map((raw) => ({
              method: 'sendTransaction',
              params: [raw, { encoding: 'base64', skipPreflight: true }],
            })),
          );
      }
      await until('the transfers on the chain', async () => world.chain.waiting() === 0);
      const last = world.chain.slot();
      await until('them to be final', async () => world.chain.slot() > last + FINAL_SLOTS);
      const { failed } = world.chain.truth.landed('processed');
      if (failed > 0) throw new Error(`${failed} transactions failed`);
    }

    async function ask(questions: { method: string; params: unknown[] }[]) {
      const body = questions.map((one, id) => ({ jsonrpc: '2.0', id, ...one }));
      const response = await fetch(world.chain.rpcUrl, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      const answers = (await response.json()) as Answer[];
      const bad = answers.find(({ error }) => error !== undefined);
      if (bad) throw new Error(JSON.stringify(bad));
      return answers.map(({ result }) => result as { value: { blockhash: string } });
    }

    async function until(what: string, probe: () => Promise<boolean>): Promise<void> {
      for (const end = performance.now() + 240_000; performance.now() < end; await sleep(200))
        if (await probe()) return;
      const outputs = [...children].map(([kind, child]) => `--- ${kind}\n${child.output().slice(-3_000)}`);
      throw new Error(`${what} did not come\n${outputs.join('\n')}`);
    }
  },
);
