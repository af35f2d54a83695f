import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { z } from '@hono/zod-openapi';
import { CsvError, parse } from 'csv-parse';
import { DomainError } from '../../platform/errors.ts';
import { checkBody } from '../../platform/http/router.ts';
import { uuid } from '../../platform/http/shapes.ts';
import { rowLabel, type SeatMapInput, seatMapInput, seatNumber, sectionName } from './schema.ts';

const seatLine = z.object({
  section: sectionName,
  row: rowLabel,
  seat: seatNumber,
  ticketTypeId: uuid,
  blocked: z.string().default(''),
});
/** Spreadsheets bring columns of their own; a hundred are enough for any. */
const MAX_COLUMNS = 100;
/** A line of five fields takes less; whatever else is in it belongs to nobody's seat. */
const MAX_LINE = 16 * 1024;
const CHUNK = 16 * 1024;
const REQUIRED = ['section', 'row', 'seat', 'ticketTypeId'];
const columns = new Map([...REQUIRED, 'blocked'].map((column) => [column.toLowerCase(), column]));

/**
 * A seat map from CSV: a header `section,row,seat,ticketTypeId,blocked` (the last optional), a line per seat, in the
 * order in which they stand. Fields may be quoted as in RFC 4180. Others have their turn between its pieces.
 * @throws DomainError invalid, naming the first bad line
 */
export async function readSeatCsv(text: string): Promise<SeatMapInput> {
  type Seat = { number: string; ticketTypeId: string; blocked: boolean };
  const sections = new Map<string, Map<string, Seat[]>>();
  for await (const { record, info } of readLines(text)) {
    const { section, row, seat, ticketTypeId, blocked } = readSeat(record, info.lines);
    const rows = sections.get(section) ?? new Map<string, Seat[]>();
    sections.set(section, rows);
    const seats = rows.get(row) ?? [];
    rows.set(row, seats);
    seats.push({ number: seat, ticketTypeId, blocked: readFlag(blocked, info.lines) });
  }
  if (sections.size === 0) throw badCsv('There is no seat in it.');
  return checkBody(seatMapInput, {
    sections: [...sections].map(([name, rows]) => ({
      name,
      rows: [...rows].map(([label, seats]) => ({ label, seats })),
    })),
  });
}

type Line = { record: Record<string, string>; info: { lines: number } };

async function* readLines(text: string): AsyncGenerator<Line> {
  const parser = parse({
    bom: true,
    columns: readHeader,
    info: true,
    max_record_size: MAX_LINE,
    skip_empty_lines: true,
    trim: true,
  });
  try {
    yield* Readable.from(pieces(text)).pipe(parser) as AsyncIterable<Line>;
  } catch (error) {
    if (error instanceof CsvError) throw badCsv(error.message);
    throw error;
  }
}

async function* pieces(text: string): AsyncGenerator<string> {
  for (let at = 0; at < text.length; at += CHUNK) {
    yield text.slice(at, at + CHUNK);
    await setImmediate();
  }
}

/** The names of the columns as the code knows them, whatever their case in the file. */
function readHeader(header: string[]): string[] {
  if (header.length > MAX_COLUMNS) throw badCsv(`The header has more than ${MAX_COLUMNS} columns.`);
  const names = header.map((name) => columns.get(name.toLowerCase()) ?? name);
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) throw badCsv(`The header has the column ${name.slice(0, 50)} twice.`);
    seen.add(name);
  }
  const missing = REQUIRED.filter((column) => !seen.has(column));
  if (missing.length > 0) throw badCsv(`The header has no column ${missing.join(', ')}.`);
  return names;
}

function readSeat(record: Record<string, string>, line: number): z.output<typeof seatLine> {
  const read = seatLine.safeParse(record);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw badCsv(`Line ${line}: ${issue?.path.join('.')}: ${issue?.message}.`);
}

function readFlag(text: string, line: number): boolean {
  const value = text.toLowerCase();
  if (['', 'false', 'no', '0'].includes(value)) return false;
  if (['true', 'yes', '1'].includes(value)) return true;
  throw badCsv(`Line ${line}: blocked is neither true nor false.`);
}

function badCsv(message: string): DomainError {
  return new DomainError('invalid', 'bad_csv', message);
}
