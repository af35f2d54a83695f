/**
 * What a node shows as a transaction cannot be read here. Asking the same node again gives the same; the accounts that it
 * changed can be read instead. `too_large`: it is beyond what any cluster runs, and was not looked at further.
 * `malformed`: it contradicts itself or is no transaction. `forged`: a signature is not that of the key that it stands
 * for.
 */
export class UnreadableTransactionError extends Error {
  override name = 'UnreadableTransactionError';
  readonly kind: 'too_large' | 'malformed' | 'forged';

  constructor(kind: 'too_large' | 'malformed' | 'forged', message: string) {
    super(message);
    this.kind = kind;
  }
}
