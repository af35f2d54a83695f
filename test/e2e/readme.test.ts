import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { findPort } from '../../src/main/embedded/find-port.ts';
import { waitFor } from '../../src/platform/retry.ts';
import { type Child, runChild } from '../support/run-child.ts';

vi.setConfig({ testTimeout: 60_000 });

const root = fileURLToPath(new URL('../..', import.meta.url));
let folder: string;
let stack: Child;

beforeAll(async () => {
  folder = await mkdtemp(`${tmpdir()}/tessera readme `);
  await chmod(folder, 0o755);
  stack = runChild('src/main/up.ts', { DATA_FOLDER: folder, HTTP_PORT: String(await findPort(18_500)) });
  const up = await Promise.race([
    waitFor(async () => /minted it:\n.*\n$/.test(stack.output()), { timeoutMs: 60_000 }),
    stack.ended.then(() => false),
  ]);
  if (!up) throw new Error(`it did not come up:\n${stack.output()}`);
}, 90_000);
afterAll(async () => {
  expect(await stack.stop('SIGINT')).toBe(0);
  await rm(folder, { recursive: true, force: true });
});

/** The blocks of shell in a section of the README, but for the two commands that set everything up. */
function blocksOf(section: string): string[] {
  const readme = readFileSync(`${root}README.md`, 'utf8');
  const [, text = ''] = readme.split(`\n## ${section}\n`);
  const [own = ''] = text.split('\n## ');
  const blocks = [...own.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block = '']) => block);
  return blocks.filter((block) => !block.startsWith('npm ci'));
}

/** What somebody sees who pastes `lines` into a terminal in the project's folder. A line that fails ends it. */
async function paste(lines: string): Promise<string> {
  const env = { PATH: process.env.PATH, HOME: folder, DATA_FOLDER: folder, ENV_FILE: '/dev/null' };
  const child = spawn('sh', ['-euc', lines], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks: string[] = [];
  child.stdout.on('data', (chunk) => chunks.push(String(chunk)));
  child.stderr.on('data', (chunk) => chunks.push(String(chunk)));
  const [code] = await once(child, 'close');
  expect(code, chunks.join('')).toBe(0);
  return chunks.join('');
}

const exported = (): string => /^export API=\S+ KEY=\S+$/m.exec(stack.output())?.[0] ?? '';

describe('the lines of the README, as they stand, after the one that npm start printed', () => {
  it('Try it', async () => {
    const blocks = blocksOf('Try it');
    expect(blocks).toHaveLength(1);
    const output = await paste([exported(), ...blocks].join('\n'));
    expect(output).toContain('"title":"Tessera Live"');
    expect(output).toContain('"ticketNumber":"001-0000001"');
    expect(output).toMatch(/tenant [\w-]{36}\nkey {4}tk_live_\S+\n/);
  });

  it('Paying without money', async () => {
    const blocks = blocksOf('Paying without money');
    expect(blocks).toHaveLength(1);
    const lines = [exported(), ...blocks].join('\n');
    const output = await paste(lines);
    expect(output).toContain('"status":"paid"');
    expect(output, 'no line was refused').not.toContain('"code"');
    expect(await paste(lines), 'the same lines again are the same purchase').toBe(output);
  });
});

describe('what npm start prints', () => {
  /** The line after `what`, as it is pasted without any other. */
  const tried = (what: string): string => {
    const lines = stack.output().split('\n');
    return lines[lines.findIndex((line) => line.includes(what)) + 1] ?? '';
  };

  it('has three things to try, each a line that works', async () => {
    const [, next = ''] = stack.output().split('Three things to try');
    expect(next.match(/^curl .*$/gm)).toHaveLength(3);
    const bought = JSON.parse(await paste(tried('Buy two more tickets as carol')));
    expect(bought.tickets).toHaveLength(2);
    const metadata = JSON.parse(await paste(tried('See the NFT')));
    expect(metadata).toMatchObject({
      name: expect.any(String),
      image: expect.stringContaining('/image.svg'),
    });
    const transaction = JSON.parse(await paste(tried('Ask Solana itself')));
    expect(transaction.result.meta.err).toBeNull();
    expect(stack.output()).toContain(`${transaction.result.transaction.signatures[0]} in slot`);
  });

  it('tells each step once', () => {
    for (const step of [
      'purchase',
      'mint confirmed',
      'transfer on chain',
      'second scan',
      'check-in on chain',
    ]) {
      expect(stack.output().split(`  ${step} `), step).toHaveLength(2);
    }
  });

  it('has the ports of the chain and the tokens of people, each of which is let in', async () => {
    const [, rpc = '', ws = ''] = /Solana RPC (\S+) {3}WebSocket (\S+)/.exec(stack.output()) ?? [];
    expect(Number(new URL(ws).port)).toBe(Number(new URL(rpc).port) + 1);
    const socket = new WebSocket(ws);
    await once(socket, 'open');
    socket.close();
    const api = /export API=(\S+)/.exec(stack.output())?.[1];
    const tokens = [...stack.output().matchAll(/(?:admin key|token of \S+)\s+(\S+)/g)].map(
      ([, token]) => token,
    );
    expect(tokens).toHaveLength(4);
    for (const token of tokens) {
      const headers = { authorization: `Bearer ${token}` };
      expect((await fetch(`${api}/api/events`, { headers })).status).toBe(200);
    }
  });
});
