import { createPublicKey, verify } from 'node:crypto';
import { PublicKey } from '@solana/web3.js';
import { decodeTicket } from '../../../../programs-client/accounts.ts';
import { toAddress } from '../../../../programs-client/addresses.ts';
import type { ChainReader } from '../../../context.ts';
import type { Rpc } from '../rpc/rpc.ts';

const SPKI_ED25519 = Buffer.from('302a300506032b6570032100', 'hex');

/**
 * The eight points of small order lie on the curve and belong to no key: what is sent there is lost. The second is the
 * system program.
 */
const SMALL_ORDER: ReadonlySet<string> = new Set([
  '4uQeVj5tqViQh7yWWGStvkEG1Zmhx6uasJtWCJziofM',
  '11111111111111111111111111111111',
  '11111111111111111111111111111113D',
  'Gx9dDNxzpALCowVuZb7pBceBLJugLA8sPa6TJDXrpfeW',
  '3ctC68zTqpRDQShoondiQKDHwZDAUjRyxiPNdg8cD6Pe',
  '3ctC68zTqpRDQShoondiQKDHwZDAUjRyxiPNdg8cD6Rr',
  'EQAqmjhcsBQhpBv5GJkYgEB7emGHZNoo1j1yAjiFLNvD',
  'EQAqmjhcsBQhpBv5GJkYgEB7emGHZNoo1j1yAjiFLNxR',
]);

/** Reads the chain through `rpc`; an account of another program is no ticket. */
export function createChainReader(rpc: Rpc, programId: string): ChainReader {
  return {
    async readTicket(address) {
      const { slot, value } = await rpc.ask((node) =>
        node.getAccounts([address], { commitment: 'confirmed' }),
      );
      const account = value[0];
      if (account?.owner !== programId) return undefined;
      const ticket = decodeTicket(account.data);
      return {
        owner: ticket.holder,
        status: ticket.status,
        version: ticket.version,
        slot: BigInt(slot),
      };
    },
    slot: async () => BigInt(await rpc.ask((node) => node.getSlot('confirmed'))),
    verifySignature(address, message, signature) {
      if (signature.length !== 64) return false;
      const bytes = new PublicKey(address).toBytes();
      const key = createPublicKey({ key: Buffer.concat([SPKI_ED25519, bytes]), format: 'der', type: 'spki' });
      return verify(null, message, key, signature);
    },
    isAddress(text) {
      try {
        // A wallet has a key, so its address lies on the curve; an account of a program does not.
        const address = toAddress(text);
        return PublicKey.isOnCurve(address) && !SMALL_ORDER.has(address);
      } catch {
        return false;
      }
    },
  };
}
