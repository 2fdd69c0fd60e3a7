import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { pathOf, read, rowsBelow } from '../support/documents.ts';
import { freePort, newDirectory, startProcess, startServer } from '../support/process.ts';
import { Visitor } from '../support/visitor.ts';

type Model = new (object: object) => { validate: () => void };
const load = createRequire(import.meta.url);
// Not imported, since its types don't fit our strict settings.
const models: { NetworkPolicy: Model; Service: Model } = {
  ...load('kubernetes-models/networking.k8s.io/v1'),
  ...load('kubernetes-models/v1'),
};
type Panel = { title: string; targets: { expr: string; legendFormat: string }[] };
type Series = { metric: Record<string, string> };

const alerts: { alert: string; expr: string }[] = parse(read('deploy/prometheus/alerts.yml')).groups.flatMap(
  ({ rules }: { rules: object[] }) => rules,
);
const panels: Panel[] = JSON.parse(read('deploy/grafana/dashboard.json')).panels;
const env: Record<string, string> = { SIGN_IN: 'trust' };
// feature: email-code
Object.assign(env, { SIGN_IN: 'code', SMTP_URL: 'smtp://127.0.0.1:1' });
// end: email-code
/** Mail has no series where nothing sends any. */
const isShown = (text: string) => env.SIGN_IN === 'code' || !text.includes('latchkey_mail');
const targets = panels
  .flatMap(({ targets }) => targets)
  .map(({ expr, legendFormat }) => ({
    expr: expr.replaceAll('$job', 'latchkey').replaceAll('$__rate_interval', '1m'),
    legendFormat,
  }))
  .filter(({ expr }) => isShown(expr));

/** Checks a file with promtool; returns what it says when it is not satisfied. */
function promtool(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' });
  return status === 0 ? '' : `${stdout}${stderr}`;
}

describe('the alerts', () => {
  test('are seen to fire on their trouble, and not without it', () => {
    expect(promtool('check', 'config', pathOf('deploy/prometheus/prometheus.yml'))).toBe('');
    expect(promtool('test', 'rules', pathOf('test/metrics/alerts.yml'))).toBe('');
    const tested: { alertname: string; exp_alerts?: object[] }[] = parse(read('test/metrics/alerts.yml')).tests.flatMap(
      ({ alert_rule_test }: { alert_rule_test: object[] }) => alert_rule_test,
    );
    const names = (isFiring: boolean) => [
      ...new Set(tested.filter(({ exp_alerts }) => Boolean(exp_alerts) === isFiring).map(({ alertname }) => alertname)),
    ];
    const shipped = alerts.map(({ alert }) => alert);
    expect([names(true), names(false)]).toEqual([shipped, shipped]);
  });

  test('are tested in earnest: other thresholds are noticed', () => {
    const copy = newDirectory('alerts-');
    mkdirSync(join(copy, 'test/metrics'), { recursive: true });
    cpSync(pathOf('test/metrics/alerts.yml'), join(copy, 'test/metrics/alerts.yml'));
    mkdirSync(join(copy, 'deploy/prometheus'), { recursive: true });
    const other = read('deploy/prometheus/alerts.yml').replace('> 0.05', '> 0.5');
    writeFileSync(join(copy, 'deploy/prometheus/alerts.yml'), other);
    expect(promtool('test', 'rules', join(copy, 'test/metrics/alerts.yml'))).toContain('LatchkeyRedisSlow');
  });

  test('are the ones that docs/metrics.md explains', () => {
    expect(rowsBelow('docs/metrics.md', 'alert | when').map(([name]) => name)).toEqual(
      alerts.map(({ alert }) => alert),
    );
  });
});

test('prometheus.yml reads the instances of the systemd unit', () => {
  const unit = read('deploy/systemd/latchkey@.service');
  const instances = /systemctl enable --now latchkey@(\d+) latchkey@(\d+)/.exec(unit)?.slice(1) ?? [];
  const address = `${/^Environment=.* HOST=(\S+)/m.exec(unit)?.[1]}:${/^#Environment=METRICS_PORT=(\S+)/m.exec(unit)?.[1]}`;
  const [{ static_configs: shipped }] = parse(read('deploy/prometheus/prometheus.yml')).scrape_configs;
  expect(shipped).toEqual([{ targets: instances.map((instance) => address.replace('%i', instance)) }]);
});

describe('what docs/metrics.md adds is well-formed:', () => {
  const objectsIn = (text: string) => parseAllDocuments(text).map((document) => document.toJS());
  const snippets = [...read('docs/metrics.md').matchAll(/```yaml\n(.*?)```/gs)].flatMap(([, text = '']) =>
    objectsIn(text),
  );

  test('the targets with Compose and Kubernetes', () => {
    const found = snippets.filter((snippet) => snippet.dns_sd_configs);
    expect(found).toHaveLength(2);
    for (const targets of found) {
      const path = join(newDirectory('targets-'), 'prometheus.yml');
      writeFileSync(path, stringify({ scrape_configs: [{ job_name: 'latchkey', ...targets }] }));
      expect(promtool('check', 'config', path)).toBe('');
    }
  });

  test('the objects for Kubernetes, which are for the pods of the shipped file', () => {
    const [policy, service] = snippets.filter(({ kind }) => kind);
    const labels = { app: 'latchkey' };
    const shipped = objectsIn(read('deploy/kubernetes/latchkey.yaml')).find(({ kind }) => kind === 'Deployment');
    expect(shipped.spec.template.metadata.labels).toEqual(labels);
    expect([policy.spec.podSelector.matchLabels, service.spec.selector]).toEqual([labels, labels]);
    new models.NetworkPolicy(policy).validate();
    new models.Service(service).validate();
    expect(() => new models.Service({ ...service, spec: { ports: 9464 } }).validate()).toThrow('ports');
  });
});

describe('with a server that has had some visitors, and a Prometheus that reads it as shipped', () => {
  let scrape: string;
  let prometheus: string;

  async function ask(query: string): Promise<Series[]> {
    const response = await fetch(`${prometheus}/api/v1/query?${new URLSearchParams({ query })}`);
    const { data, error } = await response.json();
    if (error) throw new Error(`${query}: ${error}`);
    return data.result;
  }

  beforeAll(async () => {
    const [metricsPort, port] = [await freePort(), await freePort()];
    const https = { BASE_URL: 'https://login.example.com', TRUST_PROXY: '1' };
    const server = await startServer({ env: { METRICS_PORT: String(metricsPort), ...https, ...env } });
    const visitor = new Visitor(server.url(), { 'X-Forwarded-Proto': 'https' });
    for (const path of ['/', '/login', '/admin', '/nowhere']) await visitor.get(path);
    await visitor.get('/session-events'); // feature: live-tabs
    await visitor.post('/bound-session/refresh'); // feature: bound-sessions
    for (const email of ['ann@example.com', 'nobody']) await visitor.post('/login', { form: { email } });
    scrape = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();

    const directory = newDirectory('prometheus-');
    cpSync(pathOf('deploy/prometheus'), directory, { recursive: true });
    const shipped = read('deploy/prometheus/prometheus.yml');
    const config = shipped
      .replace(/127\.0\.0\.1:13001\n.*127\.0\.0\.1:13002/, `127.0.0.1:${metricsPort}`)
      .replaceAll(': 15s', ': 1s');
    writeFileSync(join(directory, 'prometheus.yml'), config);
    const options = [
      '--config.file=prometheus.yml',
      '--storage.tsdb.path=data',
      `--web.listen-address=127.0.0.1:${port}`,
    ];
    startProcess({ cwd: directory, command: ['prometheus', ...options] });
    prometheus = `http://127.0.0.1:${port}`;
    await vi.waitFor(
      async () => expect(await ask('rate(process_cpu_seconds_total{job="latchkey"}[1m])')).toHaveLength(1),
      { timeout: 60_000, interval: 200 },
    );
  }, 90_000);

  test('every series and label that the alerts and the dashboard name exists', async () => {
    const exprs = [...targets, ...alerts].map(({ expr }) => expr).filter(isShown);
    const selectors = exprs.flatMap((expr) =>
      [...expr.matchAll(/\b(?:(?:latchkey|nodejs|process)_\w+|up\b)(?:\{[^}]*\})?/g)].map(([selector]) => ({
        expr,
        selector,
      })),
    );
    expect(selectors.length).toBeGreaterThanOrEqual(exprs.length);
    const found = new Map<string, Series[]>();
    for (const { selector } of selectors) found.set(selector, found.get(selector) ?? (await ask(selector)));
    expect([...found].filter(([, series]) => series.length === 0).map(([selector]) => selector)).toEqual([]);
    for (const { expr, selector } of selectors) {
      const labels = new Set(found.get(selector)?.flatMap(({ metric }) => Object.keys(metric)));
      const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, names = '']) => names.split(', '));
      expect([expr, grouped.filter((name) => !labels.has(name))]).toEqual([expr, []]);
    }
  });

  test('every route that an alert leaves out is named as the app names it', () => {
    const leftOut = alerts.flatMap(({ expr }) => [...expr.matchAll(/\broute!="([^"]+)"/g)].map(([, route]) => route));
    expect(leftOut.filter((route) => !scrape.includes(`route="${route}"`))).toEqual([]);
  });

  test('every panel shows something, under names that it has', async () => {
    for (const { expr, legendFormat } of targets) {
      const [first] = await ask(expr);
      const names = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, name = '']) => name);
      expect([expr, names.filter((name) => !(name in (first?.metric ?? {})))]).toEqual([expr, []]);
      expect([expr, first !== undefined]).toEqual([expr, true]);
    }
  });

  test('docs/metrics.md lists every series with its labels', () => {
    const families = [...scrape.matchAll(/^# TYPE (latchkey_\w+)/gm)].map(([, name = '']) => name);
    const labelsOf = (family: string) => {
      const samples = new RegExp(`^${family}(?:_bucket|_sum|_count)?[{ ].*`, 'gm');
      const labels = (scrape.match(samples) ?? []).flatMap((line) =>
        [...line.matchAll(/(\w+)="/g)].map(([, label = '']) => label),
      );
      return [...new Set(labels)].filter((label) => label !== 'le').sort();
    };
    const documented = rowsBelow('docs/metrics.md', 'series | labels | meaning').filter(([name = '']) => isShown(name));
    const rows = documented.map(([name, labels = '']) => {
      const named = labels.replace(/ \([^)]*\)/g, '').split(', ');
      return [name, named.filter((label) => label !== '').sort()];
    });
    expect(rows.sort()).toEqual(families.map((name) => [name, labelsOf(name)]).sort());
  });

  test('the metrics are named as Prometheus wants them', () => {
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: scrape, encoding: 'utf8' });
    const own = `${stdout}${stderr}`.split('\n').filter((line) => line.startsWith('latchkey_'));
    expect([own, status === 0 || status === 3]).toEqual([[], true]);
  });
});
