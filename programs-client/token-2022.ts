/** The parts of Token-2022 accounts that a ticket uses. Parsers return undefined for what is no such account. */
import { type Address, toAddress } from './addresses.ts';

export type Metadata = {
  updateAuthority: Address;
  mint: Address;
  name: string;
  symbol: string;
  uri: string;
  /** The additional fields, in their order. */
  attributes: [key: string, value: string][];
};

export type Mint = {
  supply: bigint;
  decimals: number;
  /** Undefined once nobody can mint any more. */
  mintAuthority: Address | undefined;
  freezeAuthority: Address | undefined;
  metadata: Metadata | undefined;
};

export type TokenAccount = {
  mint: Address;
  owner: Address;
  amount: bigint;
  frozen: boolean;
  closeAuthority: Address | undefined;
};

const MINT_BYTES = 82;
const ACCOUNT_BYTES = 165;
const IS_MINT = 1;
const TOKEN_METADATA = 19;

export function parseMint(data: Uint8Array): Mint | undefined {
  const extended = data.length > ACCOUNT_BYTES && data[ACCOUNT_BYTES] === IS_MINT;
  if ((data.length !== MINT_BYTES && !extended) || data[45] !== 1) return undefined;
  const view = viewOf(data);
  const metadata = extensions(data).get(TOKEN_METADATA);
  return {
    mintAuthority: optional(data, 0),
    supply: view.getBigUint64(36, true),
    decimals: view.getUint8(44),
    freezeAuthority: optional(data, 46),
    metadata: metadata && parseMetadata(metadata),
  };
}

export function parseTokenAccount(data: Uint8Array): TokenAccount | undefined {
  const isMint = data.length > ACCOUNT_BYTES && data[ACCOUNT_BYTES] === IS_MINT;
  if (data.length < ACCOUNT_BYTES || isMint || data[108] === 0) return undefined;
  return {
    mint: toAddress(data.subarray(0, 32)),
    owner: toAddress(data.subarray(32, 64)),
    amount: viewOf(data).getBigUint64(64, true),
    frozen: data[108] === 2,
    closeAuthority: optional(data, 129),
  };
}

/** Type, length and value, from behind the account type to the end. */
function extensions(data: Uint8Array): Map<number, Uint8Array> {
  const found = new Map<number, Uint8Array>();
  const view = viewOf(data);
  for (let at = ACCOUNT_BYTES + 1; at + 4 <= data.length; ) {
    const type = view.getUint16(at, true);
    const end = at + 4 + view.getUint16(at + 2, true);
    if (type === 0 || end > data.length) break;
    found.set(type, data.subarray(at + 4, end));
    at = end;
  }
  return found;
}

function parseMetadata(data: Uint8Array): Metadata | undefined {
  const view = viewOf(data);
  let at = 64;
  const text = () => {
    const length = view.getUint32(at, true);
    const end = at + 4 + length;
    if (end > data.length) throw new RangeError('a text ends beyond its extension');
    const bytes = data.subarray(at + 4, end);
    at = end;
    return new TextDecoder().decode(bytes);
  };
  try {
    const [name, symbol, uri] = [text(), text(), text()];
    const count = view.getUint32(at, true);
    at += 4;
    const attributes: [string, string][] = [];
    while (attributes.length < count) attributes.push([text(), text()]);
    const updateAuthority = toAddress(data.subarray(0, 32));
    return { updateAuthority, mint: toAddress(data.subarray(32, 64)), name, symbol, uri, attributes };
  } catch {
    return undefined;
  }
}

/** An address behind a four-byte tag. */
function optional(data: Uint8Array, at: number): Address | undefined {
  return data[at] === 1 ? toAddress(data.subarray(at + 4, at + 36)) : undefined;
}

function viewOf(data: Uint8Array): DataView {
  return new DataView(data.buffer, data.byteOffset, data.byteLength);
}
