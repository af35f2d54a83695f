/** An error as JSON-RPC carries it, with the codes and words of Agave. */
export class RpcError extends Error {
  readonly code: number;
  readonly data: unknown;

  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

export const methodNotFound = () => new RpcError(-32601, 'Method not found');

export const invalidParams = (why: string) => new RpcError(-32602, why);

export const tooFarAhead = (contextSlot: number) =>
  new RpcError(-32016, 'Minimum context slot has not been reached', { contextSlot });

export const isBehind = (numSlotsBehind: number) =>
  new RpcError(-32005, `Node is behind by ${numSlotsBehind} slots`, { numSlotsBehind });
