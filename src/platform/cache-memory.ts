import { type Cache, versioned } from './cache.ts';
import { type Clock, systemClock } from './clock.ts';

const VERSION = /^(\d+)\|/;

type Entry = { value: string; endsAt: number };

/** The cache of one process, at most `maxEntries`, the oldest written leaving first. */
export function createMemoryCache({
  maxEntries = 50_000,
  clock = systemClock,
}: {
  maxEntries?: number;
  clock?: Clock;
} = {}): Cache {
  const entries = new Map<string, Entry>();

  function live(key: string): Entry | undefined {
    const entry = entries.get(key);
    if (entry === undefined || entry.endsAt > clock.now().getTime()) return entry;
    entries.delete(key);
    return undefined;
  }

  function put(key: string, value: string, endsAt: number): void {
    entries.delete(key);
    entries.set(key, { value, endsAt });
    if (entries.size > maxEntries) {
      const [oldest] = entries.keys();
      if (oldest !== undefined) entries.delete(oldest);
    }
  }

  const after = (ttlSeconds: number): number => clock.now().getTime() + ttlSeconds * 1000;

  return {
    get: async (key) => live(key)?.value,
    set: async (key, value, ttlSeconds) => put(key, value, after(ttlSeconds)),
    setNewer: async (key, value, version, ttlSeconds) => {
      const stored = VERSION.exec(live(key)?.value ?? '')?.[1];
      if (stored !== undefined && BigInt(stored) >= version) return;
      put(key, versioned(value, version), after(ttlSeconds));
    },
    delete: async (...keys) => {
      for (const key of keys) entries.delete(key);
    },
    increment: async (key, ttlSeconds) => {
      const entry = live(key);
      const count = Number(entry?.value ?? 0) + 1;
      put(key, String(count), entry?.endsAt ?? after(ttlSeconds));
      return count;
    },
    ping: async () => true,
    close: async () => entries.clear(),
  };
}
