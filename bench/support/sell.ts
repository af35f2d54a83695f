import type { Api } from './api.ts';
import { drive, type Load } from './load.ts';
import { type OnSale, purchaseOf } from './sale.ts';

/** Buyers who all want a ticket of `sales`, each of any. @throws Error when anybody is refused */
export async function sell(
  api: Api,
  sales: OnSale[],
  tokens: Map<string, string[]>,
  options: { callers: number; seconds: number; say: (line: string) => void },
): Promise<number> {
  const load = await drive(api, {
    ...options,
    next(caller) {
      const sale = sales[Math.floor(Math.random() * sales.length)] as OnSale;
      const own = tokens.get(sale.tenantId) as string[];
      return purchaseOf(sale, own[caller % own.length] as string);
    },
  });
  mustAll(load, '201');
  options.say(describeLoad(load, options.callers));
  return load.rate;
}

export function mustAll(load: Load, ...outcomes: string[]): void {
  const others = [...load.outcomes].filter(([outcome]) => !outcomes.includes(outcome));
  if (others.length > 0) throw new Error(`unexpected answers: ${JSON.stringify(others)}`);
}

export function describeLoad({ rate, p50, p99 }: Load, callers: number): string {
  return `  ${callers} callers: ${rate.toFixed(0)}/s, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`;
}
