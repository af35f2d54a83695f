/**
 * The "Program data:" payloads that each invocation of a program wrote itself, one list per invocation in the order in
 * which they began. Lines belong to the innermost program running, so what another program writes is not taken for
 * this one's. Nothing is read beyond "Log truncated": shorter lines may still follow it, but no longer all of them. Nor
 * is anything read beyond the lines and letters below: a cluster cuts at 10 kB, and only a node that lies shows more.
 */
export function programLogs(programId: string, logs: readonly string[]): string[][] {
  const invocations: string[][] = [];
  const stack: { program: string; payloads: string[] }[] = [];
  let letters = 0;
  for (const line of logs.slice(0, LOG_LIMITS.lines)) {
    letters += line.length;
    if (line === 'Log truncated' || letters > LOG_LIMITS.letters) break;
    const begun = /^Program (\w+) invoke \[\d+\]$/.exec(line)?.[1];
    if (begun !== undefined) {
      const payloads: string[] = [];
      stack.push({ program: begun, payloads });
      if (begun === programId) invocations.push(payloads);
      continue;
    }
    const payload = /^Program data: (\S+)$/.exec(line)?.[1];
    if (payload !== undefined) stack.at(-1)?.payloads.push(payload);
    const ended = /^Program (\w+) (?:success$|failed)/.exec(line)?.[1];
    if (ended !== undefined && ended === stack.at(-1)?.program) stack.pop();
  }
  return invocations;
}

export const LOG_LIMITS = { lines: 4096, letters: 65_536 };
