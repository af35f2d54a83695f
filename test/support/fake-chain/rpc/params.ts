import { bytesOf, decodeBase58 } from '../base58.ts';
import type { Commitment } from '../view.ts';
import { invalidParams } from './rpc-error.ts';

/** The object at the end of most calls. */
export type Config = {
  commitment?: Commitment;
  encoding?: string;
  minContextSlot?: number;
  dataSlice?: { offset: number; length: number };
  [key: string]: unknown;
};

export function configAt(params: unknown[], index: number): Config {
  const value = params[index] ?? {};
  if (typeof value === 'object' && !Array.isArray(value)) return value as Config;
  throw invalidParams(`Invalid params: invalid type: ${typeNamed(value)}, expected struct RpcContextConfig.`);
}

/** An unknown word counts as finalized, as Agave does it. */
export function commitmentOf({ commitment }: Config): Commitment {
  return commitment === 'processed' || commitment === 'confirmed' ? commitment : 'finalized';
}

/** History is not asked for what is merely processed. */
export function settledCommitment(config: Config): Commitment {
  if (config.commitment === 'processed') {
    throw invalidParams('Method does not support commitment below `confirmed`');
  }
  return commitmentOf(config);
}

export function textAt(params: unknown[], index: number): string {
  const value = params[index];
  if (value === undefined) throw invalidParams(`\`params\` should have at least ${index + 1} argument(s)`);
  if (typeof value === 'string') return value;
  throw invalidParams(`Invalid params: invalid type: ${typeNamed(value)}, expected a string.`);
}

export function numberAt(params: unknown[], index: number): number {
  const value = params[index];
  if (value === undefined) throw invalidParams(`\`params\` should have at least ${index + 1} argument(s)`);
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw invalidParams(`Invalid params: invalid type: ${typeNamed(value)}, expected u64.`);
}

export function textsAt(params: unknown[], index: number, most: number): string[] {
  const value = params[index];
  if (value === undefined) throw invalidParams(`\`params\` should have at least ${index + 1} argument(s)`);
  if (!Array.isArray(value)) {
    throw invalidParams(`Invalid params: invalid type: ${typeNamed(value)}, expected a sequence.`);
  }
  if (value.length > most) throw invalidParams(`Too many inputs provided; max ${most}`);
  return value.map((_, at) => textAt(value, at));
}

export function addressOf(text: string): string {
  if (bytesOf(text) === undefined) throw invalidParams(`Invalid param: ${lengthOrSign(text)}`);
  return text;
}

export function signatureOf(text: string): string {
  if (decodeBase58(text, 64) === undefined) throw invalidParams(`Invalid param: ${lengthOrSign(text)}`);
  return text;
}

function lengthOrSign(text: string): string {
  return decodeBase58(text) === undefined ? 'Invalid' : 'WrongSize';
}

function typeNamed(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'sequence';
  if (typeof value === 'object') return 'map';
  if (typeof value === 'string') return `string ${JSON.stringify(value)}`;
  if (typeof value === 'boolean') return `boolean \`${value}\``;
  return Number.isInteger(value) ? `integer \`${value}\`` : `floating point \`${value}\``;
}
