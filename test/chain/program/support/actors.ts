import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { type Address, toAddress } from '../../../../programs-client/addresses.ts';

/** Somebody with a key. The same name is the same key in every run, so that figures do not move. */
export type Actor = {
  name: string;
  address: Address;
  seed: Uint8Array;
  sign(message: Uint8Array): Uint8Array;
};

const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');
const known = new Map<string, Actor>();

export function actor(name: string): Actor {
  const found = known.get(name) ?? newActor(name);
  known.set(name, found);
  return found;
}

function newActor(name: string): Actor {
  const seed = createHash('sha256').update(`tessera test ${name}`).digest();
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' });
  return { name, address: addressOf(key), seed, sign: (message) => sign(null, message, key) };
}

function addressOf(key: KeyObject): Address {
  return toAddress(createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32));
}
