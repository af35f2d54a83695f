import { z } from '@hono/zod-openapi';
import { CsvError, parse } from 'csv-parse/sync';
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
const REQUIRED = ['section', 'row', 'seat', 'ticketTypeId'];

/**
 * A seat map from CSV: a header `section,row,seat,ticketTypeId,blocked` (the last optional), a line per seat, in the
 * order in which they stand. Fields may be quoted as in RFC 4180.
 * @throws DomainError invalid, naming the first bad line
 */
export function readSeatCsv(text: string): SeatMapInput {
  type Seat = { number: string; ticketTypeId: string; blocked: boolean };
  const sections = new Map<string, Map<string, Seat[]>>();
  for (const { record, info } of readLines(text)) {
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

function readLines(text: string): Line[] {
  try {
    return parse(text, {
      bom: true,
      columns: readHeader,
      info: true,
      skip_empty_lines: true,
      trim: true,
    }) as unknown as Line[];
  } catch (error) {
    if (error instanceof CsvError) throw badCsv(error.message);
    throw error;
  }
}

/** The names of the columns as the code knows them, whatever their case in the file. */
function readHeader(header: string[]): string[] {
  const names = header.map((name) => {
    const known = [...REQUIRED, 'blocked'].find((column) => column.toLowerCase() === name.toLowerCase());
    return known ?? name;
  });
  const missing = REQUIRED.filter((column) => !names.includes(column));
  if (missing.length > 0) throw badCsv(`The header has no column ${missing.join(', ')}.`);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw badCsv(`The header has the column ${twice} twice.`);
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
