import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import autocannon from 'autocannon';

type LoadOptions = {
  url: string;
  cookie: string;
  /** What each request carries besides. */
  headers?: Record<string, string>;
  /** Every answer must hold this, and be a 2xx, or a 303 to a form, so that nobody measures an error page. */
  expect: string;
  connections: number;
} & ({ seconds: number } | { requests: number } | { forms: Form[] });

/** A form's fields, and the headers that come with it alone. */
export type Form = { fields: Record<string, string>; headers?: Record<string, string> };

/** What was answered, in how many milliseconds, and the first cookie that the answer to each form set. */
type LoadResult = { requests: number; seconds: number; p50: number; p99: number; cookies: string[] };

export type Loader = { run: (options: LoadOptions) => Promise<LoadResult>; stop: () => void };

/** The load comes from one process of its own, always on the Node that runs the bench. */
export function startLoader(): Loader {
  const child: ChildProcess = fork(fileURLToPath(import.meta.url), ['--generate-load']);
  return {
    async run(options) {
      child.send(options);
      const [reply] = await once(child, 'message');
      if ('problem' in reply) throw new Error(`${options.url}: ${reply.problem}`);
      return reply;
    },
    stop: () => child.kill(),
  };
}

if (process.argv[2] === '--generate-load') {
  process.on('message', async (options: LoadOptions) => process.send?.(await generate(options)));
}

async function generate(options: LoadOptions): Promise<LoadResult | { problem: string }> {
  const { url, cookie, headers, expect, connections } = options;
  const milliseconds: number[] = [];
  const cookies: string[] = [];
  const isExpected = (status: number) => ('forms' in options ? status === 303 : status >= 200 && status < 300);
  let refusals = 0;
  const startedAt = performance.now();
  const { errors, mismatches } = await new Promise<autocannon.Result>((done, fail) => {
    const run = autocannon(
      {
        url,
        connections,
        ...amountOf(options, cookies),
        headers: { ...(cookie !== '' && { cookie }), ...headers },
        verifyBody: (body) => String(body).includes(expect),
      },
      (error: unknown, result) => (error ? fail(error) : done(result)),
    );
    // autocannon's own histogram knows whole milliseconds only.
    run.on('response', (_client, status, _bytes, responseTime) => {
      milliseconds.push(responseTime);
      if (!isExpected(status)) refusals += 1;
    });
  });
  const seconds = (performance.now() - startedAt) / 1000;
  if (errors + refusals + mismatches > 0 || milliseconds.length === 0) {
    return { problem: `${errors} errors, ${refusals} refusals and ${mismatches} wrong pages` };
  }
  milliseconds.sort((a, b) => a - b);
  const at = (share: number): number => milliseconds[Math.floor(milliseconds.length * share)] ?? 0;
  return { requests: milliseconds.length, seconds, p50: at(0.5), p99: at(0.99), cookies };
}

/** For how long to load, or how often; each of the forms is sent once. */
function amountOf(options: LoadOptions, cookies: string[]): Partial<autocannon.Options> {
  if ('seconds' in options) return { duration: options.seconds };
  if ('requests' in options) return { amount: options.requests };
  const left = options.forms.entries();
  // autocannon makes a new context for each request.
  const positions = new WeakMap<object, number>();
  const form: autocannon.Request = {
    method: 'POST',
    setupRequest(request, context) {
      const next = left.next();
      if (next.done) throw new Error('more requests than forms');
      const [position, { fields, headers }] = next.value;
      positions.set(context, position);
      const body = new URLSearchParams(fields).toString();
      return { ...request, body, headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers } };
    },
    onResponse(_status, _body, context, headers = {}) {
      const [, setCookie = ''] = Object.entries(headers).find(([name]) => name.toLowerCase() === 'set-cookie') ?? [];
      const position = positions.get(context);
      if (position === undefined) throw new Error('an answer to no form');
      cookies[position] = String(setCookie).replace(/;.*/, '');
    },
  };
  return { amount: options.forms.length, requests: [form] };
}
