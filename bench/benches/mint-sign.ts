import { buildMintMessage, type MintOfMessage } from '../../programs-client/build-mint-message.ts';
import { attachSignatures } from '../../programs-client/send.ts';
import type { Bench } from '../support/bench.ts';
import { compare } from '../support/compare.ts';
import { type MintShow, openMintShow } from '../support/mint-show.ts';
import { rateOf } from '../support/rate-of.ts';

export const mintSign: Bench = {
  name: 'mint-sign',
  what: 'mint transactions of one ticket, built and signed ÷ the two signatures alone',
  aim: 0.4,
  async run(_server, effort, say) {
    const show = openMintShow();
    const { message } = built(show, [show.next()]);
    const pair = built(show, [show.next(), show.next()]).message;
    const both = rateOf(effort.seconds, () => send(show, [show.next(), show.next()]));
    const alone = rateOf(effort.seconds, () => signed(show, pair));
    say(
      `two tickets a transaction: ${both.toFixed(0)}/s ÷ ${alone.toFixed(0)}/s = ${(both / alone).toFixed(2)}`,
    );
    return await compare(
      effort,
      [],
      async (seconds) => rateOf(seconds, () => send(show, [show.next()])),
      async (seconds) => rateOf(seconds, () => signed(show, message)),
      say,
    );
  },
};

function send(show: MintShow, mints: MintOfMessage[]): Uint8Array {
  const { message } = built(show, mints);
  return attachSignatures(message, signed(show, message));
}

function built({ common }: MintShow, mints: MintOfMessage[]): { message: Uint8Array } {
  const made = buildMintMessage({ ...common, mints });
  if (made === undefined) throw new Error('the mints do not fit into a transaction');
  return made;
}

function signed({ payer, authority }: MintShow, message: Uint8Array): Record<string, Uint8Array> {
  return { [payer.address]: payer.sign(message), [authority.address]: authority.sign(message) };
}
