import { connect, type LookupFunction } from 'node:net';
import { expect, test } from 'vitest';
import { explainRedisFailure } from '../../src/shared/redis-failures.ts';
import { freePort } from '../support/process.ts';

test('a host with several addresses, none of which answers, is explained as one with a single address', async () => {
  const port = await freePort();
  const addresses = ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, family: 4 }));
  const error = await new Promise<Error>((resolve) => {
    const lookup: LookupFunction = (_host, _options, done) => done(null, addresses);
    connect({ host: 'redis.test', port, lookup, autoSelectFamily: true }).on('error', resolve);
  });
  expect(error).toBeInstanceOf(AggregateError);
  const explained = explainRedisFailure(error, { kind: 'sentinel', tls: false });
  expect(explained).toMatchObject({ message: expect.stringContaining('ECONNREFUSED'), cause: error });
});
