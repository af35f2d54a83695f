import { measureText, toGraphemes } from './measure-text.ts';

const words = new Intl.Segmenter('en', { granularity: 'word' });

/** Up to `lines` lines of `width` em each; `cut` when the text went on. Nothing is cut inside of a character. */
export function wrapText(
  text: string,
  { width, lines }: { width: number; lines: number },
): { lines: string[]; cut: boolean } {
  const made: string[] = [];
  let rest = text.replace(/\s+/g, ' ').trim();
  while (rest !== '' && made.length < lines) {
    const line = firstLine(rest, width);
    made.push(line);
    rest = rest.slice(line.length);
  }
  if (rest !== '') made.push(shorten(made.pop() + rest, width));
  return { lines: made.map((line) => line.trimEnd()), cut: rest !== '' };
}

/** As much of the text as fits, with the blank behind it; a word that is wider than the line is broken. */
function firstLine(text: string, width: number): string {
  let line = '';
  let used = 0;
  for (const piece of toPieces(text)) {
    if (used + measureText(piece.trimEnd()) > width) break;
    line += piece;
    used += measureText(piece);
  }
  return line || fitGraphemes(text, width);
}

/** What must stay on one line: words with their punctuation. Scripts without blanks break between words too. */
function* toPieces(text: string): Generator<string> {
  let piece = '';
  let before: Intl.SegmentData | undefined;
  for (const here of words.segment(text)) {
    if (before && mayBreak(before, here)) {
      yield piece;
      piece = '';
    }
    piece += here.segment;
    before = here;
  }
  if (piece !== '') yield piece;
}

const GAP = /[\s\-–—/、。，！？」』]$/u;
const NEVER_FIRST = /^[\s、。，！？」』]/u;

function mayBreak(before: Intl.SegmentData, here: Intl.SegmentData): boolean {
  if (before.isWordLike && here.isWordLike) return true;
  return GAP.test(before.segment) && !NEVER_FIRST.test(here.segment);
}

function shorten(text: string, width: number): string {
  return `${fitGraphemes(text, width - measureText('…')).trimEnd()}…`;
}

/** At least one, however narrow the line is. */
function fitGraphemes(text: string, width: number): string {
  let fitting = '';
  let used = 0;
  for (const grapheme of toGraphemes(text)) {
    used += measureText(grapheme);
    if (fitting !== '' && used > width) break;
    fitting += grapheme;
  }
  return fitting;
}
