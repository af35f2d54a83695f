import type { TransactionInstruction } from '@solana/web3.js';
import type { Address } from '../addresses.ts';
import { buildInstruction } from '../build-instruction.ts';
import { type TransferPolicy, type Windows, windowFields } from '../event-rules.ts';
import { configAddress } from '../pdas.ts';

export type UpdateEventInput = {
  /** The organizer's. Signs. */
  authority: Address;
  organizer: Address;
  event: Address;
  gateAuthority?: Address | undefined;
  /** Not less than it is. */
  maxSupply?: number | undefined;
  /** Not tighter than it is: anything may become open, locked may become anything. */
  transferPolicy?: TransferPolicy | undefined;
  windows?: Windows | undefined;
};

/**
 * Changes an active event; what is not given stays. Fails with BadArgument on a smaller supply, a tighter policy or a
 * window that ends before it begins, with EventClosed, with Unauthorized for anybody but the organizer's authority,
 * with Paused.
 */
export function updateEvent(programId: Address, input: UpdateEventInput): TransactionInstruction {
  const accounts = {
    authority: input.authority,
    config: configAddress(programId),
    organizer: input.organizer,
    event: input.event,
  };
  return buildInstruction(programId, 'update_event', accounts, {
    gate_authority: input.gateAuthority ?? null,
    max_supply: input.maxSupply ?? null,
    transfer_policy: input.transferPolicy ?? null,
    windows: input.windows === undefined ? null : windowFields(input.windows),
  });
}
