import type { Nft } from './show-nft.ts';

const date = new Intl.DateTimeFormat('en-GB', {
  weekday: 'short',
  day: 'numeric',
  month: 'long',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  timeZone: 'UTC',
});

/** The picture of a ticket: an SVG of 1000 × 560 that holds no script and loads nothing. */
export function drawTicket(nft: Nft): string {
  const hue = hueOf(nft.eventTitle);
  const lines = [
    nft.venue,
    `${date.format(nft.startsAt)} UTC`,
    [nft.ticketType, nft.seat].filter(Boolean).join(' · '),
  ];
  const rows = lines.map(
    (line, i) => `<text x="72" y="${300 + i * 48}" font-size="30">${escapeXml(clip(line, 40))}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1000 560" width="1000" height="560" role="img" aria-label="${escapeXml(nft.eventTitle)}">
<defs><linearGradient id="g" x1="0" y1="0" x2="1" y2="1"><stop offset="0" stop-color="hsl(${hue} 60% 26%)"/><stop offset="1" stop-color="hsl(${(hue + 40) % 360} 65% 14%)"/></linearGradient>
<mask id="m"><rect width="1000" height="560" rx="36" fill="#fff"/><circle cx="748" cy="0" r="26" fill="#000"/><circle cx="748" cy="560" r="26" fill="#000"/></mask></defs>
<g mask="url(#m)"><rect width="1000" height="560" fill="url(#g)"/><path d="M748 40V520" stroke="#fff" stroke-opacity=".45" stroke-width="3" stroke-dasharray="4 14" stroke-linecap="round"/></g>
<g fill="#fff" font-family="system-ui, sans-serif"><text x="72" y="110" font-size="22" letter-spacing="6" opacity=".8">TESSERA</text>
<text x="72" y="208" font-size="${nft.eventTitle.length > 26 ? 40 : 56}" font-weight="700">${escapeXml(clip(nft.eventTitle, 34))}</text>
${rows.join('\n')}
<text x="874" y="300" font-size="34" font-weight="700" text-anchor="middle" transform="rotate(-90 874 280)">${escapeXml(nft.ticketNumber)}</text></g>
</svg>`;
}

function hueOf(text: string): number {
  let hash = 0;
  for (const character of text) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 360;
  return hash;
}

function clip(text: string, length: number): string {
  const characters = [...text];
  return characters.length > length ? `${characters.slice(0, length - 1).join('')}…` : text;
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
