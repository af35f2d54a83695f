import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, createApp } from '../../src/api/app.ts';
import {
  buy,
  changeTicket,
  openSale,
  putOnChain,
  sampleTicketType,
  sampleWallet,
} from '../support/samples.ts';
import {
  type Client,
  clientOf,
  createTestContext,
  createTestTenant,
  type TestContext,
  type TestTenant,
} from '../support/test-context.ts';
import { parseXml, type XmlElement } from './support/parse-xml.ts';
import { expectProblem } from './support/problems.ts';

let ctx: TestContext;
let app: App;
let tenant: TestTenant;
let nobody: Client;

beforeAll(async () => {
  ctx = await createTestContext();
  app = createApp(ctx);
  tenant = await createTestTenant(ctx, app);
  nobody = clientOf(app);
});
afterAll(() => ctx.close());

type Metadata = {
  name: string;
  description: string;
  image: string;
  attributes: { trait_type: string; value: string }[];
  properties: { files: { uri: string; type: string }[] };
};

/** A ticket on the chain for a show with these words. */
async function mintFor(words: { title?: string; venue?: string; type?: string; seat?: string } = {}) {
  const { title = 'Hamlet', venue = 'The Globe', type: name = 'Standing', seat } = words;
  const { event, type } = await openSale(tenant, {
    event: { title, venue, startsAt: '2030-05-01T18:30:00Z', endsAt: '2030-05-01T21:00:00Z' },
    type: { name },
  });
  const person = {
    customerName: 'Canary Name',
    customerEmail: 'canary@example.com',
    customerPhone: '+49 555 canary',
    notes: 'canary note',
  };
  const order = await buy(tenant.alice, type, person);
  const ticketId = order.tickets[0]?.id ?? '';
  const { mint, wallet } = await putOnChain(ctx, ticketId, seat === undefined ? {} : { seat });
  return { mint, wallet, ticketId, order, event };
}

const metadata = (mint: string, client = nobody) => client.get<Metadata>(`/nft/${mint}/metadata.json`);
const image = (mint: string) => nobody.get<string>(`/nft/${mint}/image.svg`);

describe('GET /nft/{mint}/metadata.json', () => {
  it('tells everybody of the show and the place, in the form that wallets read', async () => {
    const { mint } = await mintFor({ seat: 'Row 3, Seat 7' });
    const { status, body, headers } = await metadata(mint);
    expect(status).toBe(200);
    expect(headers.get('cache-control')).toBe('public, max-age=300');
    const uri = `${ctx.config.PUBLIC_URL}/api/nft/${mint}/image.svg`;
    expect(body).toEqual({
      name: 'Hamlet 001-0000001',
      symbol: 'TICKET',
      description: 'Standing for Hamlet at The Globe.',
      image: uri,
      attributes: [
        { trait_type: 'Event', value: 'Hamlet' },
        { trait_type: 'Venue', value: 'The Globe' },
        { trait_type: 'Starts', value: '2030-05-01T18:30:00.000Z' },
        { trait_type: 'Type', value: 'Standing' },
        { trait_type: 'Number', value: '001-0000001' },
        { trait_type: 'Seat', value: 'Row 3, Seat 7' },
      ],
      properties: { category: 'image', files: [{ uri, type: 'image/svg+xml' }] },
    });
    expect((await nobody.get(new URL(body.image).pathname.replace('/api', ''))).status).toBe(200);
  });

  it('names no person, no tenant, no order and no price', async () => {
    const { mint, ticketId, order, wallet } = await mintFor();
    const text = JSON.stringify((await metadata(mint)).body) + (await image(mint)).body;
    expect(text).not.toMatch(/canary|alice/i);
    for (const secret of [tenant.tenantId, ticketId, order.orderId, order.transactionId, wallet, '2500']) {
      expect(text).not.toContain(secret);
    }
  });

  it('is the same with a token, of whatever tenant', async () => {
    const other = await createTestTenant(ctx, app, 'Other');
    const { mint } = await mintFor();
    const { body } = await metadata(mint);
    for (const client of [tenant.alice, other.admin, clientOf(app, 'garbage')]) {
      expect((await metadata(mint, client)).body).toEqual(body);
    }
  });

  it('follows what the organiser changes, and stays when the ticket is used, given away or revoked', async () => {
    const { mint, ticketId, event } = await mintFor();
    const { ticketTypes, id, totalCapacity, createdAt, updatedAt, version, ...rest } = event;
    await tenant.organiser.put(`/events/${id}`, { ...rest, title: 'Macbeth' });
    await changeTicket(ctx, ticketId, { status: 'revoked', user_id: 'bob' });
    expect((await metadata(mint)).body).toMatchObject({ name: 'Macbeth 001-0000001' });
  });

  it.each(['metadata.json', 'image.svg'])('does not know a mint that is none of ours: %s', async (file) => {
    const answer = await nobody.get(`/nft/${sampleWallet().address}/${file}`);
    expectProblem(answer, 404, 'not_found');
  });

  it.each([
    ['a wallet of a holder', async () => (await mintFor()).wallet],
    ['the system program', () => '1'.repeat(32)],
  ])('takes %s for no mint', async (_name, address) => {
    expectProblem(await metadata(await address()), 404, 'not_found');
  });

  it.each([
    ['no base58', `${'1'.repeat(40)}0`],
    ['too short', '1'.repeat(31)],
    ['too long', '1'.repeat(45)],
    ['a NUL', `${'1'.repeat(40)}%00`],
    ['SQL', "1'%20or%20'1'='1"],
    ['a path', '..%2f..%2fetc%2fpasswd'],
    ['an id', '0199f000-0000-7000-8000-000000000000'],
    ['endless', '1'.repeat(50_000)],
  ])('refuses a mint that is %s', async (_name, mint) => {
    for (const file of ['metadata.json', 'image.svg']) {
      expectProblem(await nobody.get(`/nft/${mint}/${file}`), 400, 'validation_failed');
    }
  });

  it('does not know the mint of a ticket before it is minted', async () => {
    const { type } = await openSale(tenant);
    await buy(tenant.alice, type);
    const { rows } = await ctx.database.owner.query(
      'select count(*)::int from tickets where nft_mint is null',
    );
    expect(rows[0].count).toBeGreaterThan(0);
    expectProblem(await metadata('null'.padEnd(40, '1')), 400, 'validation_failed');
  });
});

describe('GET /nft/{mint}/image.svg', () => {
  const elements = (root: XmlElement): XmlElement[] => [root, ...root.children.flatMap(elements)];

  it('is a picture that says what the ticket is for', async () => {
    const { mint } = await mintFor({ seat: 'Row 3' });
    const { status, body, headers } = await image(mint);
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('image/svg+xml');
    expect(headers.get('cache-control')).toBe('public, max-age=300');
    const root = parseXml(body);
    expect(root).toMatchObject({ name: 'svg', attributes: { xmlns: 'http://www.w3.org/2000/svg' } });
    const texts = elements(root)
      .filter(({ name }) => name === 'text')
      .map(({ text }) => text);
    // Between weekday and date the versions of Unicode's tables differ by a comma.
    expect(texts).toEqual([
      'TESSERA',
      'Hamlet',
      'The Globe',
      expect.stringMatching(/^Wed,? 1 May 2030 at 18:30 UTC$/),
      'Standing · Row 3',
      '001-0000001',
    ]);
  });

  it('may neither run nor load anything, wherever it is opened', async () => {
    const { headers } = await image((await mintFor()).mint);
    expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'/);
    expect(headers.get('content-security-policy')).not.toMatch(/script|\*|http/);
  });

  it.each<[string, string, string?]>([
    ['a script', '<script>alert(1)</script>'],
    ['the end of the text and a script', '</text><script>alert(1)</script><text>'],
    ['the end of an attribute', '" onload="alert(1)'],
    ['the end of an attribute in single quotes', "' onload='alert(1)"],
    ['an entity', '&lt;script&gt;&#60;script&#62;&xxe;'],
    ['CDATA', ']]><![CDATA[<script>'],
    ['a comment', '--><script><!--'],
    ['a doctype', '<!DOCTYPE svg [<!ENTITY xxe SYSTEM "file:///etc/passwd">]>&xxe;'],
    ['a processing instruction', '<?xml-stylesheet href="http://127.0.0.1/x.css"?>'],
    ['foreign content', '<foreignObject><iframe src="javascript:alert(1)"/></foreignObject>'],
    ['an image from elsewhere', '<image href="http://127.0.0.1/x.png"/>'],
    ['a link', '<a href="javascript:alert(1)">x</a>'],
    ['a template', '{{7*7}}<%= 7*7 %>'],
    ['control characters', 'a\u0001\u0008\u000b\u001f\u007fb', 'a\ufffd\ufffd\ufffd\ufffd\u007fb'],
    ['characters that XML does not know', 'a\ufffe\uffffb', 'a\ufffd\ufffdb'],
    ['text that runs backwards', 'a\u202egnp.exe\u2066'],
    ['letters of all kinds', '東京 🎭 Ünï – ℌ'],
  ])('shows %s as text and nothing else', async (_name, hostile, shown = hostile) => {
    const clean = elements(parseXml((await image((await mintFor({ seat: 'x' })).mint)).body));
    const { mint } = await mintFor({ title: hostile, venue: hostile, type: hostile, seat: hostile });
    const { body } = await image(mint);
    const drawn = elements(parseXml(body));
    // A long text has more lines than a short one; apart from that the pictures are made of the same.
    const shapes = (all: XmlElement[]) =>
      all.map(({ name, attributes }) => [name, ...Object.keys(attributes)].join(' '));
    expect([...new Set(shapes(drawn))]).toEqual([...new Set(shapes(clean))]);
    const others = (all: XmlElement[]) => shapes(all.filter(({ name }) => name !== 'text'));
    expect(others(drawn)).toEqual(others(clean));
    for (const { attributes } of drawn) {
      for (const value of Object.values(attributes)) {
        if (value !== drawn[0]?.attributes['aria-label'])
          expect(value).not.toMatch(/script|href|127\.0\.0\.1/);
      }
    }
    expect(drawn[0]?.attributes['aria-label']).toBe(shown);
    expect((await metadata(mint)).body.attributes[0]).toEqual({ trait_type: 'Event', value: hostile });
  });

  it('cuts what is too long to draw between characters', async () => {
    const { mint } = await mintFor({ title: '🎭'.repeat(100), venue: 'é'.repeat(200) });
    const texts = elements(parseXml((await image(mint)).body)).map(({ text }) => text);
    expect(texts.filter((text) => text.startsWith('🎭'))).toEqual([
      '🎭'.repeat(14),
      '🎭'.repeat(14),
      `${'🎭'.repeat(13)}…`,
    ]);
    expect(texts).toContain(`${'é'.repeat(35)}…`);
  });

  it('draws the ticket of the type that was bought', async () => {
    const { event } = await openSale(tenant);
    const { body } = await tenant.organiser.post<{ id: string; eventId: string }>(
      `/events/${event.id}/ticket-types`,
      sampleTicketType({ name: 'Balcony' }),
    );
    const order = await buy(tenant.alice, body);
    const { mint } = await putOnChain(ctx, order.tickets[0]?.id ?? '');
    expect((await image(mint)).body).toContain('Balcony');
    expect((await metadata(mint)).body.name).toBe('Hamlet 002-0000001');
  });
});
