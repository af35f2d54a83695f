import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { drawTicket } from '../../src/domain/tickets/draw-ticket.ts';
import { measureText, toGraphemes } from '../../src/domain/tickets/measure-text.ts';
import { wrapText } from '../../src/domain/tickets/wrap-text.ts';
import { parseXml, type XmlElement } from '../http/support/parse-xml.ts';

/** Bold widths in em as Chromium 156 drew them, the wider of DejaVu Sans and Noto with its CJK and emoji. */
const drawn: Record<string, number> = {
  ' ': 0.35,
  i: 0.34,
  l: 0.34,
  ',': 0.38,
  '|': 0.55,
  f: 0.44,
  t: 0.48,
  r: 0.49,
  s: 0.6,
  e: 0.68,
  o: 0.69,
  n: 0.71,
  '0': 0.7,
  é: 0.68,
  ü: 0.71,
  A: 0.77,
  H: 0.84,
  O: 0.85,
  w: 0.92,
  m: 1.04,
  W: 1.1,
  '%': 1,
  '@': 1,
  Æ: 1.09,
  æ: 1.05,
  '·': 0.38,
  '…': 1,
  '—': 1,
  '“': 0.66,
  '€': 0.7,
  '№': 1.2,
  '™': 1,
  '①': 0.9,
  ﬃ: 1.12,
  ǆ: 1.3,
  𝕳: 1.01,
  ш: 1.06,
  щ: 1.11,
  ю: 0.97,
  д: 0.81,
  а: 0.67,
  Ц: 0.93,
  π: 0.79,
  α: 0.69,
  ש: 0.76,
  א: 0.73,
  界: 1,
  あ: 1,
  ー: 1,
  Ａ: 1,
  각: 0.92,
  ณ: 0.71,
  क्षि: 0.97,
  ক্ষ্ম: 1.07,
  '🎭': 1.25,
  '👨‍👩‍👧‍👦': 1.25,
  '🇩🇪': 1.25,
  '❤️': 1.25,
  '﷽': 7.22,
  𒐫: 4.64,
};
const drawnWidth = (text: string) =>
  toList(text).reduce((sum, grapheme) => sum + (drawn[grapheme] ?? Number.NaN), 0);
const toList = (text: string) => [...toGraphemes(text)];

const nft = {
  mint: 'mint',
  eventTitle: 'Hamlet',
  venue: 'The Globe',
  startsAt: new Date('2026-09-30T18:30:00Z'),
  ticketType: 'Standing',
  ticketNumber: '001-0000001',
  seat: null as string | null,
};

type Text = { text: string; x: number; y: number; size: number; direction: string | undefined };

/** What stands left of the perforation, under the name of the house. */
function textsOf(overrides: Partial<typeof nft>): Text[] {
  const elements = (root: XmlElement): XmlElement[] => [root, ...root.children.flatMap(elements)];
  return elements(parseXml(drawTicket({ ...nft, ...overrides })))
    .filter(({ name, attributes }) => name === 'text' && !attributes.transform)
    .map(({ text, attributes: { x, y, 'font-size': size, direction } }) => ({
      text,
      x: Number(x),
      y: Number(y),
      size: Number(size),
      direction,
    }))
    .slice(1);
}
const titleOf = (eventTitle: string) => textsOf({ eventTitle }).filter(({ y }) => y < 270);

describe('the measure of a text', () => {
  it.each(Object.entries(drawn))(
    'of %s is no less than what is drawn, and not twice as much',
    (grapheme, width) => {
      expect(measureText(grapheme)).toBeGreaterThanOrEqual(width);
      expect(measureText(grapheme)).toBeLessThan(2 * width);
    },
  );

  it('does not grow by what is not seen', () => {
    for (const [long, short] of [
      ['e\u0301\u0302\u0303', 'e'],
      ['\u202ea\u2066', 'a'],
      ['\u200b\u200d\u0301', ''],
    ] as const)
      expect(measureText(long)).toBe(measureText(short));
  });
});

describe('a text that is wrapped', () => {
  const wrap = (text: string, width: number, lines: number) => wrapText(text, { width, lines });

  it('breaks between words, behind hyphens, and in scripts without blanks between their words', () => {
    expect(wrap('to be, or not to be', 6, 9).lines).toEqual(['to be, or', 'not to be']);
    expect(wrap('Live-Orchestra', 8, 9).lines).toEqual(['Live-', 'Orchestra']);
    expect(wrap('特別演奏会、東京', 6, 9).lines).toEqual(['特別演奏会、', '東京']);
  });

  it('breaks a word that is wider than a line, and never inside of a character', () => {
    expect(wrap('W'.repeat(7), 3.5, 9).lines).toEqual(['WWW', 'WWW', 'W']);
    expect(wrap('👨‍👩‍👧‍👦'.repeat(3), 2.7, 9).lines).toEqual(['👨‍👩‍👧‍👦👨‍👩‍👧‍👦', '👨‍👩‍👧‍👦']);
  });

  it('ends with an ellipsis when it does not fit, and says so', () => {
    expect(wrap('to be, or not to be', 6, 1)).toEqual({
      lines: ['to be, o…'],
      cut: true,
    });
    expect(wrap('界界界界界', 3, 1)).toEqual({ lines: ['界界…'], cut: true });
    expect(wrap('界界界', 3, 1)).toEqual({ lines: ['界界界'], cut: false });
  });

  it('fits the room and loses nothing but its end, whatever it says', () => {
    const anything = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 200 }),
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.string({ unit: fc.constantFrom(...Object.keys(drawn), ' ', '\n', '-', '、', '」'), maxLength: 200 }),
    );
    const solid = (text: string) => text.replace(/\s+/g, '');
    fc.assert(
      fc.property(
        anything,
        fc.double({ min: 1.5, max: 20, noNaN: true }),
        fc.integer({ min: 1, max: 3 }),
        (text, width, max) => {
          const { lines, cut } = wrap(text, width, max);
          expect(lines.length).toBeLessThanOrEqual(max);
          for (const line of lines) {
            const alone = toList(line.replace(/…$/, '')).length <= 1;
            expect(alone || measureText(line) <= width + 1e-9, line).toBe(true);
          }
          const shown = solid(lines.join(''));
          if (!cut) expect(shown).toBe(solid(text));
          else {
            expect(shown.endsWith('…')).toBe(true);
            expect(solid(text).startsWith(shown.slice(0, -1))).toBe(true);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('the picture of a ticket', () => {
  const [left, right] = [72, 712];

  it.each(Object.keys(drawn).filter((grapheme) => grapheme !== ' '))(
    'keeps 200 characters of %s without a blank left of the perforation',
    (grapheme) => {
      let long = '';
      while (long.length + grapheme.length <= 200) long += grapheme;
      for (const line of textsOf({ eventTitle: long, venue: long, ticketType: long, seat: long })) {
        if (line.text.includes('UTC')) continue;
        const width = drawnWidth(line.text.replace(' · ', '')) * line.size;
        expect(width, line.text).toBeLessThanOrEqual(right - left);
        expect(width, 'the room is used').toBeGreaterThan((right - left) / 4);
      }
    },
  );

  it('shows a short title large, a longer one on two or three lines, and shortens what is longer still', () => {
    const title = 'A Midsummer Night’s Dream in the Open Air with the Symphony Orchestra ';
    expect(titleOf('Hamlet')).toEqual([{ text: 'Hamlet', x: left, y: 208, size: 56, direction: 'ltr' }]);
    expect(titleOf('A Midsummer Night’s Dream').map(({ text, size }) => [text, size])).toEqual([
      ['A Midsummer Night’s', 44],
      ['Dream', 44],
    ]);
    expect(
      titleOf(title.slice(0, 48))
        .map(({ text }) => text)
        .join(' '),
    ).toBe(title.slice(0, 48).trim());
    const lines = titleOf(title.repeat(3).slice(0, 200));
    expect(lines).toHaveLength(3);
    expect(lines.at(-1)?.text).toMatch(/…$/);
    expect(drawTicket({ ...nft, eventTitle: title.repeat(2) })).toContain(`aria-label="${title.repeat(2)}"`);
  });

  it('begins a text that runs from right to left at the right, each line of it', () => {
    const hebrew = 'הצגת הבכורה של המלט בתיאטרון הלאומי הבימה ערב חגיגי';
    for (const line of titleOf(hebrew)) expect(line).toMatchObject({ x: right, direction: 'rtl' });
    expect(titleOf('«2027» مهرجان')[0]).toMatchObject({ x: right, direction: 'rtl' });
    for (const title of ['Hamlet המלט', '2027', '🎭', '東京'])
      expect(titleOf(title)[0]).toMatchObject({ x: left, direction: 'ltr' });
    expect(textsOf({ eventTitle: hebrew }).at(-1)).toMatchObject({ text: 'Standing', x: left });
  });

  it('cuts what an unknown font draws wider than was measured before the perforation', () => {
    const svg = drawTicket(nft);
    expect(svg).toMatch(/<clipPath id="t"><rect width="736" height="560"\/><\/clipPath>/);
    expect(svg.indexOf('clip-path="url(#t)"')).toBeLessThan(svg.indexOf('Hamlet</text>'));
  });
});
