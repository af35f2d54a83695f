/** A node answered, and its answer is no: the question was understood. `code` is JSON-RPC's or Solana's. */
export class RpcRefusal extends Error {
  readonly code: number;
  readonly data: unknown;

  constructor(method: string, error: { code: number; message: string; data?: unknown }) {
    super(`${method}: ${error.message} (${error.code})`);
    this.name = 'RpcRefusal';
    this.code = error.code;
    this.data = error.data;
  }
}

/** A node gave no usable answer: it is away, overloaded, demands a key, or talks nonsense. Another may be asked. */
export class NodeFailure extends Error {
  /** Milliseconds for which the node asked to be left alone. */
  readonly restMs: number | undefined;

  constructor(message: string, options: { restMs?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'NodeFailure';
    this.restMs = options.restMs;
  }
}

/** Codes of a node that is behind or has lost its history: another node may know better. */
const BEHIND: ReadonlySet<number> = new Set([
  -32004, // block not available
  -32005, // node is unhealthy, behind by some slots
  -32014, // block status not yet available
  -32016, // minimum context slot has not been reached
  -32603, // internal error
]);

/** Whether another node, or the same one a little later, may answer what this one refused. */
export function isBehind(error: unknown): boolean {
  return error instanceof RpcRefusal && BEHIND.has(error.code);
}
