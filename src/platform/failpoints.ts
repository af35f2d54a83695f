/**
 * Named places where a test stops or kills a process. They cost one map lookup, and nothing can be armed
 * unless the process was started with failpoints on.
 */
export type Failpoints = { hit(name: string): Promise<void> };

export const noFailpoints: Failpoints = { hit: async () => {} };

/**
 * `spec` is a comma-separated list of `name=kill` (the process dies at once, as by kill -9),
 * `name=throw` or `name=hang` (until the process is killed).
 */
export function createFailpoints(spec: string): Failpoints {
  const armed = new Map(
    spec
      .split(',')
      .filter(Boolean)
      .map((item) => item.split('=') as [string, string]),
  );
  return {
    async hit(name) {
      switch (armed.get(name)) {
        case 'kill':
          process.kill(process.pid, 'SIGKILL');
          return new Promise(() => {});
        case 'throw':
          throw new Error(`failpoint ${name}`);
        case 'hang':
          return new Promise(() => {});
      }
    },
  };
}
