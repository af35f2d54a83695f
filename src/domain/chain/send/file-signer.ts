import { createPrivateKey, createPublicKey, hkdfSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { toAddress } from '../../../../programs-client/addresses.ts';
import type { KeyRef, Signer } from './signer.ts';

const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex');
/** An Ed25519 public key in DER ends with its 32 bytes. */
const SPKI_HEAD = 12;

type Key = { privateKey: KeyObject; address: string };

/**
 * A signer whose keys are all derived from one seed in a file, for development. Tenants have seeds of their own below
 * it, users keys below those, so nothing else has to be stored. Made readable for its owner alone when it is missing.
 */
export async function openFileSigner(path: string): Promise<Signer> {
  const seed = await readOrCreateSeed(path);
  const known = new Map<string, Key>();

  function derive(parent: Uint8Array, info: string): Uint8Array {
    return new Uint8Array(hkdfSync('sha256', parent, 'tessera signer', info, 32));
  }

  function keyOf(ref: KeyRef): Key {
    const name = nameOf(ref);
    let key = known.get(name);
    if (!key) {
      const parent = 'tenantId' in ref ? derive(seed, `tenant ${ref.tenantId}`) : seed;
      key = toKey(derive(parent, name));
      known.set(name, key);
    }
    return key;
  }

  return {
    address: async (ref) => keyOf(ref).address,
    sign: async (ref, message) => new Uint8Array(sign(null, message, keyOf(ref).privateKey)),
  };
}

function nameOf(ref: KeyRef): string {
  switch (ref.use) {
    case 'admin':
    case 'treasury':
      return ref.use;
    case 'payer':
      return `payer ${ref.index}`;
    case 'organizer':
    case 'gate':
      return `${ref.use} ${ref.tenantId}`;
    case 'custodial':
      return `custodial ${ref.tenantId} ${ref.userId}`;
  }
}

function toKey(secret: Uint8Array): Key {
  const privateKey = createPrivateKey({
    key: Buffer.concat([PKCS8_ED25519, secret]),
    format: 'der',
    type: 'pkcs8',
  });
  const publicKey = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(SPKI_HEAD);
  return { privateKey, address: toAddress(new Uint8Array(publicKey)) };
}

async function readOrCreateSeed(path: string): Promise<Uint8Array> {
  try {
    const { seed } = JSON.parse(await readFile(path, 'utf8')) as { seed: string };
    const bytes = Buffer.from(seed, 'base64');
    if (bytes.length !== 32) throw new Error(`${path} does not hold a seed of 32 bytes`);
    return new Uint8Array(bytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const seed = randomBytes(32);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${JSON.stringify({ seed: seed.toString('base64') })}\n`, {
    mode: 0o600,
    flag: 'wx',
  });
  return new Uint8Array(seed);
}
