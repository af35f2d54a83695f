import { programErrors } from '../../../../programs-client/program-errors.ts';

/** The name of a LiteSVM error: the program's own by its table, others as the runtime calls them. */
export function errorName(error: string | undefined): string {
  if (error === undefined) return 'success';
  const code = /InstructionErrorCustom \{ code: (\d+) \}/.exec(error)?.[1];
  if (code !== undefined) return programErrors.get(Number(code))?.name ?? `custom error ${code}`;
  const plain = /InstructionErrorFieldless\((\w+)\)|error: (?:InstructionErrorFieldless\.)?(\w+) \}/.exec(
    error,
  );
  return plain?.[1] ?? plain?.[2] ?? error;
}
