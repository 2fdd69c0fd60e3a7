import { once } from 'node:events';
import http from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startDelay } from '../../bench/delay.ts';
import { Bisection } from '../../bench/limit/bisection.ts';
import { generate } from '../../bench/limit/open-loop.ts';

const body = 'hello';
const load = {
  request: 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n',
  contentLength: body.length,
  connections: 1,
  settleSeconds: 0,
};

async function listen(server: ReturnType<typeof createServer>): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

function startWeb(answer: (res: http.ServerResponse, count: number) => unknown): Promise<number> {
  let count = 0;
  return listen(
    http.createServer((_req, res) => {
      count += 1;
      answer(res, count);
    }),
  );
}

/** Answers each request with these pieces, one after the other. */
function startPieces(pieces: string[]): Promise<number> {
  return listen(
    createServer((socket: Socket) => {
      socket.setNoDelay(true).on('data', async () => {
        for (const piece of pieces) {
          socket.write(piece);
          await sleep(5);
        }
      });
    }),
  );
}

describe('the open load', () => {
  test('counts the wait of requests that were due while an answer was late', async () => {
    const port = await startWeb((res, count) => {
      if (count === 1) setTimeout(() => res.end(body), 200);
      else res.end(body);
    });
    const { p50 } = await generate({ ...load, port, perSecond: 100, seconds: 0.2 });
    // Ten were due in the first half of the pause, so each of them waited for the other half of it at least.
    expect(p50).toBeGreaterThan(80);
  });

  test('is cut short when the server falls behind', async () => {
    const port = await startWeb((res) => setTimeout(() => res.end(body), 20));
    const { p50, p99 } = await generate({ ...load, port, perSecond: 2000, seconds: 60 });
    expect([p50, p99]).toEqual([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
  });

  test('sends as many requests as are due', async () => {
    let seen = 0;
    const port = await startWeb((res, count) => {
      seen = count;
      res.end(body);
    });
    await generate({ ...load, port, connections: 20, perSecond: 200, seconds: 0.05, settleSeconds: 0.05 });
    expect(seen).toBe(20);
  });

  test('goes on when the server closes a connection after its answer', async () => {
    const port = await startWeb((res) => res.setHeader('Connection', 'close').end(body));
    const { perSecond } = await generate({ ...load, port, perSecond: Number.POSITIVE_INFINITY, seconds: 0.2 });
    expect(perSecond).toBeGreaterThan(0);
  });

  test('takes an answer that arrives in pieces', async () => {
    const port = await startPieces(['HTTP/1.1 200 OK\r\nContent-', 'Length: 5\r\n\r\nhe', 'llo']);
    const { p99 } = await generate({ ...load, port, perSecond: 10, seconds: 0.3 });
    expect(p99).toBeGreaterThan(5);
  });

  test('is too much for a server that answers with an error', async () => {
    const port = await startWeb((res, count) =>
      res.writeHead(count === 3 ? 503 : 200, { 'Content-Length': 5 }).end(body),
    );
    const { p99 } = await generate({ ...load, port, perSecond: 100, seconds: 0.1 });
    expect(p99).toBe(Number.POSITIVE_INFINITY);
  });

  test.each([
    { what: 'a refusal', status: 403, text: body },
    { what: 'another page', status: 200, text: 'please log in' },
  ])('fails on $what', async ({ status, text }) => {
    const port = await startWeb((res) => res.writeHead(status, { 'Content-Length': text.length }).end(text));
    await expect(generate({ ...load, port, perSecond: 100, seconds: 0.1 })).rejects.toThrow('unexpected answer');
  });
});

test('the bisection comes within a hundredth of the limit in seven tries', () => {
  const bisection = new Bisection(1000);
  let highest = 0;
  for (let count = 0; count < 7; count += 1) {
    const tried = bisection.next;
    if (tried <= 700) highest = tried;
    bisection.take(tried <= 700);
  }
  expect(highest).toBeGreaterThan(690);
  expect(highest).toBeLessThanOrEqual(700);
});

test('the delayed link hands all bytes on in their order, each as late as it should be', async () => {
  const port = await startPieces(['0,', '1,', '2,']);
  const delay = await startDelay(port, 30);
  onTestFinished(delay.close);
  const startedAt = performance.now();
  const socket = connect(delay.port, '127.0.0.1');
  socket.write('go');
  let text = '';
  for await (const chunk of socket) {
    if (text === '') expect(performance.now() - startedAt).toBeGreaterThanOrEqual(29);
    text += chunk;
    if (text.length === 6) break;
  }
  expect(text).toBe('0,1,2,');
});
