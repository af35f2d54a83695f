import { BN } from '@coral-xyz/anchor';
import {
  ComputeBudgetProgram,
  PublicKey,
  TransactionInstruction,
  TransactionMessage,
  VersionedTransaction,
} from '@solana/web3.js';
import { TOKEN_2022_PROGRAM } from '../../programs-client/addresses.ts';
import { buildMintMessage, type MintOfMessage } from '../../programs-client/build-mint-message.ts';
import { attachSignatures } from '../../programs-client/send.ts';
import { encodeInstruction, instructionNamed } from '../../programs-client/wire.ts';
import type { Bench } from '../support/bench.ts';
import { compare } from '../support/compare.ts';
import { type MintShow, openMintShow } from '../support/mint-show.ts';
import { rateOf } from '../support/rate-of.ts';

export const mintBuild: Bench = {
  name: 'mint-build',
  what: 'mint transactions of one ticket, built and signed ÷ the same by way of web3.js',
  aim: 5,
  async run(_server, effort, say) {
    const show = openMintShow();
    requireSame(show);
    const pairs = rateOf(effort.seconds, () => buildNatively(show, [show.next(), show.next()]));
    say(`two tickets a transaction: ${(2 * pairs).toFixed(0)} tickets/s`);
    return await compare(
      effort,
      [],
      async (seconds) => rateOf(seconds, () => buildNatively(show, [show.next()])),
      async (seconds) => rateOf(seconds, () => buildByWeb3(show, show.next())),
      say,
    );
  },
};

/** Both ways make the same transaction, signatures and all, or the comparison is worth nothing. */
function requireSame(show: MintShow): void {
  for (let i = 0; i < 50; i++) {
    const mint = show.next();
    if (Buffer.compare(buildNatively(show, [mint]), buildByWeb3(show, mint)) !== 0) {
      throw new Error('the two transactions are not the same');
    }
  }
}

function buildNatively({ common, payer, authority }: MintShow, mints: MintOfMessage[]): Uint8Array {
  const built = buildMintMessage({ ...common, mints });
  if (built === undefined) throw new Error('the mint does not fit into a transaction');
  const { message } = built;
  return attachSignatures(message, {
    [payer.address]: payer.sign(message),
    [authority.address]: authority.sign(message),
  });
}

/** As web3.js' own documentation does it, with the addresses that all mints share at hand, as above. */
function buildByWeb3({ common, config, auth, payer, authority }: MintShow, mint: MintOfMessage): Uint8Array {
  const programId = new PublicKey(common.programId);
  const event = new PublicKey(common.event);
  const holder = new PublicKey(mint.holder);
  const find = (...seeds: (string | Uint8Array)[]) =>
    PublicKey.findProgramAddressSync(
      seeds.map((seed) => Buffer.from(seed)),
      programId,
    )[0];
  const ticket = find('ticket', event.toBytes(), new BN(mint.index).toArrayLike(Buffer, 'le', 4));
  const nft = find('mint', ticket.toBytes());
  const accounts: { [name: string]: PublicKey } = {
    payer: payer.keypair.publicKey,
    authority: authority.keypair.publicKey,
    config: new PublicKey(config),
    organizer: new PublicKey(common.organizer),
    event,
    auth: new PublicKey(auth),
    ticket,
    mint: nft,
    token: find('token', ticket.toBytes(), holder.toBytes()),
    holder,
    token_program: new PublicKey(TOKEN_2022_PROGRAM),
  };
  const { attributes } = mint;
  const instruction = new TransactionInstruction({
    programId,
    keys: (instructionNamed('mint_ticket').accounts as Account[]).map(({ name, signer, writable }) => ({
      pubkey: accounts[name] ?? PublicKey.default,
      isSigner: signer === true,
      isWritable: writable === true,
    })),
    data: encodeInstruction('mint_ticket', {
      index: mint.index,
      id: mint.ticketId,
      face_value: mint.faceValue,
      name: mint.name,
      symbol: mint.symbol,
      uri: mint.uri,
      attribute_event: attributes.event ?? '',
      attribute_type: attributes.type ?? '',
      attribute_seat: attributes.seat ?? '',
      attribute_number: attributes.number ?? '',
    }),
  });
  const budget = ComputeBudgetProgram.setComputeUnitLimit({ units: common.computeUnitLimit ?? 0 });
  const message = new TransactionMessage({
    payerKey: payer.keypair.publicKey,
    recentBlockhash: common.blockhash as string,
    instructions: [budget, instruction],
  }).compileToLegacyMessage();
  const transaction = new VersionedTransaction(message);
  transaction.sign([payer.keypair, authority.keypair]);
  return transaction.serialize();
}

type Account = { name: string; signer?: boolean; writable?: boolean };
