import { ComputeBudgetProgram, Connection, PublicKey } from '@solana/web3.js';
import { toAddress } from '../../programs-client/addresses.ts';
import { initConfig } from '../../programs-client/instructions/init-config.ts';
import { configAddress } from '../../programs-client/pdas.ts';
import { attachSignatures, compileMessage } from '../../programs-client/send.ts';
import type { Signer } from '../domain/chain/send/signer.ts';
import { waitFor } from '../platform/retry.ts';

/** Makes the program's configuration with our admin, once. Returns whether it was made now. */
export async function initChain(options: {
  rpcUrl: string;
  programId: string;
  signer: Signer;
}): Promise<boolean> {
  const { rpcUrl, signer } = options;
  const programId = toAddress(options.programId);
  const connection = new Connection(rpcUrl, 'confirmed');
  const config = new PublicKey(configAddress(programId));
  if (await connection.getAccountInfo(config)) return false;
  const admin = toAddress(await signer.address({ use: 'admin' }));
  const instruction = initConfig(programId, { payer: admin, admin, treasury: admin, protocolFeeBps: 0 });
  const { blockhash } = await connection.getLatestBlockhash();
  const budget = ComputeBudgetProgram.setComputeUnitLimit({ units: 100_000 });
  const message = compileMessage([budget, instruction], admin, blockhash);
  const raw = attachSignatures(message, { [admin]: await signer.sign({ use: 'admin' }, message) });
  const signature = await connection.sendRawTransaction(raw);
  const there = await waitFor(async () => (await connection.getAccountInfo(config)) !== null, {
    timeoutMs: 30_000,
  });
  if (!there)
    throw new Error(`The program's configuration did not appear on chain (transaction ${signature}).`);
  return true;
}
