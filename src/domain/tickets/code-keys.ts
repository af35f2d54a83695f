import { createPrivateKey, createPublicKey, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';

/** A master key with its id, from which every event's keys are derived. */
export type MasterKey = { id: number; key: Uint8Array };

/** `read` opens codes (AES-256-GCM), `sign` makes them (Ed25519). A scanner gets `read` and `verify`, never `sign`. */
export type CodeKeys = { id: number; read: KeyObject; sign: KeyObject; verify: KeyObject };

/** The DER head of an Ed25519 private key (RFC 8410); the 32-byte seed follows. */
const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex');
const REMEMBERED_EVENTS = 2_000;

/**
 * The keys of an event, by HKDF-SHA-256 from the master keys; nothing is stored. New codes are made with the newest
 * master key, codes of the others stay readable until their key leaves the ring.
 */
export function createCodeKeys(ring: readonly MasterKey[]) {
  const known = new Map<string, CodeKeys>();

  function derive(master: MasterKey, tenantId: string, eventId: string): CodeKeys {
    const secret = (use: string): Buffer =>
      Buffer.from(
        hkdfSync('sha256', master.key, tenantId, `tessera ticket code ${use} ${eventId} ${master.id}`, 32),
      );
    const sign = createPrivateKey({
      key: Buffer.concat([PKCS8_ED25519, secret('sign')]),
      format: 'der',
      type: 'pkcs8',
    });
    return { id: master.id, read: createSecretKey(secret('read')), sign, verify: createPublicKey(sign) };
  }

  function keysOf(master: MasterKey, tenantId: string, eventId: string): CodeKeys {
    const name = `${master.id}:${tenantId}:${eventId}`;
    let keys = known.get(name);
    if (!keys) {
      keys = derive(master, tenantId, eventId);
      known.set(name, keys);
      if (known.size > REMEMBERED_EVENTS) {
        const [oldest] = known.keys();
        if (oldest !== undefined) known.delete(oldest);
      }
    }
    return keys;
  }

  return {
    current(tenantId: string, eventId: string): CodeKeys {
      const [newest] = ring;
      if (!newest) throw new Error('no master key for ticket codes is configured');
      return keysOf(newest, tenantId, eventId);
    },
    find(keyId: number, tenantId: string, eventId: string): CodeKeys | undefined {
      const master = ring.find(({ id }) => id === keyId);
      return master && keysOf(master, tenantId, eventId);
    },
  };
}

export type CodeKeyRing = ReturnType<typeof createCodeKeys>;
