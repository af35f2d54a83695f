import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { Keypair } from '@solana/web3.js';
import { type Address, LOCAL_PROGRAM, toAddress } from '../../programs-client/addresses.ts';
import type { MintMessageInput, MintOfMessage } from '../../programs-client/build-mint-message.ts';
import { authAddress, configAddress, eventAddress, organizerAddress } from '../../programs-client/pdas.ts';

export type Signer = { address: Address; keypair: Keypair; sign(message: Uint8Array): Uint8Array };

/** What all mints of a show share, who signs them, and tickets without end: each another index, id and holder. */
export type MintShow = {
  payer: Signer;
  authority: Signer;
  common: Omit<MintMessageInput, 'mints'>;
  /** The same for both, and the same for web3.js' part: they follow from the event alone. */
  config: Address;
  auth: Address;
  next(): MintOfMessage;
};

const HOLDERS = 5_000;

export function openMintShow(): MintShow {
  const [payer, authority] = [newSigner(), newSigner()];
  const organizer = organizerAddress(LOCAL_PROGRAM, randomBytes(16));
  const event = eventAddress(LOCAL_PROGRAM, organizer, randomBytes(16));
  const holders = Array.from({ length: HOLDERS }, () => toAddress(randomBytes(32)));
  const ids = holders.map(() => randomBytes(16));
  let index = 0;
  return {
    payer,
    authority,
    common: {
      programId: LOCAL_PROGRAM,
      payer: payer.address,
      authority: authority.address,
      organizer,
      event,
      blockhash: toAddress(randomBytes(32)),
      computeUnitLimit: 200_000,
    },
    config: configAddress(LOCAL_PROGRAM),
    auth: authAddress(LOCAL_PROGRAM, event),
    next() {
      const number = `${++index}`.padStart(6, '0');
      return {
        index,
        ticketId: ids[index % HOLDERS] as Uint8Array,
        holder: holders[index % HOLDERS] as Address,
        faceValue: 2_500n,
        name: `Rock Night 2027 #${number}`,
        symbol: 'TSRA',
        uri: 'https://tickets.example.com/nft/0123456789abcdef/metadata.json',
        attributes: { event: 'Rock Night 2027', type: 'Standing', seat: 'A-12', number },
      };
    },
  };
}

function newSigner(): Signer {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const bytes = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  return {
    address: toAddress(bytes),
    keypair: Keypair.fromSecretKey(Buffer.concat([seedOf(privateKey), bytes])),
    sign: (message) => sign(null, message, privateKey),
  };
}

function seedOf(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'pkcs8' }).subarray(-32);
}
