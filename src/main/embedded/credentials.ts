import { readFile, writeFile } from 'node:fs/promises';
import { createTenant } from '../../domain/tenants/create-tenant.ts';
import { systemClock } from '../../platform/clock.ts';
import type { Stack } from './start-stack.ts';

/** A tenant whose key we may show: the stack of one machine keeps it, where a service keeps only its hash. */
export type LocalTenant = { tenantId: string; name: string; key: string };

const PEOPLE = [
  ['alice', 'buyer'],
  ['bob', 'buyer'],
  ['gate-1', 'scanner'],
] as const;

const fileIn = (folder: string): string => `${folder}/credentials.json`;

/** Opens a tenant and keeps its key, for the starts to come to show again. */
export async function addLocalTenant(stack: Stack, name: string): Promise<LocalTenant> {
  const { tenantId, apiKey } = await createTenant({ db: stack.db, clock: systemClock }, { name });
  const tenant = { tenantId, name, key: apiKey.key };
  await writeFile(fileIn(stack.folder), `${JSON.stringify(tenant)}\n`, { mode: 0o600 });
  return tenant;
}

/** The tenant that was kept last while its key is good, otherwise a new one. */
export async function openLocalTenant(stack: Stack): Promise<LocalTenant> {
  const text = await readFile(fileIn(stack.folder), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  if (text) {
    const kept = JSON.parse(text) as LocalTenant;
    const headers = { authorization: `Bearer ${kept.key}` };
    const { status } = await fetch(`${stack.url}/api/events`, { headers });
    if (status === 200) return kept;
  }
  return addLocalTenant(stack, 'My organisation');
}

export async function printCredentials(stack: Stack, tenant: LocalTenant): Promise<void> {
  const { tenantId, name, key } = tenant;
  console.log(`\nCredentials of the tenant "${name}":`);
  console.log(`  admin key       ${key}`);
  for (const [subject, role] of PEOPLE) {
    const token = await stack.identity.issueToken({ tenantId, subject, role });
    console.log(`  token of ${subject.padEnd(6)} ${token}`);
  }
  console.log('\nWhat the examples of the README want in your shell:');
  console.log(`export API=${stack.url} KEY=${key}`);
  console.log('\nA tenant of your own, in another terminal here while this runs: npm run tenant -- "Name"');
}
