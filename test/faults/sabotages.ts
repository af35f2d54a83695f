/** A fault put into the code, and the test that must notice it. */
export type Sabotage = {
  name: string;
  file: string;
  /** Stands in the file once. */
  from: string;
  to: string;
  test: { file: string; name: string };
};

export const sabotages: readonly Sabotage[] = [
  {
    name: 'the unique key of live transactions is dropped',
    file: 'migrations/0007_chain.sql',
    from: 'create unique index pending_transactions_one_live',
    to: 'create index pending_transactions_one_live',
    test: {
      file: 'test/chain/minting.test.ts',
      name: 'takes no second transaction of a ticket while one is alive',
    },
  },
  {
    name: 'a transaction is signed again early',
    file: 'src/domain/chain/send/prove-expiry.ts',
    from: 'BigInt(height) > lastValid',
    to: 'BigInt(height) > lastValid - 150n',
    test: {
      file: 'test/chain/prove-expiry.test.ts',
      name: 'is not proven in the last block in which it may land',
    },
  },
  {
    name: 'one null is believed',
    file: 'src/domain/chain/rpc/agree.ts',
    from: `return views.filter(({ slot }) => slot >= minSlot).length >= needed ? 'absent' : 'unknown';`,
    to: `return 'absent';`,
    test: {
      file: 'test/chain/rpc/agree.test.ts',
      name: 'needs two that looked late enough where several are configured',
    },
  },
  {
    name: 'a lagging node is believed about a fork',
    file: 'src/domain/chain/rpc/agree.ts',
    from: 'views.filter(({ finalized }) => finalized >= slot).length >= needed',
    to: 'views.length > 0',
    test: {
      file: 'test/chain/rpc/agree.test.ts',
      name: 'does not take the silence of a lagging node for a fork',
    },
  },
  {
    name: 'a place is given up because of a silence',
    file: 'src/domain/chain/send/resolve-taken-place.ts',
    from: `if (ids.length < Math.min(OPINIONS, ctx.rpc.size)) return 'unknown';`,
    to: '',
    test: { file: 'test/chain/minting.test.ts', name: 'is kept however often a node shows nothing there' },
  },
  {
    name: 'what was called off is minted all the same',
    file: 'src/domain/chain/send/keep-transactions.ts',
    from: 'signed.filter(({ subjects }) => subjects.every(({ id }) => claimed.has(id)))',
    to: 'signed',
    test: {
      file: 'test/chain/minting.test.ts',
      name: 'leaves out a ticket that was called off, and mints the one beside it',
    },
  },
  {
    name: 'the cursor moves before what it stands for is applied',
    file: 'listener/follow-chain.ts',
    from: '      if (!(await applyBatch(ctx, cluster.id, batch, until))) return;',
    to: '      applied.push(...batch.cursors);\n      if (!(await applyBatch(ctx, cluster.id, batch, until))) return;',
    test: {
      file: 'test/listener/faults.test.ts',
      name: 'does not move past what the database could not take, and nothing is lost',
    },
  },
  {
    name: 'the socket alone is trusted',
    file: 'listener/rpc-source.ts',
    from: 'await hints.next(OVERLAP_EVERY_MS)',
    to: 'await hints.next(86_400_000)',
    test: {
      file: 'test/listener/faults.test.ts',
      name: 'is found although the socket says nothing at all',
    },
  },
  {
    name: 'a list of signatures is taken for complete',
    file: 'listener/rpc-source.ts',
    from: 'Math.min(finalized, listedUpTo) - OVERLAP_SLOTS',
    to: 'listedUpTo',
    test: {
      file: 'test/listener/faults.test.ts',
      name: 'is found when the list shows it later, though it looked complete before',
    },
  },
  {
    name: 'a transaction that cannot be recorded stops the others',
    file: 'src/domain/chain/sync/record-transactions.ts',
    from: 'if (isAway(error)) throw error;',
    to: 'throw error;',
    test: {
      file: 'test/listener/faults.test.ts',
      name: 'does not keep the others of its batch from being recorded',
    },
  },
  {
    name: 'the clock of the machine is believed',
    file: 'src/platform/database-clock.ts',
    from: 'if (best) return new Date(timeOf(best));',
    to: 'if (best) return new Date(machine.wall());',
    test: {
      file: 'test/faults/skewed-clocks.test.ts',
      name: 'give no locked seat away, and let no lock last longer',
    },
  },
  {
    name: 'an address is believed without being verified',
    file: 'src/platform/http/verify-token.ts',
    from: "if (verified !== true && verified !== 'true') return {};",
    to: '',
    test: {
      file: 'test/faults/claimed-addresses.test.ts',
      name: 'with email_verified false is a claim like any other',
    },
  },
  {
    name: 'what somebody holds is not counted',
    file: 'migrations/0031_verified_identities.sql',
    from: 'continue when v_want.held + v_want.wanted <= v_want.max_held;',
    to: 'continue when v_want.wanted <= v_want.max_held;',
    test: {
      file: 'test/faults/hoarding.test.ts',
      name: 'does not get around it by another ticket type, and may hold places of another event',
    },
  },
  {
    name: 'a key is not written beside its user',
    file: 'src/api/authenticate.ts',
    from: ', keyId: actor.subject };',
    to: ' };',
    test: {
      file: 'test/faults/staff-and-keys.test.ts',
      name: 'gets no answer of another key, neither by its id nor by its buyer',
    },
  },
  {
    name: 'hostile: a token may be spelt in many ways',
    file: 'src/platform/http/verify-token.ts',
    from: "!token.split('.').every(isCanonical)",
    to: 'false',
    test: {
      file: 'test/faults/token-spellings.test.ts',
      name: 'has one spelling: no other one of its signature opens',
    },
  },
  {
    name: 'hostile: pipelined requests run at once',
    file: 'src/platform/http/in-turn.ts',
    from: 'if (!turns.busy) run(',
    to: 'if (turns) run(',
    test: { file: 'test/faults/sockets.test.ts', name: 'run one after the other' },
  },
  {
    name: 'hostile: a body is read before the role is known',
    file: 'src/platform/http/allow-roles.ts',
    from: 'if (allowed) requireRole(',
    to: 'if (!allowed) requireRole(',
    test: { file: 'test/faults/large-bodies.test.ts', name: 'of a role that may not upload it' },
  },
  {
    name: 'hostile: wrong keys cost nothing',
    file: 'src/platform/http/limit-strangers.ts',
    from: 'refused ? FAILED - 1 : -1',
    to: '-1',
    test: { file: 'test/faults/strangers.test.ts', name: 'is told 429 after 60 wrong keys' },
  },
  {
    name: 'hostile: the relay may read stored answers',
    file: 'migrations/0029_less_power.sql',
    from: 'revoke select on idempotency_keys from tessera_relay;',
    to: '',
    test: { file: 'test/platform/catalogue.test.ts', name: 'for the relay: when something is due' },
  },
  {
    name: 'an event counts as registered before it is final',
    file: 'src/domain/chain/send/ensure-event.ts',
    from: 'is not there yet`);\n  }\n  return false;',
    to: 'is not there yet`);\n  }\n  return true;',
    test: {
      file: 'test/chain/event-fork.test.ts',
      name: 'makes the accounts of organizer and event again when a fork dropped them',
    },
  },
];
