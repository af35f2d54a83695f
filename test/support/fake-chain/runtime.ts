import { readFileSync } from 'node:fs';
import {
  FailedTransactionMetadata,
  LiteSvm,
  Account as SvmAccount,
  type TransactionMetadata,
} from 'litesvm/dist/internal.js';
import type { Account } from './account-history.ts';
import { bytesOf, textOf } from './base58.ts';
import type { InnerInstructions } from './block.ts';
import type { Transaction } from './parse-transaction.ts';
import { errorOf, type TransactionError } from './transaction-error.ts';

/** What the runtime says of a transaction. */
export type Execution = {
  err: TransactionError | null;
  fee: number;
  units: number;
  logs: string[];
  inner: InnerInstructions[];
  returnData: { programId: string; data: Buffer } | undefined;
};

export type Simulation = Execution & { accounts: Map<string, Account> };

const FEE_PER_SIGNATURE = 5_000;
export const COMPUTE_BUDGET = 'ComputeBudget111111111111111111111111111111';
const NOBODY = new Uint8Array(32);

/** The Solana runtime: it knows accounts and runs transactions on them. Blocks, hashes and history are not its affair. */
export class Runtime {
  private readonly svm = new LiteSvm();

  constructor(programs: { [address: string]: string }) {
    // Both are the ledger's: it knows the blockhashes of its forks, and runs a transaction again after one.
    this.svm.setBlockhashCheck(false);
    this.svm.setTransactionHistory(0n);
    for (const [address, file] of Object.entries(programs)) {
      this.svm.addProgram(addressBytes(address), readFileSync(file));
    }
  }

  /** @param verify whether the signatures are checked; they need not be a second time */
  run(transaction: Transaction, verify: boolean): Execution {
    this.svm.setSigverify(verify);
    const { bytes, version } = transaction;
    const outcome =
      version === 'legacy' ? this.svm.sendLegacyTransaction(bytes) : this.svm.sendVersionedTransaction(bytes);
    return executionOf(transaction, outcome);
  }

  simulate(transaction: Transaction, verify: boolean): Simulation {
    this.svm.setSigverify(verify);
    const { bytes, version } = transaction;
    const outcome =
      version === 'legacy'
        ? this.svm.simulateLegacyTransaction(bytes)
        : this.svm.simulateVersionedTransaction(bytes);
    if (outcome instanceof FailedTransactionMetadata) {
      return { ...executionOf(transaction, outcome), accounts: new Map() };
    }
    const accounts = outcome
      .postAccounts()
      .map((one): [string, Account] => [textOf(one.address), fromSvm(one.account())]);
    return { ...executionOf(transaction, outcome.meta()), accounts: new Map(accounts) };
  }

  account(address: string): Account | undefined {
    const found = this.svm.getAccount(addressBytes(address));
    return found === null || found.lamports() === 0n ? undefined : fromSvm(found);
  }

  setAccount(address: string, account: Account | undefined): void {
    const { lamports, data, owner, executable } = account ?? {
      lamports: 0n,
      data: NOBODY.subarray(0, 0),
      owner: textOf(NOBODY),
      executable: false,
    };
    const stored = new SvmAccount(lamports, data, addressBytes(owner), executable, 0n);
    this.svm.setAccount(addressBytes(address), stored);
  }

  /** @param recent slots and hashes of the newest blocks before it, the newest first */
  startSlot(slot: number, unixSeconds: number, recent: { slot: bigint; hash: string }[]): void {
    this.svm.setSlotHashes(recent);
    const clock = this.svm.getClock();
    clock.slot = BigInt(slot);
    clock.unixTimestamp = BigInt(unixSeconds);
    this.svm.setClock(clock);
  }

  /** In lamports. */
  rentFor(bytes: number): bigint {
    return this.svm.minimumBalanceForRentExemption(BigInt(bytes));
  }
}

function executionOf(
  transaction: Transaction,
  outcome: TransactionMetadata | FailedTransactionMetadata,
): Execution {
  const failed = outcome instanceof FailedTransactionMetadata;
  const meta = failed ? outcome.meta() : outcome;
  const returned = meta.returnData();
  const data = Buffer.from(returned.data());
  return {
    err: failed ? errorOf(outcome) : null,
    fee: feeOf(transaction, meta),
    units: Number(meta.computeUnitsConsumed()),
    logs: meta.logs(),
    inner: innerOf(meta),
    returnData: data.length > 0 ? { programId: textOf(returned.programId()), data } : undefined,
  };
}

/** The binding shows the fee in its text only; without a price of compute units it follows from the signatures. */
function feeOf({ keys, signatures }: Transaction, meta: TransactionMetadata): number {
  const base = FEE_PER_SIGNATURE * signatures.length;
  if (!keys.includes(COMPUTE_BUDGET)) return base;
  return Number(/ fee: (\d+) \}\)?$/.exec(meta.toString())?.[1] ?? base);
}

function innerOf(meta: TransactionMetadata): InnerInstructions[] {
  return meta.innerInstructions().flatMap((called, index) => {
    if (called.length === 0) return [];
    const instructions = called.map((one) => {
      const instruction = one.instruction();
      return {
        programIdIndex: instruction.programIdIndex(),
        accounts: [...instruction.accounts()],
        data: Buffer.from(instruction.data()),
        stackHeight: one.stackHeight(),
      };
    });
    return [{ index, instructions }];
  });
}

function fromSvm(account: SvmAccount): Account {
  const owner = textOf(account.owner());
  const data = Buffer.from(account.data());
  return { lamports: account.lamports(), owner, data, executable: account.executable() };
}

function addressBytes(address: string): Uint8Array {
  const bytes = bytesOf(address);
  if (bytes === undefined) throw new TypeError(`${address} is no address`);
  return bytes;
}
