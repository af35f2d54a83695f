import {
  Connection,
  PublicKey,
  SystemProgram,
  TransactionInstruction,
  TransactionMessage,
  VersionedTransaction,
} from '@solana/web3.js';
import { TOKEN_2022_PROGRAM } from '../../programs-client/addresses.ts';

/** stricter_abi_and_runtime_constraints: under it the Token-2022 of Agave 3.0 cannot grow an account. */
export const REALLOC_FEATURE = 'C37iaPi6VE4CZDueU1vL8y6pGp5i8amAbEsF31xzz723';

/** The Token-2022 of this chain cannot write the metadata of a ticket, so no ticket can be minted on it. */
export class BrokenToken2022 extends Error {
  constructor(version: string) {
    super(
      `The Token-2022 program of this chain (Agave ${version}) cannot grow an account, so no ticket can be minted: ` +
        `start solana-test-validator with --deactivate-feature ${REALLOC_FEATURE}, or use a version that mends it.`,
    );
    this.name = 'BrokenToken2022';
  }
}

/**
 * Tries, without sending anything, what every mint does: grow an account by its metadata. Agave 3.0 with all its features
 * refuses that, and the first ticket would say no more than that its mint failed.
 * @param payer has some money, and does not sign
 * @returns why it could not be tried, undefined when it works
 * @throws BrokenToken2022
 */
export async function probeToken2022(rpcUrl: string, payer: string): Promise<string | undefined> {
  const connection = new Connection(rpcUrl, 'confirmed');
  const from = new PublicKey(payer);
  const message = new TransactionMessage({
    payerKey: from,
    recentBlockhash: PublicKey.default.toBase58(),
    instructions: await growMint(connection, from),
  }).compileToLegacyMessage();
  const { value } = await connection.simulateTransaction(new VersionedTransaction(message), {
    commitment: 'confirmed',
    sigVerify: false,
    replaceRecentBlockhash: true,
  });
  if (value.err === null) return undefined;
  const { 'solana-core': version } = await connection.getVersion();
  // The runtime refuses the growth, as an error of the program that asked for it.
  const logs = value.logs ?? [];
  if (logs.some((line) => /failed to reallocate|InvalidRealloc|realloc/i.test(line)))
    throw new BrokenToken2022(version);
  return `${JSON.stringify(value.err)} ${logs.at(-1) ?? ''}`.trim();
}

const TOKEN_2022 = new PublicKey(TOKEN_2022_PROGRAM);
const SEED = 'tessera probe';
/** A mint with a pointer to its metadata, before and after that is written. */
const BARE_BYTES = 166 + 4 + 64;
const GROWN_BYTES = BARE_BYTES + 200;

async function growMint(connection: Connection, from: PublicKey): Promise<TransactionInstruction[]> {
  const mint = await PublicKey.createWithSeed(from, SEED, TOKEN_2022);
  const lamports = await connection.getMinimumBalanceForRentExemption(GROWN_BYTES);
  const writable = { pubkey: mint, isSigner: false, isWritable: true };
  const token = (data: Uint8Array[], more: TransactionInstruction['keys'] = []) =>
    new TransactionInstruction({
      programId: TOKEN_2022,
      keys: [writable, ...more],
      data: Buffer.concat(data),
    });
  const authority = { pubkey: from, isSigner: false, isWritable: false };
  return [
    SystemProgram.createAccountWithSeed({
      fromPubkey: from,
      basePubkey: from,
      newAccountPubkey: mint,
      seed: SEED,
      lamports,
      space: BARE_BYTES,
      programId: TOKEN_2022,
    }),
    // InitializeMetadataPointer, InitializeMint2, TokenMetadata::Initialize.
    token([Uint8Array.of(39, 0), new Uint8Array(32), mint.toBytes()]),
    token([Uint8Array.of(20, 0), from.toBytes(), Uint8Array.of(0)]),
    token(
      [Uint8Array.of(210, 225, 30, 162, 88, 184, 77, 141), text('probe'), text('PROBE'), text('')],
      [authority, { ...writable, isWritable: false }, { ...authority, isSigner: true }],
    ),
  ];
}

/** As Borsh writes it. */
function text(value: string): Uint8Array {
  const bytes = Buffer.from(value);
  return Buffer.concat([Uint8Array.of(bytes.length, 0, 0, 0), bytes]);
}
