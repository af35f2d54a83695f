/** Who may import whom. The order is main, listener → process, api, workers → domain → platform; nothing points back. */
const among = (...names) => `^src/domain/(${names.join('|')})/`;

/** Inside `domain` a module imports only what stands below it; anything upward goes by message. */
const below = {
  tenants: [],
  wallets: ['tickets'],
  inventory: [],
  events: ['inventory'],
  tickets: ['events'],
  orders: ['inventory', 'events', 'tickets'],
  seats: ['inventory', 'events', 'waiting'],
  promo: [],
  waiting: ['inventory'],
  payments: ['orders', 'inventory', 'events', 'tickets', 'promo'],
  transfers: ['tickets', 'wallets'],
  'check-in': ['tickets'],
  chain: ['tickets', 'transfers', 'wallets', 'events'],
  notifications: ['tickets', 'events', 'orders'],
  reports: [],
};

const layering = Object.entries(below).map(([module, allowed]) => ({
  name: `domain-${module}`,
  comment: `domain/${module} may import only itself and ${allowed.join(', ') || 'nothing else'} in domain`,
  severity: 'error',
  from: { path: `^src/domain/${module}/` },
  to: { path: '^src/domain/', pathNot: among(module, ...allowed) },
}));

/**
 * The rooms of `domain/chain` run in different processes and with different power: `send` has the keys, `sync` the
 * listener's role, `read` nothing but questions. They share the way to the nodes and nothing else.
 */
const rooms = ['send', 'sync', 'read'].map((room) => ({
  name: `chain-${room}`,
  comment: `domain/chain/${room} may import only itself and rpc of the chain's rooms`,
  severity: 'error',
  from: { path: `^src/domain/chain/${room}/` },
  to: { path: '^src/domain/chain/', pathNot: `^src/domain/chain/(${room}|rpc)/` },
}));

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'platform-knows-no-tickets',
      severity: 'error',
      from: { path: '^src/platform/' },
      to: { path: '^(src/(main|process|api|workers|domain)|listener|programs-client)/' },
    },
    {
      name: 'domain-points-down',
      severity: 'error',
      from: { path: '^src/domain/' },
      to: { path: '^(src/(main|process|api|workers)|listener)/' },
    },
    {
      name: 'api-and-workers-do-not-start-processes',
      severity: 'error',
      from: { path: '^src/(api|workers)/' },
      to: { path: '^(src/(main|process)|listener)/' },
    },
    {
      name: 'a-process-knows-no-work',
      comment: 'the life of a process is the same for all; what it does is given to it',
      severity: 'error',
      from: { path: '^src/process/' },
      to: { path: '^(src/(main|api|workers|domain)|listener|programs-client)/' },
    },
    {
      name: 'listener-starts-itself-only',
      severity: 'error',
      from: { path: '^listener/' },
      to: { path: '^src/(main|api|workers)/' },
    },
    {
      name: 'api-and-workers-stand-apart',
      severity: 'error',
      from: { path: '^src/api/' },
      to: { path: '^src/workers/' },
    },
    {
      name: 'routes-and-tables-are-private',
      comment: "another module's verbs and queries are importable, its routes are not",
      severity: 'error',
      from: { path: '^src/domain/([^/]+)/' },
      to: { path: 'routes\\.ts$', pathNot: '^src/domain/$1/' },
    },
    {
      name: 'only-chain-speaks-to-the-program',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(domain/chain|main)/' },
      to: { path: '^programs-client/' },
    },
    {
      name: 'programs-client-stands-alone',
      severity: 'error',
      from: { path: '^programs-client/', pathNot: '\\.test\\.ts$' },
      to: { path: '^(src|listener|test|bench)/' },
    },
    {
      name: 'listener-imports-little',
      severity: 'error',
      from: { path: '^listener/', pathNot: '^listener/main\\.ts$' },
      to: {
        path: '^(src|test|bench)/',
        pathNot: '^src/(platform/|domain/chain/(sync|rpc)/|config\\.ts$|messages\\.ts$)',
      },
    },
    {
      name: 'nothing-imports-tests',
      severity: 'error',
      from: { path: '^(src|listener|programs-client)/' },
      to: { path: '^(test|bench)/' },
    },
    ...layering,
    ...rooms,
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
  },
};
