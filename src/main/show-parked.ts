import { parseArgs } from 'node:util';
import { loadConfig } from '../config.ts';
import { listUnsentMails, resendMails } from '../domain/notifications/unsent-mails.ts';
import { systemClock } from '../platform/clock.ts';
import { type TenantId, toTenantId } from '../platform/ids.ts';
import { createLogger } from '../platform/logger.ts';
import { listParked, listStrays, retryParked } from '../platform/parked-messages.ts';
import { withSystem } from '../platform/tenant-tx.ts';
import { exitOnProblem } from '../process/exit.ts';
import { openDatabase } from '../process/open-database.ts';
import { findDatabase } from './find-database.ts';

const USAGE = `npm run parked                               shows what was given up on, and why
npm run parked -- retry [ID] [--queue NAME]  tries messages again
npm run parked -- resend [ID]                sends mails again; one that is uncertain may then come twice`;

const WHY = {
  failure: 'Its handler failed. Mend the cause, then retry.',
  outage: 'What it needs was away. Retry.',
  crash:
    'Processes died while they had it. It is taken back by itself three times; then look at it, and retry.',
};

/** `npm run parked`: what consumers and the mail server gave up on; `retry` and `resend` take it back. */
await exitOnProblem(async () => {
  const config = loadConfig(await findDatabase(), 'parked');
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { queue: { type: 'string' } },
  });
  const [command = 'list', id] = positionals;
  if (!['list', 'retry', 'resend'].includes(command)) throw new Error(USAGE);
  const log = createLogger({ level: 'error', process: 'parked' });
  const options = { poolSize: 1, log, applicationName: 'parked' };
  const db = await openDatabase(config, 'DATABASE_URL', options);
  const relay = await openDatabase(config, 'DATABASE_RELAY_URL', options);
  const tenants = await withSystem(relay, (tx) =>
    tx.selectFrom('tenants').select('tenant_id').orderBy('tenant_id').execute(),
  );
  const forAll = async <T>(work: (tenantId: TenantId) => Promise<T>): Promise<T[]> => {
    const results: T[] = [];
    for (const { tenant_id } of tenants) results.push(await work(toTenantId(tenant_id)));
    return results;
  };
  const sum = (counts: number[]): number => counts.reduce((all, count) => all + count, 0);
  const now = systemClock.now();

  if (command === 'retry') {
    const choice = { consumer: values.queue, messageId: id };
    console.log(
      `${sum(await forAll((tenantId) => retryParked(db, tenantId, now, choice)))} messages are tried again.`,
    );
  } else if (command === 'resend') {
    console.log(
      `${sum(await forAll((tenantId) => resendMails(db, tenantId, now, id)))} mails are sent again.`,
    );
  } else {
    const messages = (await forAll((tenantId) => listParked(db, tenantId))).flat();
    const mails = (await forAll((tenantId) => listUnsentMails(db, tenantId))).flat();
    const strays = await listStrays(relay);
    if (messages.length + mails.length + strays.length === 0) console.log('Nothing was given up on.');
    if (messages.length > 0) console.table(messages.map((one) => ({ ...one, what: WHY[one.cause] })));
    if (mails.length > 0) console.table(mails);
    if (strays.length > 0) console.table(strays);
  }
  await Promise.all([db.close(), relay.close()]);
});
