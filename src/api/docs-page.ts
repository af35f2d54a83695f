import { readFile } from 'node:fs/promises';
import { Hono } from 'hono';
import { absolutePath } from 'swagger-ui-dist';

const files = new Map([
  ['swagger-ui.css', 'text/css; charset=utf-8'],
  ['swagger-ui-bundle.js', 'text/javascript; charset=utf-8'],
  ['favicon-32x32.png', 'image/png'],
]);

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

const START = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#ui', deepLinking: true, persistAuthorization: true });`;

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'";

/** The interactive reference. Everything it needs is served from here. */
export function docsPage() {
  return new Hono()
    .get('/', (c) => c.html(PAGE, 200, { 'content-security-policy': POLICY }))
    .get('/start.js', (c) => c.body(START, 200, { 'content-type': 'text/javascript; charset=utf-8' }))
    .get('/:file', async (c) => {
      const type = files.get(c.req.param('file'));
      if (!type) return c.notFound();
      const bytes = await readFile(`${absolutePath()}/${c.req.param('file')}`);
      return c.body(new Uint8Array(bytes), 200, {
        'content-type': type,
        'cache-control': 'public, max-age=86400',
      });
    });
}
