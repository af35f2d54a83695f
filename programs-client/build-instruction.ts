import { PublicKey, TransactionInstruction } from '@solana/web3.js';
import type { Address } from './addresses.ts';
import { encodeInstruction, type Fields, instructionNamed } from './wire.ts';

type AccountOfIdl = {
  name: string;
  writable?: boolean;
  signer?: boolean;
  optional?: boolean;
  address?: string;
};

/**
 * An instruction from its name, accounts and arguments, all named as in the IDL, which gives order and flags. Accounts
 * with a fixed address need not be given; a missing optional one becomes the program's own address, as Anchor has it.
 */
export function buildInstruction(
  programId: Address,
  name: string,
  accounts: { [account: string]: Address | undefined },
  args: Fields = {},
): TransactionInstruction {
  const expected = instructionNamed(name).accounts as AccountOfIdl[];
  return new TransactionInstruction({
    programId: new PublicKey(programId),
    keys: expected.map((account) => {
      const given = accounts[account.name];
      const address =
        account.address ?? given ?? (account.optional ? programId : missing(name, account.name));
      const present = !account.optional || given !== undefined;
      return {
        pubkey: new PublicKey(address),
        isSigner: present && account.signer === true,
        isWritable: present && account.writable === true,
      };
    }),
    data: encodeInstruction(name, args),
  });
}

function missing(instruction: string, account: string): never {
  throw new TypeError(`${instruction} needs the account ${account}`);
}
