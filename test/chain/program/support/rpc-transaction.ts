import { utils } from '@coral-xyz/anchor';
import { VersionedMessage } from '@solana/web3.js';
import type { TransactionMetadata } from 'litesvm';
import type { TransactionLike } from '../../../../programs-client/flatten-transaction.ts';

const { bs58 } = utils.bytes;

/** What getTransaction with encoding json answers, for a transaction that LiteSVM has run. */
export function rpcTransaction(
  message: Uint8Array,
  meta: TransactionMetadata,
  failed: boolean,
): TransactionLike {
  const parsed = VersionedMessage.deserialize(message);
  const innerInstructions = meta.innerInstructions().map((called, index) => ({
    index,
    instructions: called.map((one) => {
      const instruction = one.instruction();
      return {
        programIdIndex: instruction.programIdIndex(),
        accounts: [...instruction.accounts()],
        data: bs58.encode(Buffer.from(instruction.data())),
        stackHeight: one.stackHeight(),
      };
    }),
  }));
  return {
    transaction: {
      message: {
        accountKeys: parsed.staticAccountKeys.map((key) => key.toBase58()),
        instructions: parsed.compiledInstructions.map(({ programIdIndex, accountKeyIndexes, data }) => ({
          programIdIndex,
          accounts: accountKeyIndexes,
          data: bs58.encode(Buffer.from(data)),
        })),
      },
    },
    meta: {
      err: failed ? { InstructionError: [0, 'see the logs'] } : null,
      logMessages: meta.logs(),
      innerInstructions: innerInstructions.filter(({ instructions }) => instructions.length > 0),
    },
  };
}
