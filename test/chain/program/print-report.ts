/** `npm run program:report`: prints the tables of docs/program.md as measured now; with `-- --write` puts them there. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { measureReport, type Section, writeSection } from './support/report.ts';

const DOCS = join(import.meta.dirname, '../../../docs/program.md');

const sections = Object.entries(measureReport()) as [Section, string][];
if (process.argv.includes('--write')) {
  const text = readFileSync(DOCS, 'utf8');
  writeFileSync(
    DOCS,
    sections.reduce((markdown, [section, table]) => writeSection(markdown, section, table), text),
  );
} else {
  console.log(sections.map(([, table]) => table).join('\n\n'));
}
