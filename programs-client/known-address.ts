import { type Address, toAddress } from './addresses.ts';
import { remembering } from './remembering.ts';

/**
 * The address of 32 bytes that one transaction after another names, written in base58 once: doing it each time took a
 * fifth of the time of reading a transaction. Throws a `TypeError` on another number of bytes.
 */
export const knownAddress: (bytes: Uint8Array) => Address = remembering(toAddress);
