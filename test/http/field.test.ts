import { fileURLToPath } from 'node:url';
import express from 'express';
import { expect, test } from 'vitest';
import { registerEjs } from '../../src/http/view-engine.ts';

const app = express();
registerEjs(app, { directory: fileURLToPath(new URL('../../views', import.meta.url)), reload: false });

async function field(data: object): Promise<string> {
  const html = await new Promise<string>((done, fail) =>
    app.render('partials/field', { name: 'title', label: 'Title', ...data }, (error, page) =>
      error ? fail(error) : done(page),
    ),
  );
  return html.slice(html.indexOf('<div'));
}

test('a field has a label, a control with what was typed, and the attributes that were asked for', async () => {
  const html = await field({ value: 'a "b" <c>', attributes: { required: true, maxlength: 5, autofocus: false } });
  expect(html).toContain('<label for="title">Title</label>');
  expect(html).toContain('<input id="title" name="title" required="" maxlength="5" value="a &#34;b&#34; &lt;c&gt;">');
  expect(html).not.toContain('problem');
});

test('a problem is tied to its control, in place of another description', async () => {
  const attributes = { 'aria-describedby': 'notice' };
  const html = await field({ value: 'x', problem: 'No <address>.', attributes });
  expect(html).toContain('aria-describedby="title-problem" aria-invalid="true"');
  expect(html).toContain('<p class="problem" id="title-problem" role="alert">No &lt;address&gt;.</p>');
  expect(html).not.toContain('notice');
  expect(await field({ attributes })).toContain('aria-describedby="notice"');
});

test('a field of several lines keeps them, the first empty one as well', async () => {
  // A parser drops the line break that follows the tag.
  expect(await field({ multiline: true, value: '\ntwo </textarea>' })).toContain(
    '<textarea id="title" name="title">\n\ntwo &lt;/textarea&gt;</textarea>',
  );
});
