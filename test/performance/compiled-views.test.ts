import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import express from 'express';
import request from 'supertest';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { compileViews } from '../../src/features/performance/compiled-views.ts';
import { registerEjs } from '../../src/http/view-engine.ts';

/** Renders the view `page`, with a local of its own, on each request. */
function pageOf(options: { reload: boolean }) {
  const directory = mkdtempSync(join(inject('runDirectory'), 'views-'));
  const app = express();
  registerEjs(app, { directory, ...options });
  compileViews(app, { directory, ...options });
  app.get('/', (_req, res) => {
    res.render('page', { name: 'Ann' }, (error: Error | null, html) => void res.send(error?.message ?? html));
  });
  return {
    write: (view: string, name = 'page') => writeFileSync(join(directory, `${name}.ejs`), view),
    read: async () => (await request(app).get('/')).text,
  };
}

describe('a view', () => {
  test('reads its locals by `locals` alone, and is told of no other name', async () => {
    const page = pageOf({ reload: true });
    page.write('<%= locals.name %> <%= locals.other %>');
    expect(await page.read()).toBe('Ann ');
    page.write('<%= name %>');
    expect(await page.read()).toContain('name is not defined');
  });

  test('includes others, which see its locals and their own, and change none of them', async () => {
    const page = pageOf({ reload: false });
    page.write('<%= locals.name %> <%= locals.title %>;', 'part');
    page.write("<%- include('/part', { title: '<b>', name: 'Bob' }) %><%- include('/part') %><%= locals.title %>");
    expect(await page.read()).toBe('Bob &lt;b&gt;;Ann ;');
  });

  test('reads nothing that has got into Object.prototype', async () => {
    const page = pageOf({ reload: false });
    page.write('<%= locals.polluted %>;', 'part');
    page.write("<%= locals.polluted %><%- include('/part', {}) %>");
    Object.assign(Object.prototype, { polluted: 'polluted' });
    onTestFinished(() => void Reflect.deleteProperty(Object.prototype, 'polluted'));
    expect(await page.read()).toBe(';');
  });

  test('is read once, and anew for every page only in development', async () => {
    const [production, development] = [pageOf({ reload: false }), pageOf({ reload: true })];
    for (const { write, read } of [production, development]) {
      write('first');
      expect(await read()).toBe('first');
      write('second');
    }
    expect([await production.read(), await development.read()]).toEqual(['first', 'second']);
  });

  test('that fails shows its source only in development', async () => {
    const [production, development] = [pageOf({ reload: false }), pageOf({ reload: true })];
    for (const { write } of [production, development]) write('a line of the source\n<%= missing.name %>');
    expect(await production.read()).toBe('missing is not defined');
    expect(await development.read()).toContain('a line of the source');
  });
});
