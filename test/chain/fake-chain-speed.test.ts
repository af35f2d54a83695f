import { Agent, request } from 'node:http';
import { afterEach, expect, it } from 'vitest';
import { type FakeChain, startFakeChain } from '../support/fake-chain/start-fake-chain.ts';
import { actor } from './program/support/actors.ts';
import { rawRpc } from './support/raw-rpc.ts';
import { pay, SOL, signed } from './support/send-raw.ts';

const COUNT = 3_000;
const CONNECTIONS = 16;
/** A thousand a second leave so much time of one core for each, the client's part included. 370 were measured. */
const ENOUGH_MICROSECONDS = 1_000;

let chain: FakeChain;
afterEach(() => chain.stop());

it('takes and runs at least a thousand transactions a second, each signature checked', async () => {
  chain = await startFakeChain({ seed: 1 });
  const rpc = rawRpc(() => chain.rpcUrl);
  const from = actor('a busy payer');
  chain.fund(from.address, 100_000 * SOL);
  const to = actor('a busy receiver');
  chain.fund(to.address, SOL);
  const { blockhash } = (await rpc.ask('getLatestBlockhash', { commitment: 'confirmed' })).value;
  const transactions = await Promise.all(
    Array.from({ length: COUNT }, (_, i) => signed(rpc, [pay(from, to, i + 1)], [from], { blockhash })),
  );
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const began = performance.now();
  const before = process.cpuUsage();
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      for (let next = transactions.pop(); next !== undefined; next = transactions.pop()) {
        await post(agent, chain.rpcUrl, next);
      }
    }),
  );
  await expect
    .poll(() => chain.truth.landed('processed').count, { timeout: 10_000, interval: 5 })
    .toBe(COUNT);
  const rate = Math.round((1_000 * COUNT) / (performance.now() - began));
  const { user, system } = process.cpuUsage(before);
  agent.destroy();
  const each = Math.round((user + system) / COUNT);
  console.log(`${rate} transactions a second through sendTransaction, ${each} µs of CPU each`);
  // Time of CPU and not of the clock: the machine may be busy with other things.
  expect(each).toBeLessThan(ENOUGH_MICROSECONDS);
  expect(chain.truth.account(to.address, 'processed')?.lamports).toBe(
    BigInt(SOL + (COUNT * (COUNT + 1)) / 2),
  );
});

/** fetch would cost more than the chain does. */
function post(agent: Agent, url: string, transaction: string): Promise<void> {
  const params = [transaction, { encoding: 'base64', preflightCommitment: 'confirmed' }];
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'sendTransaction', params });
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const sent = request(url, { agent, method: 'POST', headers }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += chunk));
      response.on('end', () => (text.includes('"result"') ? resolve() : reject(new Error(text))));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
