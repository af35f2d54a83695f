import { readFile } from 'node:fs/promises';
import { type Context, Hono } from 'hono';
import { absolutePath } from 'swagger-ui-dist';
import { type Asset, createAsset, sendAsset } from '../platform/http/asset.ts';

const HTML = 'text/html; charset=utf-8';
const SCRIPT = 'text/javascript; charset=utf-8';
const files = new Map([
  ['swagger-ui.css', 'text/css; charset=utf-8'],
  ['swagger-ui-bundle.js', SCRIPT],
  ['favicon-32x32.png', 'image/png'],
]);
const HOUR_SECONDS = 3_600;
const DAY_SECONDS = 86_400;

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tessera API</title>
<link rel="icon" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>`;

const START = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#ui', deepLinking: true });`;

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/**
 * The interactive reference. Everything it needs is served from here, out of memory: it is read once, when the first one
 * asks. A key that is tried there is forgotten with the page.
 */
export function docsPage() {
  return new Hono()
    .get('/', async (c) => {
      c.header('Content-Security-Policy', POLICY);
      return send(c, 'index');
    })
    .get('/start.js', (c) => send(c, 'start.js'))
    .get('/:file', (c) => send(c, files.has(c.req.param('file')) ? c.req.param('file') : undefined));
}

let loading: Promise<Map<string, Asset>> | undefined;

async function send(c: Context, name: string | undefined): Promise<Response> {
  loading ??= load();
  const asset = name === undefined ? undefined : (await loading).get(name);
  return asset ? sendAsset(c, asset) : c.notFound();
}

async function load(): Promise<Map<string, Asset>> {
  const assets = await Promise.all([
    createAsset({ type: HTML, body: PAGE, maxAge: HOUR_SECONDS }).then((asset) => ['index', asset] as const),
    createAsset({ type: SCRIPT, body: START, maxAge: HOUR_SECONDS }).then(
      (asset) => ['start.js', asset] as const,
    ),
    ...[...files].map(async ([name, type]) => {
      const body = await readFile(`${absolutePath()}/${name}`);
      return [name, await createAsset({ type, body, maxAge: DAY_SECONDS })] as const;
    }),
  ]);
  return new Map(assets);
}
