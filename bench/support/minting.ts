import { createHash } from 'node:crypto';
import bs58 from 'bs58';
import type { Address } from '../../programs-client/addresses.ts';
import type { SeenTransaction } from '../../src/domain/chain/sync/seen-transaction.ts';
import { newId, uuidBytes } from '../../src/platform/ids.ts';
import type { BenchDatabase } from './postgres.ts';
import { openTenants } from './sale.ts';

export type Minting = {
  tenantId: string;
  eventId: string;
  clusterId: string;
  /** So many more tickets sold, their mints sent; and what the chain shows of them, in its order. */
  send(count: number): Promise<SeenTransaction[]>;
  /** Takes away what was sent so far, so that every measurement finds tables of one size. */
  clear(): Promise<void>;
};

/** An event on the chain whose tickets are sold and sent, written at once: a sale of so many would take minutes. */
export async function openMinting(database: BenchDatabase, programId: string): Promise<Minting> {
  const { owner } = database;
  const [tenantId] = (await openTenants(database, 1)) as [string];
  const [eventId, typeId, clusterId] = [newId(), newId(), newId()];
  const event = addressOf(`event ${eventId}`);
  await owner.query(
    `insert into events (tenant_id, id, title, venue, starts_at, ends_at, currency, created_at, updated_at)
     values ($1, $2, 'A night', 'The Forum', now() + interval '1 day', now() + interval '2 days', 'EUR', now(), now())`,
    [tenantId, eventId],
  );
  await owner.query(
    `insert into chain_events (tenant_id, event_id, address, max_supply, registered_at) values ($1, $2, $3, 10000000, now())`,
    [tenantId, eventId, event],
  );
  await owner.query(
    `insert into chain_clusters (id, genesis_hash, program_id, started_at, updated_at) values ($1, 'bench', $2, now(), now())`,
    [clusterId, programId],
  );
  let sent = 0;
  return {
    tenantId,
    eventId,
    clusterId,
    async send(count) {
      const rows = Array.from({ length: count }, (_, at) => {
        const index = sent + at;
        const id = newId();
        const account = addressOf(`ticket ${id}`);
        return { id, pending: newId(), index, account, signature: signatureOf(id) };
      });
      sent += count;
      const json = JSON.stringify(rows);
      // Without the triggers that keep the history: what is measured begins later.
      const client = await owner.connect();
      await client.query('begin; set local session_replication_role = replica');
      await client.query(
        `insert into tickets (tenant_id, id, event_id, ticket_type_id, order_id, user_id, ticket_number, holder_name, status,
           status_actor, price_minor, currency, version, chain_account, chain_index, blockchain_sync_status, created_at, updated_at)
         select $1, n.id, $2, $3, n.id, 'buyer-' || n.index % 1000, 'T-' || n.index, 'Ada Example', 'minting', 'bench', 2500,
           'EUR', 2, n.account, n.index, 'pending', now(), now()
         from json_to_recordset($4::json) as n(id uuid, index integer, account text)`,
        [tenantId, eventId, typeId, json],
      );
      await client.query('commit');
      client.release();
      await owner.query(
        `insert into pending_transactions (tenant_id, id, purpose, subject_id, ticket_id, status, tx_signature, raw,
           last_valid_block_height, prepared_at, submitted_at)
         select $1, n.pending, 'mint', n.id, n.id, 'submitted', n.signature, decode(repeat('00', 600), 'hex'), 1000, now(), now()
         from json_to_recordset($2::json) as n(id uuid, pending uuid, signature text)`,
        [tenantId, json],
      );
      await owner.query('vacuum analyze tickets, pending_transactions');
      return rows.map(({ id, index, account, signature }) => ({
        signature,
        slot: 1_000 + Math.floor(index / 200),
        blockTime: new Date(),
        entries: [
          {
            kind: 'ticket_minted',
            instructionPath: '2',
            ordinal: 0,
            event,
            ticket: account,
            mint: addressOf(`mint ${id}`),
            from: undefined,
            to: addressOf(`holder ${index % 1_000}`),
            index,
            ticketId: uuidBytes(id),
            faceValue: 2_500n,
            organizer: addressOf('organizer'),
            complete: true,
            version: 1,
            unixTime: 1_700_000_000,
          },
        ],
      }));
    },
    async clear() {
      await owner.query(
        'truncate tickets, ticket_state_transitions, pending_transactions, blockchain_sync, outbox cascade',
      );
    },
  };
}

function addressOf(name: string): Address {
  return bs58.encode(createHash('sha256').update(name).digest()) as Address;
}

function signatureOf(name: string): string {
  return bs58.encode(createHash('sha512').update(name).digest());
}
