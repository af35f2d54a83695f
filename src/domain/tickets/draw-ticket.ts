import type { Nft } from './show-nft.ts';
import { wrapText } from './wrap-text.ts';

const date = new Intl.DateTimeFormat('en-GB', {
  weekday: 'short',
  day: 'numeric',
  month: 'long',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  timeZone: 'UTC',
});

/** Text stands between these; to the right the ticket is perforated. */
const [LEFT, RIGHT] = [72, 712];

/** The title as large as it fits, and shortened where it does not fit at all. */
const titleShapes: Shape[] = [
  { size: 56, baselines: [208] },
  { size: 44, baselines: [178, 230] },
  { size: 34, baselines: [164, 206, 248] },
];

/** The picture of a ticket: an SVG of 1000 × 560 that holds no script and loads nothing. */
export function drawTicket(nft: Nft): string {
  const hue = hueOf(nft.eventTitle);
  const lines = [
    nft.venue,
    `${date.format(nft.startsAt)} UTC`,
    [nft.ticketType, nft.seat].filter(Boolean).join(' · '),
  ];
  const rows = lines.map((line, i) =>
    drawText(
      line,
      [30, 28, 25].map((size) => ({ size, baselines: [300 + i * 48] })),
    ),
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1000 560" width="1000" height="560" role="img" aria-label="${escapeXml(nft.eventTitle)}">
<defs><linearGradient id="g" x1="0" y1="0" x2="1" y2="1"><stop offset="0" stop-color="hsl(${hue} 60% 26%)"/><stop offset="1" stop-color="hsl(${(hue + 40) % 360} 65% 14%)"/></linearGradient>
<mask id="m"><rect width="1000" height="560" rx="36" fill="#fff"/><circle cx="748" cy="0" r="26" fill="#000"/><circle cx="748" cy="560" r="26" fill="#000"/></mask>
<clipPath id="t"><rect width="736" height="560"/></clipPath></defs>
<g mask="url(#m)"><rect width="1000" height="560" fill="url(#g)"/><path d="M748 40V520" stroke="#fff" stroke-opacity=".45" stroke-width="3" stroke-dasharray="4 14" stroke-linecap="round"/></g>
<g fill="#fff" font-family="system-ui, sans-serif"><g clip-path="url(#t)"><text x="${LEFT}" y="110" font-size="22" letter-spacing="6" opacity=".8">TESSERA</text>
<g font-weight="700">${drawText(nft.eventTitle, titleShapes)}</g>
${rows.join('\n')}</g>
<text x="874" y="300" font-size="34" font-weight="700" text-anchor="middle" transform="rotate(-90 874 280)">${escapeXml(nft.ticketNumber)}</text></g>
</svg>`;
}

/** One baseline for each line that there may be. */
type Shape = { size: number; baselines: number[] };

/** In the first of the shapes that takes the whole text, else in the last, shortened. */
function drawText(text: string, shapes: Shape[]): string {
  const laid = shapes.map((shape) => {
    const room = { width: (RIGHT - LEFT) / shape.size, lines: shape.baselines.length };
    return { ...shape, ...wrapText(text, room) };
  });
  const { size, baselines, lines } = (laid.find(({ cut }) => !cut) ?? laid.at(-1)) as (typeof laid)[number];
  const start = isRightToLeft(text) ? `x="${RIGHT}" direction="rtl"` : `x="${LEFT}" direction="ltr"`;
  return lines
    .map((line, i) => `<text ${start} y="${baselines[i]}" font-size="${size}">${escapeXml(line)}</text>`)
    .join('\n');
}

/** The first letter decides, as it does for the whole line when a browser is left to guess. */
function isRightToLeft(text: string): boolean {
  const [first = ''] = /\p{L}/u.exec(text) ?? [];
  return /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Adlam}]/u.test(
    first,
  );
}

function hueOf(text: string): number {
  let hash = 0;
  for (const character of text) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 360;
  return hash;
}

/** Characters that XML has no way to write; one of them and no reader shows the picture. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const NOT_XML = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;

function escapeXml(text: string): string {
  const names: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replace(NOT_XML, '\ufffd').replace(/[&<>"']/g, (character) => names[character] as string);
}
