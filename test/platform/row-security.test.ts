import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { openWorld, type World } from '../http/support/operations.ts';
import {
  createTestContext,
  createTestTenant,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';
import { servingRoles } from './support/catalogue-faults.ts';

type Role = (typeof servingRoles)[number];
type Side = { tenant: TestTenant; world: World };

const INSUFFICIENT_PRIVILEGE = '42501';

let ctx: TestContext;
let one: Side;
let other: Side;
let tables: string[];
const clients = {} as Record<Role, pg.Client>;

beforeAll(async () => {
  ctx = await createTestContext();
  const app = createApp(ctx);
  const open = async (name: string): Promise<Side> => {
    const tenant = await createTestTenant(ctx, app, name);
    const world = await openWorld(ctx, tenant);
    await fillTheRest(tenant.tenantId, world);
    return { tenant, world };
  };
  [one, other] = [await open('one'), await open('other')];
  const { rows } = await ctx.database.owner.query(
    `select table_name as name from information_schema.columns
     where table_schema = 'public' and column_name = 'tenant_id' order by 1`,
  );
  tables = rows.map(({ name }) => name);
  for (const role of servingRoles) {
    clients[role] = new pg.Client({ connectionString: ctx.database.url(role) });
    await clients[role].connect();
  }
});
afterAll(async () => {
  for (const client of Object.values(clients)) await client.end();
  await ctx.close();
});

it('there are rows of both tenants in every table of tenants', async () => {
  expect(tables.length).toBeGreaterThan(30);
  for (const table of tables)
    for (const { tenant } of [one, other])
      expect(await count(ctx.database.owner, table, tenant.tenantId), table).toBeGreaterThan(0);
});

describe.each(servingRoles)('%s', (role) => {
  it('sees its tenant and nothing of another', async () => {
    let seen = 0;
    for (const table of await allowed(role, 'select')) {
      await inTenant(role, one.tenant.tenantId, async (client) => {
        expect(await count(client, table, other.tenant.tenantId), table).toBe(0);
        const own = await count(client, table, one.tenant.tenantId);
        expect(own, table).toBeGreaterThan(0);
        seen += own;
      });
    }
    expect(seen).toBeGreaterThan(0);
  });

  it('cannot write a row of another tenant', async () => {
    const writable = await allowed(role, 'insert');
    for (const table of writable) {
      const row = await anyRow(table, other.tenant.tenantId);
      await inTenant(role, one.tenant.tenantId, async (client) => {
        await expectRefused(
          client,
          `insert into ${table} select * from jsonb_populate_record(null::${table}, $1)`,
          [row],
        );
      });
    }
    expect(writable.length).toBeGreaterThan(role === 'tessera_relay' ? -1 : 0);
  });

  it('cannot change a row of another tenant, nor move one there', async () => {
    for (const table of await allowed(role, 'update')) {
      const column = await updatableColumn(role, table);
      await inTenant(role, one.tenant.tenantId, async (client) => {
        const change = `update ${table} set ${column} = ${column} where tenant_id = $1`;
        expect((await client.query(change, [other.tenant.tenantId])).rowCount, table).toBe(0);
        expect((await client.query(change, [one.tenant.tenantId])).rowCount, table).toBeGreaterThan(0);
        const all = await client.query(`update ${table} set ${column} = ${column}`);
        expect(all.rowCount, table).toBe(await count(client, table, one.tenant.tenantId));
        const [{ may }] = (
          await client.query("select has_column_privilege($1, 'tenant_id', 'update') as may", [table])
        ).rows;
        if (may) await expectRefused(client, `update ${table} set tenant_id = $1`, [other.tenant.tenantId]);
      });
    }
  });

  it('cannot delete a row of another tenant', async () => {
    for (const table of await allowed(role, 'delete')) {
      await inTenant(role, one.tenant.tenantId, async (client) => {
        const remove = await client.query(`delete from ${table} where tenant_id = $1`, [
          other.tenant.tenantId,
        ]);
        expect(remove.rowCount, table).toBe(0);
      });
    }
    for (const table of tables)
      expect(await count(ctx.database.owner, table, other.tenant.tenantId), table).toBeGreaterThan(0);
  });

  it('cannot lock a row of another tenant', async () => {
    for (const table of await allowed(role, 'update')) {
      await inTenant(role, one.tenant.tenantId, async (client) => {
        const locked = await client.query(`select 1 from ${table} where tenant_id = $1 for update`, [
          other.tenant.tenantId,
        ]);
        expect(locked.rowCount, table).toBe(0);
      });
    }
  });

  it.each([
    ['never set', undefined],
    ['empty, as on a connection that had one before', ''],
  ])('without a tenant (%s) sees and writes nothing but what is its task', async (_how, tenantId) => {
    for (const table of tables) {
      await inTenant(role, tenantId, async (client) => {
        const task = tasks[role][table] ?? '';
        if (await may(role, table, 'select')) {
          const both =
            (await count(client, table, one.tenant.tenantId)) +
            (await count(client, table, other.tenant.tenantId));
          if (task === '') expect(both, table).toBe(0);
          else expect(both, table).toBeGreaterThan(1);
        }
        if (await may(role, table, 'insert')) {
          const row = await anyRow(table, one.tenant.tenantId);
          await expectRefused(
            client,
            `insert into ${table} select * from jsonb_populate_record(null::${table}, $1)`,
            [row],
          );
        }
        if (await may(role, table, 'update')) {
          const column = await updatableColumn(role, table);
          const { rowCount } = await client.query(`update ${table} set ${column} = ${column}`);
          if (task.includes('update')) expect(rowCount, table).toBeGreaterThan(1);
          else expect(rowCount, table).toBe(0);
        }
        if (await may(role, table, 'delete')) {
          const { rowCount } = await client.query(`delete from ${table} where tenant_id = any ($1)`, [
            [one.tenant.tenantId, other.tenant.tenantId],
          ]);
          if (task.includes('delete')) expect(rowCount, table).toBeGreaterThan(1);
          else expect(rowCount, table).toBe(0);
        }
      });
    }
  });

  it('gets an error for a tenant that is none, and not everything', async () => {
    await inTenant(role, 'everybody', async (client) => {
      await expect(client.query('select tenant_id from tenants')).rejects.toThrow(
        'invalid input syntax for type uuid',
      );
    });
  });

  it('cannot go past it', async () => {
    const client = clients[role];
    for (const statement of [
      'set role tessera_owner',
      'set session authorization postgres',
      'alter table tickets disable row level security',
      'drop policy tenant_isolation on tickets',
      'create policy mine on tickets using (true)',
      'truncate tenants cascade',
      'create table mine as select * from tenants',
      'alter role current_user bypassrls',
    ]) {
      await expect(client.query(statement), statement).rejects.toMatchObject({
        code: INSUFFICIENT_PRIVILEGE,
      });
    }
    await client.query('set row_security = off');
    // It makes a query fail that would leave rows out; it does not show them.
    await expect(client.query('select tenant_id from tenants')).rejects.toMatchObject({
      code: INSUFFICIENT_PRIVILEGE,
    });
    await client.query('reset row_security');
  });
});

describe('what a key could tell', () => {
  it('a reference to another tenant’s row fails like one to a row that is not there', async () => {
    const insert = `insert into ticket_types select * from jsonb_populate_record(null::ticket_types, $1)`;
    const own = (await anyRow('ticket_types', one.tenant.tenantId)) as Record<string, unknown>;
    const attempt = (eventId: string) =>
      inTenant('tessera_app', one.tenant.tenantId, (client) =>
        client
          .query(insert, [{ ...own, id: randomUUID(), event_id: eventId }])
          .then(() => 'inserted')
          .catch((error) => `${error.code} ${error.constraint}`),
      );
    expect(await attempt(other.world.eventId)).toBe('23503 ticket_types_tenant_id_event_id_fkey');
    expect(await attempt(randomUUID())).toBe(await attempt(other.world.eventId));
  });

  it('the id of another tenant’s row is free for one’s own', async () => {
    const foreign = (await anyRow('promo_codes', other.tenant.tenantId)) as Record<string, unknown>;
    await inTenant('tessera_app', one.tenant.tenantId, async (client) => {
      const row = { ...foreign, tenant_id: one.tenant.tenantId, event_id: null };
      await client.query(
        'insert into promo_codes select * from jsonb_populate_record(null::promo_codes, $1)',
        [row],
      );
      expect(await count(client, 'promo_codes', one.tenant.tenantId)).toBeGreaterThan(1);
    });
  });

  it('an NFT leads to its ticket whoever asks, and to nothing else of it', async () => {
    const { rows, fields } = await clients.tessera_app.query('select * from find_nft($1)', [
      other.world.mint,
    ]);
    expect(rows).toEqual([{ tenant_id: other.tenant.tenantId, ticket_id: other.world.ticketId }]);
    expect(fields.map(({ name }) => name)).toEqual(['tenant_id', 'ticket_id']);
    expect((await clients.tessera_app.query("select * from find_nft('%')")).rows).toEqual([]);
  });
});

/** What a role may do across tenants while it is in none. */
const tasks: Record<Role, Record<string, string>> = {
  tessera_app: {},
  tessera_relay: {
    tenants: 'select',
    outbox: 'select, update, delete',
    inbox: 'select, delete',
    failed_messages: 'select, update',
    mails: 'select, delete',
    idempotency_keys: 'select, delete',
    events: 'select',
    waiting_list: 'select',
    inventory: 'select',
    holds: 'select',
    payments: 'select',
    refunds: 'select',
    tickets: 'select',
    pending_transactions: 'select',
    parked_jobs: 'select',
  },
  tessera_listener: {
    tenants: 'select',
    chain_events: 'select',
    parked_jobs: 'select',
    pending_transactions: 'select',
    blockchain_sync: 'select',
    tickets: 'select',
  },
};

/** Runs `work` as `role` in a transaction of `tenantId`, which is taken back. */
async function inTenant<T>(
  role: Role,
  tenantId: string | undefined,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = clients[role];
  await client.query('begin');
  try {
    if (tenantId !== undefined)
      await client.query("select set_config('app.tenant_id', $1, true)", [tenantId]);
    return await work(client);
  } finally {
    await client.query('rollback');
  }
}

/** The statement is refused by row-level security, and not for another reason; the transaction can go on. */
async function expectRefused(client: pg.Client, statement: string, values: unknown[]): Promise<void> {
  await client.query('savepoint before_refusal');
  await expect(client.query(statement, values), statement).rejects.toMatchObject({
    code: INSUFFICIENT_PRIVILEGE,
    message: expect.stringContaining('violates row-level security policy'),
  });
  await client.query('rollback to savepoint before_refusal');
}

async function count(client: pg.Client | pg.Pool, table: string, tenantId: string): Promise<number> {
  const { rows } = await client.query(
    `select count(tenant_id)::integer as n from ${table} where tenant_id = $1`,
    [tenantId],
  );
  return rows[0].n;
}

async function anyRow(table: string, tenantId: string): Promise<unknown> {
  const { rows } = await ctx.database.owner.query(
    `select to_jsonb(t) as row from ${table} t where tenant_id = $1 limit 1`,
    [tenantId],
  );
  return rows[0].row;
}

async function may(role: Role, table: string, right: string): Promise<boolean> {
  const check = right === 'delete' ? 'has_table_privilege' : 'has_any_column_privilege';
  const { rows } = await ctx.database.owner.query(`select ${check}($1, $2, $3) as may`, [role, table, right]);
  return rows[0].may;
}

async function allowed(role: Role, right: string): Promise<string[]> {
  const granted: string[] = [];
  for (const table of tables) if (await may(role, table, right)) granted.push(table);
  return granted;
}

async function updatableColumn(role: Role, table: string): Promise<string> {
  const { rows } = await ctx.database.owner.query(
    `select column_name as name from information_schema.columns
     where table_schema = 'public' and table_name = $2 and column_name not in ('tenant_id', 'status')
       and has_column_privilege($1, table_name, column_name, 'update') limit 1`,
    [role, table],
  );
  return rows[0].name;
}

/** One row of all that buying and selling does not leave behind. */
async function fillTheRest(tenantId: string, world: World): Promise<void> {
  const { owner } = ctx.database;
  const id = randomUUID();
  const address = 'A'.repeat(40);
  const inserts = [
    `insert into users (tenant_id, user_id) values ($1, 'alice')`,
    `insert into inbox (tenant_id, consumer, message_id) values ($1, 'analytics', $2)`,
    `insert into failed_messages (tenant_id, consumer, message_id, kind, body, occurred_at, cause, error, attempts, parked_at)
       values ($1, 'analytics', $2, 'ticket.minted', '{}', now(), 'failure', 'no', 5, now())`,
    `insert into mails (tenant_id, id, fact, recipient, subject, content, next_attempt_at, created_at)
       values ($1, $2, 'test', 'alice@example.com', 'Hello', 'Text', now(), now())`,
    `insert into inventory_checks select $1, id, 1, now() from ticket_types where tenant_id = $1 limit 1`,
    `insert into capacity_drift select $1, $2, id, now(), 1, 0, 0, 0 from ticket_types where tenant_id = $1 limit 1`,
    `insert into refunds (tenant_id, id, order_id, payment_id, amount_minor, currency, reason, requested_by, status, created_at, updated_at)
       select $1, $2, order_id, id, 1, 'EUR', 'rain', 'olga', 'requested', now(), now() from payments where tenant_id = $1 limit 1`,
    `insert into payment_events (tenant_id, provider, event_id, kind, received_at) values ($1, 'test', $2, 'paid', now())`,
    `insert into test_provider_refunds (tenant_id, reference, charge, amount_minor, created_at) values ($1, $2, $2, 1, now())`,
    `insert into event_statistics (tenant_id, event_id, minute, kind) select $1, id, now(), 'sold' from events where tenant_id = $1 limit 1`,
    `insert into chain_organizers (tenant_id, address, authority) values ($1, $3, $3)`,
    `insert into chain_events (tenant_id, event_id, address, max_supply) values ($1, $4, $3, 10)`,
    `insert into pending_transactions (tenant_id, id, purpose, subject_id, ticket_id, status, tx_signature, raw, last_valid_block_height, prepared_at)
       values ($1, $2, 'mint', $5, $5, 'confirmed', 'signature', '', 1, now())`,
    `insert into parked_jobs (tenant_id, purpose, subject_id, ticket_id, event_id, reason, parked_at, checked_at)
       values ($1, 'mint', $5, $5, $4, 'MathOverflow', now(), now())`,
    `insert into chain_spending (tenant_id, hour, lamports) values ($1, date_trunc('hour', now(), 'UTC'), 1)`,
    `insert into blockchain_sync (tenant_id, cluster_id, signature, instruction_path, ordinal, kind, slot, ticket_id, commitment, outcome, recorded_at)
       values ($1, $2, 'signature', '0', 0, 'ticket_minted', 1, $5, 'provisional', 'applied', now())`,
    `insert into ticket_scans (tenant_id, id, ticket_id, event_id, scanned_at, scanned_by, direction, result, nonce)
       values ($1, $2, $5, $4, now(), 'gate-1', 'entry', 'ok', $2)`,
    `insert into admissions (tenant_id, ticket_id, entry_number, scan_id, admitted_at) values ($1, $5, 1, $2, now())`,
  ];
  const values = [tenantId, id, address, world.eventId, world.ticketId];
  const literals = values.map((value) => pg.escapeLiteral(value));
  for (const insert of inserts)
    await owner.query(insert.replace(/\$(\d)/g, (_, n) => literals[Number(n) - 1] ?? ''));
}
