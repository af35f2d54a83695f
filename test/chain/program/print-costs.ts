/** Prints the tables of docs/program.md: `node test/chain/program/print-costs.ts`; with `--write` puts them there. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { costTables } from './support/cost-tables.ts';

const DOCS = join(import.meta.dirname, '../../../docs/program.md');
const [BEGIN, END] = ['<!-- costs -->', '<!-- /costs -->'];

const tables = costTables();
if (process.argv.includes('--write')) {
  const text = readFileSync(DOCS, 'utf8');
  const [before, rest = ''] = text.split(BEGIN);
  const after = rest.split(END)[1];
  writeFileSync(DOCS, `${before}${BEGIN}\n${tables}\n${END}${after}`);
} else {
  console.log(tables);
}
