import { AggregatorRegistry, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { showFigures } from '../../src/features/metrics/figures.ts';
import { figures } from '../../src/shared/figures.ts';

test('figures of other features are shown from their first publication on, zeros included', async () => {
  const registry = new Registry();
  showFigures(registry);
  const about = { help: 'A figure', labels: { kind: 'a' } };
  figures.publish({ ...about, name: 'test_events_total', add: 0 });
  figures.publish({ name: 'test_waiting', help: 'A figure', set: 0 });
  figures.publish({ ...about, name: 'test_seconds', observe: undefined, buckets: [1, 2] });
  const before = await registry.metrics();
  for (const line of ['test_events_total{kind="a"} 0', 'test_waiting 0', 'test_seconds_count{kind="a"} 0']) {
    expect(before.split('\n')).toContain(line);
  }

  for (let count = 1; count <= 3; count += 1) figures.publish({ ...about, name: 'test_events_total', add: 1 });
  for (const set of [7, 5]) figures.publish({ name: 'test_waiting', help: 'A figure', set });
  figures.publish({ ...about, name: 'test_seconds', observe: 1.5, buckets: [1, 2] });
  const lines = (await registry.metrics()).split('\n');
  expect(lines).toContain('test_events_total{kind="a"} 3');
  expect(lines).toContain('test_waiting 5');
  expect(lines).toContain('test_seconds_bucket{le="1",kind="a"} 0');
  expect(lines).toContain('test_seconds_bucket{le="2",kind="a"} 1');
});

test('of several processes, what each has a share of is added up, and what all say is said once', async () => {
  const registry = new Registry();
  showFigures(registry);
  figures.publish({ name: 'test_open', help: 'A figure', set: 3, isShare: true });
  figures.publish({ name: 'test_queued', help: 'A figure', set: 3 });
  const series = await registry.getMetricsAsJSON();
  const lines = (await AggregatorRegistry.aggregate([series, series]).metrics()).split('\n');
  expect(lines).toContain('test_open 6');
  expect(lines).toContain('test_queued 3');
});
