import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { MAX_TRANSACTION_BYTES } from '../../../programs-client/send.ts';
import { measureFlows } from './support/costs.ts';
import { measureReport, parseCosts, readSection, writeSection } from './support/report.ts';

vi.setConfig({ testTimeout: 60_000 });

const docs = readFileSync(join(import.meta.dirname, '../../../docs/program.md'), 'utf8');
const report = measureReport();
const documented = parseCosts(readSection(docs, 'costs'));
const measured = parseCosts(report.costs);
const unitsOf = (what: string) => measured.find((cost) => cost.what === what)?.units;

describe('the costs in docs/program.md', () => {
  it('are of the very instructions that are measured', () => {
    expect(documented.map(({ what }) => what)).toEqual(measured.map(({ what }) => what));
    expect(documented.length).toBeGreaterThan(20);
  });

  it.each(measured)('hold for $what, give or take one in twenty', ({ what, units, bytes, signatures }) => {
    const known = documented.find((cost) => cost.what === what) ?? { units: 0, bytes: 0, signatures: 0 };
    expect(units).toBeLessThanOrEqual(known.units * 1.05);
    expect(bytes).toBeLessThanOrEqual(known.bytes * 1.05);
    // A figure that fell is written down too, or the next rise could hide behind the old one.
    expect(units).toBeGreaterThanOrEqual(known.units * 0.95);
    expect(bytes).toBeGreaterThanOrEqual(known.bytes * 0.95);
    expect(signatures).toBe(known.signatures);
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

describe('the other tables in docs/program.md', () => {
  it.each(['rent', 'attacks'] as const)(
    'are what is measured: %s; else run program:report -- --write',
    (section) => {
      expect(readSection(docs, section)).toBe(report[section]);
    },
  );

  it('say that the matrix of attacks has no gap', () => {
    expect(report.attacks).toMatch(/^\d{4} attacks; gaps: none\.$/m);
    expect(report.attacks).not.toContain('GAP');
  });

  it('are written without touching anything else', () => {
    const changed = writeSection(docs, 'rent', '$& another');
    expect(readSection(changed, 'rent')).toBe('$& another');
    expect(writeSection(changed, 'rent', readSection(docs, 'rent'))).toBe(docs);
  });
});
