import type { Express } from 'express';
import { describe, expect, test } from 'vitest';
import { compileViews } from '../../src/features/performance/compiled-views.ts';
import { registerEjs } from '../../src/http/view-engine.ts';
import { describeViews, pageOf } from '../http/view-tests.ts';

function register(app: Express, options: { directory: string; reload: boolean }): void {
  registerEjs(app, options);
  compileViews(app, { ...options, remembered: { '/remembered': 'key' } });
}

describeViews(register);

describe('a compiled view', () => {
  test('includes others, which see its locals and their own, and change none of them', async () => {
    const page = pageOf(register, { reload: false });
    page.write('<%= locals.name %> <%= locals.title %>;', 'part');
    page.write("<%- include('/part', { title: '<b>', name: 'Bob' }) %><%- include('/part') %><%= locals.title %>");
    expect(await page.read()).toBe('Bob &lt;b&gt;;Ann ;');
  });

  test.each([true, false])(
    'that is remembered sees the locals of its include alone, with reload %s',
    async (reload) => {
      const page = pageOf(register, { reload });
      page.write('<%= locals.key %> <%= locals.name %>;', 'remembered');
      page.write("<%- include('/remembered', { key: 'a' }) %><%- include('/remembered', { key: 'b', name: 'Bob' }) %>");
      for (let count = 0; count < 2; count += 1) expect(await page.read()).toBe('a ;b Bob;');
      page.write('written anew', 'remembered');
      expect(await page.read()).toBe(reload ? 'written anewwritten anew' : 'a ;b Bob;');
    },
  );

  test('loses its indentation, blank lines and last line break, but nothing of a value', async () => {
    const page = pageOf(register, { reload: false });
    const value = '  a\\n\\n  b\\n';
    page.write(
      `  <ul>\n\n    <li>a\n      b</li>\n  </ul>\n<pre>\n  text\n<%= "${value}" %></pre>\n<textarea><%= "${value}" %></textarea>\n`,
    );
    expect(await page.read()).toBe(
      '<ul>\n<li>a\nb</li>\n</ul>\n<pre>\ntext\n  a\n\n  b\n</pre>\n<textarea>  a\n\n  b\n</textarea>',
    );
  });

  test('reads nothing that has got into Object.prototype', async () => {
    const page = pageOf(register, { reload: false });
    page.write('<%= locals.polluted %>;', 'part');
    // The first is the control: the property is there while the view is rendered.
    page.write("<%= ({}).polluted %>:<%= locals.polluted %><%- include('/part', {}) %>");
    Object.assign(Object.prototype, { polluted: 'polluted' });
    // A view is rendered at once. In a later turn, others in this process would find the property.
    const rendered = page.render();
    Reflect.deleteProperty(Object.prototype, 'polluted');
    expect(await rendered).toBe('polluted:;');
  });
});
