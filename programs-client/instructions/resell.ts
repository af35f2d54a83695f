import type { TransactionInstruction } from '@solana/web3.js';
import { type Address, TOKEN_PROGRAM } from '../addresses.ts';
import { buildInstruction } from '../build-instruction.ts';
import {
  associatedTokenAddress,
  authAddress,
  configAddress,
  ticketAddresses,
  tokenAddress,
} from '../pdas.ts';

export type ResellInput = {
  /** Pays the rent of the buyer's token account, 165 bytes. Signs. */
  payer: Address;
  /** The holder. Signs. */
  seller: Address;
  /** Pays the price. Signs. */
  buyer: Address;
  organizer: Address;
  event: Address;
  index: number;
  /** As the organizer's account has it. */
  feeRecipient: Address;
  /** As the configuration has it. */
  treasury: Address;
  /** As the event has it. */
  rentRecipient: Address;
  /** In the smallest unit of the event's currency; face value times resale cap at most. */
  price: bigint;
  /** The least the seller agrees to get after fees; nothing by default. */
  minProceeds?: bigint | undefined;
  /** The event's currency; SOL by default. All four parties need associated token accounts of it. */
  currency?: { mint: Address; tokenProgram?: Address } | undefined;
  /** The organizer's authority, where the event's policy is 'organizer_approved'. Signs. */
  approver?: Address | undefined;
};

/**
 * Sells a ticket on. Fails with PriceAboveCap, with ProceedsTooLow where fees leave the seller less than agreed, with
 * PaymentShort in a currency that takes a part of each payment, or as `transferTicket` does.
 */
export function resell(programId: Address, input: ResellInput): TransactionInstruction {
  const { ticket, mint } = ticketAddresses(programId, input.event, input.index);
  const { currency } = input;
  const tokenProgram = currency && (currency.tokenProgram ?? TOKEN_PROGRAM);
  const purse = (owner: Address) =>
    currency ? associatedTokenAddress(currency.mint, owner, tokenProgram) : owner;
  const accounts = {
    payer: input.payer,
    seller: input.seller,
    buyer: input.buyer,
    approver: input.approver,
    config: configAddress(programId),
    organizer: input.organizer,
    event: input.event,
    auth: authAddress(programId, input.event),
    ticket,
    mint,
    from_token: tokenAddress(programId, ticket, input.seller),
    to_token: tokenAddress(programId, ticket, input.buyer),
    rent_recipient: input.rentRecipient,
    payment_from: purse(input.buyer),
    payment_to_seller: purse(input.seller),
    payment_to_organizer: purse(input.feeRecipient),
    payment_to_treasury: purse(input.treasury),
    currency_mint: currency?.mint,
    currency_program: tokenProgram,
  };
  const args = { price: input.price, min_proceeds: input.minProceeds ?? 0n };
  return buildInstruction(programId, 'resell', accounts, args);
}
