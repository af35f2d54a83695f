import { ComputeBudgetProgram, PublicKey, SystemProgram } from '@solana/web3.js';
import { toAddress } from '../../../programs-client/addresses.ts';
import { attachSignatures, compileMessage } from '../../../programs-client/send.ts';
import { actor } from '../../chain/program/support/actors.ts';
import type { Ledger } from './ledger.ts';
import { parseTransaction } from './parse-transaction.ts';

const UNITS = 100_000;

/** Gives lamports by a transaction of its own, and returns its signature. Their limits of units keep two of one slot apart. */
export function faucetOn(ledger: Ledger): (to: string, lamports: bigint) => string {
  const faucet = actor('the faucet of the fake chain');
  let given = 0;
  ledger.amend(faucet.address, () => ({
    lamports: 10n ** 18n,
    owner: toAddress(SystemProgram.programId),
    data: Buffer.alloc(0),
    executable: false,
  }));
  return (to, lamports) => {
    const toPubkey = new PublicKey(to);
    const fromPubkey = new PublicKey(faucet.address);
    const transfer = SystemProgram.transfer({ fromPubkey, toPubkey, lamports });
    const limit = ComputeBudgetProgram.setComputeUnitLimit({ units: UNITS + (++given % UNITS) });
    const message = compileMessage([transfer, limit], faucet.address, ledger.tip.hash);
    const signed = attachSignatures(message, { [faucet.address]: faucet.sign(message) });
    const transaction = parseTransaction(Buffer.from(signed));
    ledger.submit({ transaction, retries: 0, verified: true });
    return transaction.signature;
  };
}
