/**
 * Named places where a test stops or kills a process. They cost one map lookup, and nothing can be armed
 * unless the process was started with failpoints on.
 */
export type Failpoints = { hit(name: string): Promise<void> };

type Point = { deed: string | undefined; nth: number | undefined; hits: number };

export const noFailpoints: Failpoints = { hit: async () => {} };

/**
 * `spec` is a comma-separated list of `name=kill` (the process dies at once, as by kill -9),
 * `name=throw` or `name=hang` (until the process is killed). With `@n` behind, only the n-th time: `name=kill@3`.
 */
export function createFailpoints(spec: string): Failpoints {
  const armed = new Map(
    spec
      .split(',')
      .filter(Boolean)
      .map((item) => {
        const [name = '', what = ''] = item.split('=');
        const [deed, nth] = what.split('@');
        return [name, { deed, nth: nth === undefined ? undefined : Number(nth), hits: 0 }] as [string, Point];
      }),
  );
  return {
    async hit(name) {
      const point = armed.get(name);
      if (!point || (point.nth !== undefined && ++point.hits !== point.nth)) return;
      switch (point.deed) {
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
