import { expect, test } from 'vitest';
import { problemsOf } from '../support/settings.ts';

test('an address for metrics needs a port', () => {
  expect(problemsOf({ METRICS_HOST: '10.0.0.1' })).toEqual([expect.stringMatching(/^METRICS_PORT is missing, /)]);
  expect(problemsOf({ METRICS_HOST: '10.0.0.1', METRICS_PORT: '9100' })).toEqual([]);
});

test('METRICS_HOST takes what HOST takes', () => {
  expect(problemsOf({ METRICS_HOST: '10.0.0.1:9100', METRICS_PORT: '9100' })).toEqual([
    expect.stringMatching(/^METRICS_HOST takes one address/),
  ]);
});
