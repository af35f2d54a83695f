import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Config } from '../config.ts';
import type { Role } from '../platform/actor.ts';
import type { AppEnv } from '../platform/http/app-env.ts';
import { exampleIds } from '../platform/http/example-ids.ts';

type Document = ReturnType<OpenAPIHono<AppEnv>['getOpenAPI31Document']>;
type Operation = NonNullable<NonNullable<Document['paths']>[string]['get']>;

const DESCRIPTION = `Ticketing whose tickets live on Solana.

Every operation says which roles may call it. A role comes with an access token of the tenant's identity provider, or with
an API key. A key with the scope \`on_behalf_of\` may act for a buyer wherever the header \`On-Behalf-Of\` is listed.

The examples succeed as they stand, but for the ids in them: those of \`x-example-ids\` stand for things that you made
yourself, an event or a ticket, and you put yours in their place. Some things are done once: a name that is taken, or a
ticket that was revoked, is not again. Payments succeed with the test provider's token \`tok_success\`.`;

const ON_BEHALF_OF = {
  name: 'On-Behalf-Of',
  in: 'header' as const,
  required: false,
  description:
    'A user id. With an API key that has the scope on_behalf_of, the request is done as this user, a buyer, would do it',
  schema: { type: 'string' as const, pattern: '^[\\x21-\\x7e]{1,128}$' },
};

/** The OpenAPI document: what the routes say of themselves, and what follows from who may call them. */
export function createDocument(app: OpenAPIHono<AppEnv>, config: Pick<Config, 'PUBLIC_URL'>): Document {
  const document = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: { title: 'Tessera', version: '0.1.0', description: DESCRIPTION },
    security: [{ bearer: [] }],
    servers: [{ url: config.PUBLIC_URL }],
    'x-example-ids': exampleIds,
  });
  for (const path of Object.values(document.paths ?? {})) {
    for (const operation of Object.values(path as Record<string, Operation>)) describeCallers(operation);
  }
  return document;
}

/** The text of the document, with `known` in the place of those ids that stand for things of the reader. */
export function writeDocument(document: Document, known: Readonly<Record<string, string>>): string {
  return Object.entries(exampleIds).reduce(
    (text, [name, id]) => (known[name] === undefined ? text : text.replaceAll(id, known[name])),
    JSON.stringify(document),
  );
}

function describeCallers(operation: Operation): void {
  const roles = operation['x-roles'] as readonly Role[] | undefined;
  const who = roles ? `Roles: ${roles.join(', ')}.` : 'Without a token.';
  operation.description = `${operation.description ?? ''}\n\n${who}`;
  if (!roles?.includes('buyer')) return;
  operation.parameters = [...(operation.parameters ?? []), ON_BEHALF_OF];
  const { responses = {} } = operation;
  // A user id that is none, and a key that may not.
  responses['400'] ??= { ...responses['401'], description: 'On-Behalf-Of is no user id' };
  responses['403'] ??= { ...responses['401'], description: 'The key may not act for a user' };
}
