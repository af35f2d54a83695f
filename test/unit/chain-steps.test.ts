import { describe, expect, it } from 'vitest';
import { chainSteps, type Sighting } from '../../src/domain/tickets/chain-steps.ts';
import { canStep, isLive, type TicketStatus, ticketStatuses } from '../../src/domain/tickets/ticket-state.ts';

const sightings = (['active', 'checked_in', 'revoked'] as const).flatMap((status) =>
  [
    { fresh: true, moved: false },
    { fresh: false, moved: true },
    { fresh: false, moved: false },
  ].map((seen): Sighting => ({ status, ...seen })),
);
const all = ticketStatuses.flatMap((from) => sightings.map((sighting) => ({ from, sighting })));
const path = (from: TicketStatus, sighting: Sighting) => chainSteps(from, sighting).join(' ');
const active = { status: 'active', fresh: false, moved: false } as const;

describe('the steps of a ticket that the chain brings', () => {
  it('are legal, each from the one before, whatever is seen in whatever state', () => {
    for (const { from, sighting } of all) {
      let at = from;
      for (const to of chainSteps(from, sighting)) {
        expect(canStep(at, to), `${at} → ${to}`).toBe(true);
        at = to;
      }
    }
    expect(all).toHaveLength(10 * 9);
  });

  it('never leave a ticket transferred', () => {
    for (const { from, sighting } of all) expect(chainSteps(from, sighting).at(-1)).not.toBe('transferred');
  });

  it('pass through transferred when a valid ticket changed hands', () => {
    expect(path('active', { ...active, moved: true })).toBe('transferred active');
    expect(path('transferred', { ...active, moved: true })).toBe('active transferred active');
  });

  it('do not bring a used or ended ticket back, whoever owns it now', () => {
    for (const status of ['active', 'checked_in'] as const) {
      for (const from of ['checked_in', 'cancelled', 'refunded', 'revoked', 'expired'] as const) {
        expect(path(from, { ...active, status, moved: true })).toBe('');
        expect(path(from, { ...active, status, fresh: true })).toBe('');
      }
    }
  });

  it('make a new one active, by way of its minting', () => {
    const fresh = { ...active, fresh: true };
    expect(path('sold', fresh)).toBe('minting active');
    expect(path('minting', fresh)).toBe('active');
    expect(path('active', fresh)).toBe('');
  });

  it('are none when the chain shows what is known', () => {
    for (const from of ticketStatuses) {
      expect(path(from, active)).toBe('');
      expect(path(from, { ...active, status: 'checked_in' })).toBe('');
    }
  });

  it('end at revoked from every live state, and from no other', () => {
    for (const from of ticketStatuses) {
      for (const seen of sightings.filter(({ status }) => status === 'revoked')) {
        expect(chainSteps(from, seen).at(-1)).toBe(isLive(from) ? 'revoked' : undefined);
      }
    }
  });
});
