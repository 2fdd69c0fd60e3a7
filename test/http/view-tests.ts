import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import express, { type Express } from 'express';
import request from 'supertest';
import { describe, expect, inject, test } from 'vitest';

type Options = { directory: string; reload: boolean };
type Register = (app: Express, options: Options) => void;

/** Renders the view `page`, with a local of its own, on each request. */
export function pageOf(register: Register, options: { reload: boolean }) {
  const directory = mkdtempSync(join(inject('runDirectory'), 'views-'));
  const app = express();
  register(app, { directory, ...options });
  app.get('/', (_req, res) => {
    res.render('page', { name: 'Ann' }, (error: Error | null, html) => void res.send(error?.message ?? html));
  });
  return {
    write: (view: string, name = 'page') => {
      const file = join(directory, `${name}.ejs`);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, view);
    },
    remove: () => rmSync(join(directory, 'page.ejs')),
    read: async () => (await request(app).get('/')).text,
    /** Renders it without a request. */
    render: () =>
      new Promise<string>((done, fail) => {
        app.render('page', { name: 'Ann' }, (error: Error | null, html) => (error ? fail(error) : done(html)));
      }),
  };
}

/** What holds for every view engine. */
export function describeViews(register: Register): void {
  describe('a view', () => {
    test('reads its locals by `locals` alone, and is told of no other name', async () => {
      const page = pageOf(register, { reload: true });
      page.write('<%= locals.name %> <%= locals.other %>');
      expect(await page.read()).toBe('Ann ');
      page.write('<%= name %>');
      expect(await page.read()).toContain('name is not defined');
    });

    test('is read once, and anew for every page only in development', async () => {
      const [production, development] = [pageOf(register, { reload: false }), pageOf(register, { reload: true })];
      for (const { write, read } of [production, development]) {
        write('first');
        expect(await read()).toBe('first');
        write('second');
      }
      expect([await production.read(), await development.read()]).toEqual(['first', 'second']);
    });

    test('is looked for on the disk once, and for every page only in development', async () => {
      const [production, development] = [pageOf(register, { reload: false }), pageOf(register, { reload: true })];
      for (const { write, read, remove } of [production, development]) {
        write('first');
        expect(await read()).toBe('first');
        remove();
      }
      expect(await production.read()).toBe('first');
      expect(await development.read()).toContain('Failed to lookup view');
    });

    test.each([true, false])('includes others by each path that EJS knows (reload: %s)', async (reload) => {
      const page = pageOf(register, { reload });
      page.write("inner <%- include('../other') %>", 'parts/inner');
      page.write("<%- include('deep/leaf.ejs') %>", 'parts/other');
      page.write('other', 'other');
      page.write('leaf', 'parts/deep/leaf');
      const names = ['/parts/inner', '/parts/inner.ejs', 'parts/inner', './parts/inner.ejs', '/parts/other'];
      page.write(names.map((name) => `<%- include('${name}') %>;`).join(''));
      const expected = `${'inner other;'.repeat(4)}leaf;`;
      expect([await page.read(), await page.read()]).toEqual([expected, expected]);
    });

    test('that fails shows its source only in development', async () => {
      const [production, development] = [pageOf(register, { reload: false }), pageOf(register, { reload: true })];
      for (const { write } of [production, development]) write('a line of the source\n<%= missing.name %>');
      expect(await production.read()).toBe('missing is not defined');
      expect(await development.read()).toContain('a line of the source');
    });
  });
}
