import { connect, type LookupFunction } from 'node:net';
import { SimpleError, SocketClosedUnexpectedlyError } from 'redis';
import { expect, test } from 'vitest';
import { explainRedisFailure, refusalIn } from '../../src/shared/redis-failures.ts';
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

const withCode = (code: string, more = {}) => Object.assign(new Error(code), { code, ...more });

test('an unknown CA is explained by one advice, also where Node adds its own', () => {
  const said = 'self-signed certificate; if the root CA is installed locally, try running Node.js with --use-system-ca';
  const error = withCode('DEPTH_ZERO_SELF_SIGNED_CERT', { message: said });
  expect(explainRedisFailure(error, { kind: 'redis', tls: true })).toMatchObject({
    message: expect.stringMatching(/is not trusted \(self-signed certificate\): name the CA that signed it in \w+$/),
  });
});

test.each([
  ['WRONGPASS', new SimpleError('WRONGPASS invalid username-password pair or user is disabled.')],
  ['NOPERM', new SimpleError('NOPERM this user has no permissions to run the select command')],
  ['ERR', new SimpleError('ERR DB index is out of range')],
  ['ENOTFOUND', withCode('ENOTFOUND', { syscall: 'getaddrinfo', hostname: 'redis.test' })],
  ['CERT_HAS_EXPIRED', withCode('CERT_HAS_EXPIRED')],
  ['SELF_SIGNED_CERT_IN_CHAIN', withCode('SELF_SIGNED_CERT_IN_CHAIN')],
  ['ERR_SSL_WRONG_VERSION_NUMBER', withCode('ERR_SSL_WRONG_VERSION_NUMBER')],
  [undefined, withCode('ECONNREFUSED', { syscall: 'connect' })],
  [undefined, Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' })],
  [undefined, new SocketClosedUnexpectedlyError()],
  [undefined, withCode('EAI_AGAIN', { syscall: 'getaddrinfo', hostname: 'redis.test' })],
  [undefined, new SimpleError('ERR max number of clients reached')],
  [undefined, new SimpleError('LOADING Redis is loading the dataset in memory')],
  [undefined, undefined],
])('what waiting does not remedy is named by one word: %s', (word, error) => {
  expect(refusalIn(error)).toBe(word);
});
