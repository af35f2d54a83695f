import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MAX_TRANSACTION_BYTES } from '../../../programs-client/send.ts';
import { parseCosts } from './support/cost-tables.ts';
import { measureCosts, measureFlows } from './support/costs.ts';

const documented = parseCosts(readFileSync(join(import.meta.dirname, '../../../docs/program.md'), 'utf8'));
const measured = measureCosts();
const unitsOf = (what: string) => measured.find((cost) => cost.what === what)?.units;

describe('the costs in docs/program.md', () => {
  it('are of the very instructions that are measured', () => {
    expect(documented.map(({ what }) => what)).toEqual(measured.map(({ what }) => what));
  });

  it.each(measured)('hold for $what, give or take one in twenty', ({ what, units, bytes }) => {
    const known = documented.find((cost) => cost.what === what);
    expect(units).toBeLessThanOrEqual((known?.units ?? 0) * 1.05);
    expect(bytes).toBeLessThanOrEqual((known?.bytes ?? 0) * 1.05);
    expect(bytes).toBeLessThanOrEqual(MAX_TRANSACTION_BYTES);
  });

  it('stay within what was aimed at', () => {
    expect(unitsOf('mint_ticket, no attributes')).toBeLessThanOrEqual(40_000);
    expect(unitsOf('transfer_ticket')).toBeLessThanOrEqual(22_000);
    expect(unitsOf('check_in')).toBeLessThanOrEqual(6_000);
  });

  it('come back in the end: closing returns the rent of minting to the lamport', () => {
    const flows = measureFlows();
    const paid = flows.reduce((sum, { rentPaid }) => sum + rentPaid, 0n);
    const returned = flows.reduce((sum, { rentReturned }) => sum + rentReturned, 0n);
    expect(returned).toBe(paid);
    expect(paid).toBeGreaterThan(0n);
  });
});
