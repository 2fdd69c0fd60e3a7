import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { read } from '../support/documents.ts';

test.each([
  'deploy/traefik/traefik.yml',
  'deploy/gate/traefik/traefik.yml', // feature: gate
])('%s sets no limit to the time for a whole response, which a stream would reach', (file) => {
  const { transport } = parse(read(file)).entryPoints.https;
  expect(transport?.respondingTimeouts?.writeTimeout ?? '0s').toBe('0s');
});
