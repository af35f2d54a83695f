import { PublicKey, SystemProgram, TransactionInstruction } from '@solana/web3.js';
import { toAddress } from '../../../programs-client/addresses.ts';
import { attachSignatures, compileMessage } from '../../../programs-client/send.ts';
import { actor } from '../../chain/program/support/actors.ts';
import { bytesOf } from './base58.ts';
import type { Effect } from './block.ts';
import type { Ledger } from './ledger.ts';
import { parseTransaction, type Transaction } from './parse-transaction.ts';

/** What strangers do to a program's address. Each returns the signatures; they land in the next block. */
export type Strangers = {
  /** Sound transactions that list `address` and never call it; failing ones if `fails`. */
  name(address: string, options?: { count?: number; fails?: boolean }): string[];
  /** Listed, and refused to whoever does not read version 1. */
  versionOne(address: string): string;
  /** Listed, with a status, and never shown. */
  ghost(address: string): string;
  /** A program of theirs that lists `address` and writes `logs` around which its own name stands. */
  spoof(address: string, logs: string[]): string;
};

const SOL = 1_000_000_000n;
/** An address of their program; nothing needs to be there, since it is told of and not run. */
const SPOOFER = 'SpoofingProgram1111111111111111111111111111';

export function strangersOn(ledger: Ledger): Strangers {
  const stranger = actor('a stranger on the fake chain');
  const system = toAddress(SystemProgram.programId);
  let sent = 0;
  ledger.amend(stranger.address, (account) => ({
    lamports: 1_000n * SOL,
    owner: system,
    data: Buffer.alloc(0),
    executable: false,
    ...account,
  }));

  function sign(instruction: TransactionInstruction): Transaction {
    const message = compileMessage([instruction], stranger.address, ledger.tip.hash);
    const signed = attachSignatures(message, { [stranger.address]: stranger.sign(message) });
    return parseTransaction(Buffer.from(signed));
  }

  /** The lamports make each one another transaction. */
  function naming(
    address: string,
    lamports: number,
    program = SystemProgram.programId,
  ): TransactionInstruction {
    const from = new PublicKey(stranger.address);
    const transfer = SystemProgram.transfer({ fromPubkey: from, toPubkey: from, lamports });
    const named = { pubkey: new PublicKey(address), isSigner: false, isWritable: false };
    return new TransactionInstruction({
      programId: program,
      keys: [...transfer.keys, named],
      data: transfer.data,
    });
  }

  function tell(transaction: Transaction, logs: string[], hidden = false): string {
    const entry = { transaction, retries: 0, verified: true, spared: true };
    ledger.submit({ ...entry, told: { effect: effectOf(transaction, logs), hidden } });
    return transaction.signature;
  }

  return {
    name(address, { count = 1, fails = false } = {}) {
      return Array.from({ length: count }, () => {
        const lamports = fails ? Number(2_000_000n * SOL) + ++sent : ++sent;
        const transaction = sign(naming(address, lamports));
        ledger.submit({ transaction, retries: 0, verified: true, spared: true });
        return transaction.signature;
      });
    },
    versionOne(address) {
      return tell({ ...sign(naming(address, ++sent)), version: 1 }, []);
    },
    ghost(address) {
      return tell(sign(naming(address, ++sent)), [], true);
    },
    spoof(address, logs) {
      if (bytesOf(SPOOFER) === undefined) throw new Error('the spoofing program has no sound address');
      const transaction = sign(naming(address, ++sent, new PublicKey(SPOOFER)));
      return tell(transaction, [`Program ${SPOOFER} invoke [1]`, ...logs, `Program ${SPOOFER} success`]);
    },
  };
}

function effectOf(transaction: Transaction, logs: string[]): Effect {
  const balances = transaction.keys.map(() => SOL);
  return {
    err: null,
    fee: 5_000,
    units: 150,
    logs,
    inner: [],
    returnData: undefined,
    preBalances: balances,
    postBalances: balances,
    preTokenBalances: [],
    postTokenBalances: [],
  };
}
