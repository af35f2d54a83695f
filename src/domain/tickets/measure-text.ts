const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** The characters as people count them: letters with their marks, emoji with all their parts. */
export function* toGraphemes(text: string): Generator<string> {
  for (const { segment } of graphemes.segment(text)) yield segment;
}

/**
 * How wide a bold text is drawn, in em, and rather too much. The font is the viewer's, so the widths are those of
 * DejaVu Sans Bold, the widest that is common, and for other scripts what most letters of Noto Sans Bold stay under.
 */
export function measureText(text: string): number {
  let width = 0;
  for (const grapheme of toGraphemes(text)) width += widthOf(grapheme);
  return width;
}

const known: readonly (readonly [number, string])[] = [
  [0.36, " 'ijl"],
  [0.42, '/IJ\\,.:;-·'],
  [0.5, '!()[]ft_`r‘’–'],
  [0.6, '"*?zcs|'],
  [0.7, 'Lvxyak$0123456789EFTeo“”€£'],
  [0.78, 'hnu{}SYbdgpqCPZBAKRVXабвгезиклнопрстухцчъьэяієґαβγδεζηθικλνξορσςτυχ'],
  [0.87, 'UGD#+<=>HN^~OQ&дπАБВГЕЗИКЛНОПРСТУХЧЬЭЯІЄҐ'],
  [1, '%@Mw…—Ц'],
  [1.15, 'mWжмфшщыю'],
];
const widths = new Map(known.flatMap(([width, letters]) => [...letters].map((letter) => [letter, width])));

const EMOJI = /\p{Emoji_Presentation}|\p{Regional_Indicator}|\ufe0f/u;
const WIDE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}\u3000-\u303f\uff01-\uff60\uffe0-\uffe6]/u;
/** A whole phrase, dashes for typographers, and signs that were made for clay. */
const VAST = /[\ufdfd\u2e3a\u2e3b\p{Script=Cuneiform}]/u;
/** Narrow on the whole; single letters stand out, and the picture is clipped for those. */
const NARROW =
  /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Thai}\p{Script=Devanagari}\p{Script=Bengali}\p{Script=Gurmukhi}]/u;
const LOWER = /\p{Ll}/u;
const WITHOUT_WIDTH = /[\p{M}\p{Cf}\p{Cc}]/u;

function widthOf(grapheme: string): number {
  const common = widths.get(grapheme);
  if (common !== undefined) return common;
  if (EMOJI.test(grapheme)) return 1.3;
  if (WIDE.test(grapheme)) return 1;
  if (VAST.test(grapheme)) return 8;
  const letters = lettersOf(grapheme.normalize('NFD'));
  const spelled = lettersOf(grapheme.normalize('NFKD'));
  // One character may stand for a whole sentence.
  if (spelled.join('') !== letters.join(''))
    return Math.max(
      1.1,
      spelled.reduce((sum, letter) => sum + widthOfLetter(letter), 0),
    );
  const [base, ...others] = letters;
  // A cluster of several letters, as scripts of India have them, is little wider than its first.
  return base === undefined ? 0 : widthOfLetter(base) + others.length / 2;
}

/** Accents add no width. */
function lettersOf(text: string): string[] {
  return [...text].filter((character) => !WITHOUT_WIDTH.test(character));
}

function widthOfLetter(letter: string): number {
  const width = widths.get(letter);
  if (width !== undefined) return width;
  if (NARROW.test(letter)) return 0.85;
  return LOWER.test(letter) ? 1.1 : 1.35;
}
