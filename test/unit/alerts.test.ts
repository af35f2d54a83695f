import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { createMetrics } from '../../src/platform/metrics.ts';

type Rule = { alert: string; expr: string; labels: { severity: string }; annotations: { summary: string } };
const docs = fileURLToPath(new URL('../../docs/', import.meta.url));
const rules: Rule[] = parse(await readFile(`${docs}alerts.yaml`, 'utf8')).groups.flatMap(
  (group: { rules: Rule[] }) => group.rules,
);

it('every alert has a severity, a sentence, and an entry of its name in the runbook', async () => {
  const runbook = await readFile(`${docs}runbook.md`, 'utf8');
  expect(rules.length).toBeGreaterThan(10);
  for (const { alert, labels, annotations } of rules) {
    expect(['page', 'warn'], alert).toContain(labels.severity);
    expect(annotations.summary, alert).toMatch(/\.$/);
    expect(runbook, alert).toContain(`\n## ${alert}\n`);
  }
  const entries = [...runbook.matchAll(/^## (\w+)$/gm)].map(([, name]) => name);
  expect(new Set(entries)).toEqual(new Set(rules.map(({ alert }) => alert)));
});

it('alerts name metrics that there are, with labels that they have', async () => {
  const metrics = new Map<string, { labelNames: string[] }>();
  for (const { name } of await createMetrics().registry.getMetricsAsJSON())
    metrics.set(name, createMetrics().registry.getSingleMetric(name) as unknown as { labelNames: string[] });
  for (const { alert, expr } of rules) {
    const named = [...expr.matchAll(/(tessera_\w+)(?:\{([^}]*)\})?/g)];
    expect(named.length, alert).toBeGreaterThan(0);
    for (const [, name = '', selector = ''] of named) {
      const metric = metrics.get(name);
      expect(metric, `${alert}: ${name}`).toBeDefined();
      for (const [, label] of selector.matchAll(/(\w+)(?:=~|!=|=)/g))
        expect(metric?.labelNames, `${alert}: ${name}`).toContain(label);
    }
  }
});
