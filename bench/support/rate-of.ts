/** How often a second something that keeps the processor busy can be done, one after the other. */
export function rateOf(seconds: number, work: () => void): number {
  const begin = performance.now();
  const end = begin + seconds * 1_000;
  let count = 0;
  while (performance.now() < end) {
    for (let i = 0; i < 20; i++) work();
    count += 20;
  }
  return (count * 1_000) / (performance.now() - begin);
}
