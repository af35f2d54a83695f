/** Who may import whom. The order is main → api, workers → domain → platform; nothing points back. */
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

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'platform-knows-no-tickets',
      severity: 'error',
      from: { path: '^src/platform/' },
      to: { path: '^(src/(main|api|workers|domain)|listener|programs-client)/' },
    },
    {
      name: 'domain-points-down',
      severity: 'error',
      from: { path: '^src/domain/' },
      to: { path: '^(src/(main|api|workers)|listener)/' },
    },
    {
      name: 'api-and-workers-do-not-start-processes',
      severity: 'error',
      from: { path: '^src/(api|workers)/' },
      to: { path: '^(src/main|listener)/' },
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
        pathNot: '^src/(platform/|domain/chain/|config\\.ts$|messages\\.ts$)',
      },
    },
    {
      name: 'nothing-imports-tests',
      severity: 'error',
      from: { path: '^(src|listener|programs-client)/' },
      to: { path: '^(test|bench)/' },
    },
    ...layering,
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
  },
};
