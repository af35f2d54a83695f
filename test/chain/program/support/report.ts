/** What docs/program.md says in figures: costs, rent and attacks, as Markdown tables between two marks each. */
import { countAttacks, gapsOf, instructionNames, reasonAgainst } from './attack-matrix.ts';
import { type Cost, measureCosts, measureFlows, measureRent } from './costs.ts';

export type Section = 'costs' | 'rent' | 'attacks';

/** Every section as measured now. */
export function measureReport(): Record<Section, string> {
  return { costs: costTable(measureCosts()), rent: rentTables(), attacks: attackTable() };
}

/** What a document has in a section; throws if it has no such section. */
export function readSection(markdown: string, section: Section): string {
  const [begin, end] = marksOf(section);
  const [, rest] = markdown.split(begin);
  const [text, after] = (rest ?? '').split(end);
  if (text === undefined || after === undefined) throw new Error(`there is no section ${section}`);
  return text.trim();
}

export function writeSection(markdown: string, section: Section, text: string): string {
  const [begin, end] = marksOf(section);
  return markdown.replace(
    `${begin}\n${readSection(markdown, section)}\n${end}`,
    () => `${begin}\n${text}\n${end}`,
  );
}

function marksOf(section: Section): [string, string] {
  return [`<!-- ${section} -->`, `<!-- /${section} -->`];
}

function costTable(costs: Cost[]): string {
  const rows = costs.map(({ what, units, bytes, signatures }) => [what, units, bytes, signatures]);
  return table(['instruction', 'compute units', 'transaction bytes', 'signatures'], rows);
}

/** The table of costs, read back. */
export function parseCosts(section: string): Cost[] {
  const rows = section.matchAll(/^\| (\D[^|]*) \| (\d+) \| (\d+) \| (\d+) \|$/gm);
  return [...rows].map(([, what = '', units, bytes, signatures]) => ({
    what,
    units: Number(units),
    bytes: Number(bytes),
    signatures: Number(signatures),
  }));
}

function rentTables(): string {
  const rents = measureRent().map(({ what, bytes, lamports }) => [what, bytes, sol(lamports)]);
  const flows = measureFlows().map(({ what, fee, rentPaid, rentReturned }) => [
    what,
    sol(fee),
    sol(rentPaid),
    sol(rentReturned),
  ]);
  return [
    table(['account', 'bytes', 'rent in SOL'], rents),
    table(['a ticket', 'fee in SOL', 'rent paid in SOL', 'rent returned in SOL'], flows),
  ].join('\n\n');
}

/** A number is how many attacks there are, a letter the reason why there is none. */
function attackTable(): string {
  const matrix = countAttacks();
  const gaps = gapsOf(matrix);
  const reasons: string[] = [];
  const letterOf = (reason: string) => {
    if (!reasons.includes(reason)) reasons.push(reason);
    return String.fromCharCode(97 + reasons.indexOf(reason));
  };
  const rows = instructionNames.map((name) => [
    name,
    ...matrix.classes.map((kind) => {
      const reason = reasonAgainst(kind, name);
      return matrix.cells.get(name)?.get(kind) ?? (reason === undefined ? 'GAP' : letterOf(reason));
    }),
  ]);
  const sums = matrix.classes.map((_, at) =>
    rows.reduce((sum, row) => sum + (typeof row[at + 1] === 'number' ? Number(row[at + 1]) : 0), 0),
  );
  const total = sums.reduce((sum, one) => sum + one, 0);
  return [
    table(['', ...matrix.classes], [...rows, ['together', ...sums]]),
    reasons.map((reason, at) => `${String.fromCharCode(97 + at)}: ${reason}.`).join(' '),
    `${total} attacks; gaps: ${gaps.length === 0 ? 'none' : gaps.join(', ')}.`,
  ].join('\n\n');
}

function table(head: string[], rows: (string | number)[][]): string {
  const line = (cells: (string | number)[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, at) => (at === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

function sol(lamports: bigint): string {
  const digits = lamports.toString().padStart(10, '0');
  return `${digits.slice(0, -9)}.${digits.slice(-9)}`.replace(/(\.\d{2,}?)0+$/, '$1');
}
