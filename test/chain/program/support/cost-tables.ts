/** The figures of costs.ts as the Markdown tables that docs/program.md has. */
import { type Cost, measureCosts, measureFlows, measureRent } from './costs.ts';

export function costTables(): string {
  const costs = measureCosts().map(({ what, units, bytes, signatures }) => [what, units, bytes, signatures]);
  const rents = measureRent().map(({ what, bytes, lamports }) => [what, bytes, sol(lamports)]);
  const flows = measureFlows().map(({ what, fee, rentPaid, rentReturned }) => [
    what,
    sol(fee),
    sol(rentPaid),
    sol(rentReturned),
  ]);
  return [
    table(['instruction', 'compute units', 'transaction bytes', 'signatures'], costs),
    table(['account', 'bytes', 'rent in SOL'], rents),
    table(['a ticket', 'fee in SOL', 'rent paid in SOL', 'rent returned in SOL'], flows),
  ].join('\n\n');
}

/** The first of the tables, read back. */
export function parseCosts(markdown: string): Cost[] {
  const rows = markdown.matchAll(/^\| ([a-z_]+(?:[ ,][\w ,]*)?) \| (\d+) \| (\d+) \| (\d+) \|$/gm);
  return [...rows].map(([, what = '', units, bytes, signatures]) => ({
    what,
    units: Number(units),
    bytes: Number(bytes),
    signatures: Number(signatures),
  }));
}

function table(head: string[], rows: (string | number)[][]): string {
  const line = (cells: (string | number)[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, at) => (at === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

function sol(lamports: bigint): string {
  const digits = lamports.toString().padStart(10, '0');
  return `${digits.slice(0, -9)}.${digits.slice(-9)}`.replace(/(\.\d{2,}?)0+$/, '$1');
}
