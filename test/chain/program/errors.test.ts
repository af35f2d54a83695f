import { SendTransactionError } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { decodeProgramError, programErrors } from '../../../programs-client/program-errors.ts';

const paused = { code: 6001, name: 'Paused', kind: 'retryable' };
const used = { code: 6005, name: 'AlreadyUsed', kind: 'final' };

describe('decodeProgramError', () => {
  it('reads the error of a transaction, a status and a simulation', () => {
    const err = { InstructionError: [2, { Custom: 6001 }] };
    const expected = { ...paused, instructionIndex: 2 };
    for (const carrier of [err, { err }, { value: { err, logs: [] } }, { slot: 1, confirmations: 0, err }]) {
      expect(decodeProgramError(carrier)).toEqual(expected);
    }
  });

  it('reads what web3.js throws when a transaction cannot be sent', () => {
    const error = new SendTransactionError({
      action: 'simulate',
      signature: '',
      transactionMessage:
        'Transaction simulation failed: Error processing Instruction 1: custom program error: 0x1775',
      logs: ['Program X failed: custom program error: 0x1775'],
    });
    expect(decodeProgramError(error)).toEqual({ ...used, instructionIndex: 1 });
  });

  it('reads a code out of any text that names one', () => {
    expect(decodeProgramError(new Error('custom program error: 0x1771'))).toEqual(paused);
    const text = 'Transaction failed: {"InstructionError":[0,{"Custom":6005}]}';
    expect(decodeProgramError(new Error(text))).toEqual({ ...used, instructionIndex: 0 });
    expect(decodeProgramError(text)).toEqual({ ...used, instructionIndex: 0 });
  });

  it.each([
    null,
    undefined,
    '',
    42,
    {},
    new Error('blockhash not found'),
    { err: null },
    'BlockhashNotFound',
    { InstructionError: [0, 'InvalidAccountData'] },
    { InstructionError: [0, { Custom: 17 }] },
    { InstructionError: [0, { Custom: 6999 }] },
    { InstructionError: 'odd' },
    new Error('custom program error: 0x11'),
  ])('knows nothing of %j', (value) => {
    expect(decodeProgramError(value)).toBeUndefined();
  });

  it('calls retryable what passes by itself, and everything else final', () => {
    const retryable = [...programErrors.values()].filter(({ kind }) => kind === 'retryable');
    expect(retryable.map(({ name }) => name)).toEqual(['Paused', 'TooEarly', 'EventNotOver']);
  });
});
