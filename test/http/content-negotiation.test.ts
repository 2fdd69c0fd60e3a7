import express from 'express';
import request from 'supertest';
import { expect, test } from 'vitest';
import { answerAs } from '../../src/http/content-negotiation.ts';

const app = express().get('/', (req, res) => {
  const as = (form: string) => () => res.type('text').send(form);
  answerAs(req, res, { html: as('html'), text: as('text'), json: as('json') });
});
const xhr = { 'X-Requested-With': 'XMLHttpRequest' };

test.each<[form: string, headers: Record<string, string>]>([
  ['html', {}],
  ['html', { Accept: '*/*' }],
  ['html', { Accept: 'image/png' }],
  ['text', { Accept: 'text/plain' }],
  ['text', { Accept: 'application/json;q=0.5, text/plain' }],
  ['json', { Accept: 'application/json' }],
  ['json', { Accept: 'text/plain;q=0.5, application/json' }],
  // The older client reads words and JSON, and no pages.
  ['text', xhr],
  ['text', { 'X-Requested-With': 'xmlhttprequest', Accept: '*/*' }],
  ['text', { ...xhr, Accept: 'text/html, */*' }],
  ['text', { ...xhr, Accept: 'text/html' }],
  ['json', { ...xhr, Accept: 'application/json' }],
  ['html', { 'X-Requested-With': 'com.example.app' }],
])('the response is %s for %j', async (form, headers) => {
  const response = await request(app).get('/').set(headers);
  expect(response.text).toBe(form);
  expect(response.headers.vary).toBe('Accept, X-Requested-With');
});
